/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads trust.d files. Whatever is not understood is an error: a line that was passed over might have been the one that
 * demanded a signature. */
#include <stdio.h>

#include "basic/ini.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "image/oci-trust-file.h"
#include "image/oci-trust.h"

static void section_done(OciTrustSection *s) {
        free(s->where);
        (void) strv_free(s->prefixes);
        (void) strv_free(s->cosign_keys);
        (void) strv_free(s->openpgp_keys);
        (void) strv_free(s->lookaside);
        free(s->signed_as);
}

/**
 * oci_trust_sections_done() - free sections
 * @s: is empty afterwards
 */
void oci_trust_sections_done(OciTrustSections *s) {
        FOREACH_ARRAY (i, s->sections, s->n_sections)
                section_done(i);
        free(s->sections);
        *s = (OciTrustSections){};
}

/**
 * oci_trust_prefix_normalize() - the one way to write a prefix
 * @s:   "docker://quay.io/coreos", "docker:quay.io/coreos", "quay.io/coreos/", or OCI_TRUST_EVERY
 * @ret: "quay.io/coreos", for free(); other names of Docker's registry become docker.io
 * @e:   says what is wrong
 *
 * A prefix begins with a registry, always: "redis" could be docker.io/redis or docker.io/library/redis.
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int oci_trust_prefix_normalize(const char *s, char **ret, Error *e) {
        const char *rest = startswith(s, "docker://") ? startswith(s, "docker://") : startswith(s, "docker:");
        _cleanup_(oci_name_freep) OciName *n = NULL;
        _cleanup_free_ char *bare = NULL, *below = NULL;
        size_t length, host;
        int r;

        if (!rest)
                rest = s;
        length = strlen(rest);
        if (length > 0 && rest[length - 1] == '/')
                length--;
        bare = strndup(rest, length);
        if (!bare)
                return error_oom(e);
        if (streq(bare, OCI_TRUST_EVERY)) {
                *ret = TAKE_PTR(bare);
                return 0;
        }
        host = strcspn(bare, "/");
        if (!memchr(bare, '.', host) && !memchr(bare, ':', host) &&
            !(host == strlen("localhost") && startswith(bare, "localhost")))
                return error_setf(e, -EINVAL,
                                  "'%.300s' does not begin with a registry; write docker.io/library/NAME for "
                                  "Docker's own images, or * for every image",
                                  s);
        if (strpbrk(bare + host, ":@"))
                return error_setf(e, -EINVAL, "'%.300s': a prefix has neither a tag nor a digest", s);
        below = strf("docker://%s/x", bare);
        if (!below)
                return error_oom(e);
        r = oci_name_parse(below, &n, e);
        if (r < 0)
                return r;
        n->repository[bare[host] ? strlen(n->repository) - strlen("/x") : 0] = '\0';
        *ret = strf("%s%s%s", n->host, bare[host] ? "/" : "", n->repository);
        return *ret ? 0 : error_oom(e);
}

typedef struct Reader {
        OciTrustSections *sections;
        const char *file;
        unsigned line;
        Error *e;
} Reader;

static int take_prefix(OciTrustSection *s, const char *value, Error *e) {
        char *prefix = NULL;
        int r;

        r = oci_trust_prefix_normalize(value, &prefix, e);
        if (r < 0)
                return r;
        return strv_consume(&s->prefixes, prefix) < 0 ? error_oom(e) : 0;
}

static int take_path(char ***list, const char *value, Error *e) {
        if (!*value || strlen(value) > PATH_LENGTH_MAX || !path_is_normalized(value))
                return error_setf(
                        e, -EINVAL,
                        "'%.300s' is no path (absolute, or beneath trustedkeys; without '.' and '..')",
                        value);
        return strv_extend(list, value) < 0 ? error_oom(e) : 0;
}

static int take_cosign_key(OciTrustSection *s, const char *value, Error *e) {
        return take_path(&s->cosign_keys, value, e);
}

static int take_openpgp_key(OciTrustSection *s, const char *value, Error *e) {
        return take_path(&s->openpgp_keys, value, e);
}

static int take_lookaside(OciTrustSection *s, const char *value, Error *e) {
        const char *host = startswith(value, "https://");

        if (!host || !*host || *host == '/' || strpbrk(value, "?#@ \t"))
                return error_setf(e, -EINVAL,
                                  "'%.300s' is no URL https://HOST[/PATH] without '?', '#' and '@'", value);
        return strv_extend(&s->lookaside, value) < 0 ? error_oom(e) : 0;
}

static int take_identity(OciTrustSection *s, const char *value, Error *e) {
        s->identity = cosign_identity_from_string(value);
        if ((int) s->identity < 0)
                return error_setf(e, -EINVAL, "'%.100s' is none of match, repository, exact", value);
        return 0;
}

static int take_signed_as(OciTrustSection *s, const char *value, Error *e) {
        char *prefix = NULL;
        int r;

        r = oci_trust_prefix_normalize(value, &prefix, e);
        if (r >= 0 && streq(prefix, OCI_TRUST_EVERY))
                r = error_setf(e, -EINVAL, "'%s' is no name", prefix);
        if (r < 0) {
                free(prefix);
                return r;
        }
        free(s->signed_as);
        s->signed_as = prefix;
        return 0;
}

static int take_boolean(bool *p, const char *value, Error *e) {
        int b = parse_boolean(value);

        if (b < 0)
                return error_setf(e, -EINVAL, "'%.100s' is neither yes nor no", value);
        *p = b;
        return 0;
}

static int take_insecure(OciTrustSection *s, const char *value, Error *e) {
        return take_boolean(&s->insecure, value, e);
}

static int take_reject(OciTrustSection *s, const char *value, Error *e) {
        return take_boolean(&s->reject, value, e);
}

static const struct {
        const char *key;
        int (*take)(OciTrustSection *s, const char *value, Error *e);
} keys[] = {
        { "Prefix", take_prefix },       { "CosignKey", take_cosign_key }, { "OpenPGPKey", take_openpgp_key },
        { "Lookaside", take_lookaside }, { "SignedAs", take_signed_as },   { "Identity", take_identity },
        { "Insecure", take_insecure },   { "Reject", take_reject },
};

static int begin_section(Reader *r, const IniItem *i) {
        OciTrustSections *all = r->sections;
        OciTrustSection *s;

        if (!streq(i->section, "Trust"))
                return error_setf(r->e, -EINVAL, "section [%.100s] is not known, only [Trust]", i->section);
        if (all->n_sections >= OCI_TRUST_SECTIONS_MAX)
                return error_setf(r->e, -E2BIG, "more than %u sections", OCI_TRUST_SECTIONS_MAX);
        if (!GREEDY_GROW(all->sections, all->n_sections))
                return error_oom(r->e);
        s = all->sections + all->n_sections++;
        *s = (OciTrustSection){ .where = strf("%s:%u", r->file, i->line),
                                .identity = _COSIGN_IDENTITY_INVALID };
        return s->where ? 0 : error_oom(r->e);
}

static bool is_too_long(const OciTrustSection *s) {
        char **const lists[] = { s->prefixes, s->cosign_keys, s->openpgp_keys, s->lookaside };

        FOREACH_ARRAY (l, lists, ELEMENTSOF(lists))
                if (strv_length(*l) > OCI_TRUST_VALUES_MAX)
                        return true;
        return false;
}

static int on_item(const IniItem *i, void *userdata) {
        Reader *r = userdata;
        OciTrustSection *s;
        int k;

        r->line = i->line;
        if (!i->key)
                return begin_section(r, i);
        if (r->sections->n_sections == 0)
                return error_setf(r->e, -EINVAL, "'%.100s=' stands before [Trust]", i->key);
        s = r->sections->sections + r->sections->n_sections - 1;
        FOREACH_ARRAY (t, keys, ELEMENTSOF(keys))
                if (streq(t->key, i->key)) {
                        k = t->take(s, i->value, r->e);
                        if (k < 0)
                                return error_prefixf(r->e, k, "%s=", i->key);
                        if (is_too_long(s))
                                return error_setf(r->e, -E2BIG, "%s= is said more than %u times", i->key,
                                                  OCI_TRUST_VALUES_MAX);
                        return 0;
                }
        return error_setf(r->e, -EINVAL, "'%.100s=' is not known in [Trust]", i->key);
}

static int on_bad(unsigned line, const char *what, void *userdata) {
        Reader *r = userdata;

        r->line = line;
        return error_setf(r->e, -EINVAL, "%s", what);
}

/* What makes no sense, and what was perhaps not meant. */
static int check_section(const OciTrustSection *s, Error *e) {
        bool keyed = s->cosign_keys || s->openpgp_keys;

        if (!s->prefixes)
                return error_setf(e, -ENODATA, "%s: Prefix= is missing", s->where);
        if (keyed + s->insecure + s->reject != 1)
                return error_setf(e, -EINVAL,
                                  "%s: wanted is one of: keys (CosignKey=, OpenPGPKey=), Insecure=yes, "
                                  "Reject=yes; found %s",
                                  s->where, keyed || s->insecure || s->reject ? "several" : "none");
        if (!keyed && (s->lookaside || s->signed_as || (int) s->identity >= 0))
                return error_setf(e, -EINVAL,
                                  "%s: Lookaside=, SignedAs= and Identity= have no meaning without a key",
                                  s->where);
        if (s->openpgp_keys && !s->lookaside)
                return error_setf(e, -ENODATA,
                                  "%s: OpenPGPKey= needs Lookaside=: registries do not have these signatures",
                                  s->where);
        if (s->lookaside && !s->openpgp_keys)
                return error_setf(e, -EINVAL, "%s: Lookaside= has no meaning without OpenPGPKey=", s->where);
        if (s->signed_as && strv_contains(s->prefixes, OCI_TRUST_EVERY))
                return error_setf(e, -EINVAL, "%s: SignedAs= has no meaning for every image", s->where);
        return 0;
}

/**
 * oci_trust_file_parse() - read a file of trust.d
 * @data: @size bytes, any
 * @size: bytes
 * @file: its path, for messages and for where
 * @ret:  for oci_trust_sections_done()
 * @e:    sentence on failure that begins with FILE:LINE
 *
 * Return: 0, -EINVAL, -ENODATA, -E2BIG, -ENOMEM.
 */
int oci_trust_file_parse(const char *data, size_t size, const char *file, OciTrustSections *ret, Error *e) {
        _cleanup_(oci_trust_sections_done) OciTrustSections sections = {};
        Reader reader = { .sections = &sections, .file = file, .e = e };
        int r;

        if (size > OCI_TRUST_FILE_MAX)
                return error_setf(e, -E2BIG, "%s: the file is larger than %u bytes", file,
                                  OCI_TRUST_FILE_MAX);
        r = ini_parse(data, size, &(IniHandler){ .item = on_item, .bad = on_bad, .userdata = &reader });
        if (r == -ENOMEM)
                return error_oom(e);
        if (r < 0)
                return error_prefixf(e, r, "%s:%u", file, reader.line);
        FOREACH_ARRAY (s, sections.sections, sections.n_sections) {
                r = check_section(s, e);
                if (r < 0)
                        return r;
        }
        *ret = sections;
        sections = (OciTrustSections){};
        return 0;
}
