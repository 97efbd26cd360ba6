/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt trust for images of registries: --cosign-key and --insecure write trust.d, after somebody looked at what it means. */
#include <fcntl.h>
#include <stdio.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "image/oci-trust-file.h"
#include "image/oci-trust-write.h"
#include "verbs/trust.h"

static int prefix_of(const TrustArgs *a, char **ret, Error *e) {
        int r = oci_trust_prefix_normalize(a->root ? OCI_TRUST_EVERY : a->prefix, ret, e);

        return r < 0 ? error_prefixf(e, r, "--prefix") : 0;
}

static bool is_every(const char *prefix) {
        return streq(prefix, OCI_TRUST_EVERY);
}

/* For sentences: images of "docker://quay.io/coreos" */
static int describe(const char *prefix, char **ret, Error *e) {
        *ret = is_every(prefix) ? strdup("every image of every registry")
                                : strf("images of \"docker://%s\"", prefix);
        return *ret ? 0 : error_oom(e);
}

static int load_key(const char *path, CosignKey *ret, Error *e) {
        _cleanup_free_ char *pem = NULL;
        size_t size = 0;
        int r;

        r = file_read_at(AT_FDCWD, path, COSIGN_KEY_FILE_MAX, &pem, &size);
        if (r < 0)
                return error_setf(e, r, "cannot read key '%s': %s", path, strerror(-r));
        r = cosign_key_parse(pem, size, ret, e);
        return r < 0 ? error_prefixf(e, r, "key '%s'", path) : 0;
}

/* 1: a person agreed. */
static int ask_about_key(const TrustArgs *a, const CosignKey *key, const char *whom, Error *e) {
        _cleanup_free_ char *what = strf("key '%s'", a->cosign_key);

        if (!what)
                return error_oom(e);
        (void) fprintf(stderr, "for %s\nkey: \"%s\" (%s)\nkey fingerprint is: %s\n", whom, a->cosign_key,
                       key->kind, key->fingerprint);
        if (a->skip_review)
                return 1;
        return trust_review("Are you sure you want to trust this key", what,
                            "compare its fingerprint and pass --skip-fingerprint-review", e);
}

static int ask_about_nothing(const TrustArgs *a, const char *whom, Error *e) {
        log_warning("%s will be taken without any verification: whoever can write to the registry can choose "
                    "what runs here",
                    whom);
        if (a->skip_review)
                return 1;
        return trust_review("Are you sure you want that", whom,
                            "pass --skip-fingerprint-review if that is meant", e);
}

/**
 * trust_oci_add() - rkt trust --cosign-key=FILE, rkt trust --insecure
 * @v: where to write
 * @a: one of both, and a prefix or --root
 * @e: sentence on failure
 *
 * Return: 0 (also when the answer was no), and what cosign_key_parse(), trust_review() and oci_trust_add() return.
 */
int trust_oci_add(const VerbContext *v, const TrustArgs *a, Error *e) {
        _cleanup_(cosign_key_done) CosignKey key = COSIGN_KEY_INIT;
        _cleanup_free_ char *prefix = NULL, *whom = NULL, *path = NULL;
        int r;

        r = prefix_of(a, &prefix, e);
        if (r >= 0)
                r = describe(prefix, &whom, e);
        if (r >= 0 && a->cosign_key)
                r = load_key(a->cosign_key, &key, e);
        if (r < 0)
                return r;
        r = a->cosign_key ? ask_about_key(a, &key, whom, e) : ask_about_nothing(a, whom, e);
        if (r < 0)
                return r;
        if (r == 0) {
                log_info("Not trusting \"%s\"", a->cosign_key ? a->cosign_key : prefix);
                return 0;
        }
        r = oci_trust_add(&(OciTrustEntry){ .system_config = v->system_config,
                                            .local_config = v->local_config,
                                            .prefix = prefix,
                                            .key = a->cosign_key ? &key : NULL },
                          &path, e);
        if (r < 0)
                return r;
        if (a->cosign_key)
                log_info("Added key for %s at \"%s\"", whom, path);
        else
                log_info("No verification of %s, by \"%s\"", whom, path);
        return 0;
}

/**
 * trust_is_oci_fingerprint() - is this the fingerprint of a bare key, not of an OpenPGP one
 * @s: as typed
 *
 * Return: whether.
 */
bool trust_is_oci_fingerprint(const char *s) {
        return startswith(s, "SHA256:");
}

/**
 * trust_oci_remove() - rkt trust --remove SHA256:..., rkt trust --remove --insecure
 * @v:           where to write
 * @a:           a prefix or --root
 * @fingerprint: of the key; NULL: none was wanted
 * @e:           sentence on failure
 *
 * Return: 0, and what oci_trust_remove() returns.
 */
int trust_oci_remove(const VerbContext *v, const TrustArgs *a, const char *fingerprint, Error *e) {
        _cleanup_free_ char *prefix = NULL, *path = NULL;
        int r;

        r = prefix_of(a, &prefix, e);
        if (r < 0)
                return r;
        r = oci_trust_remove(&(OciTrustEntry){ .system_config = v->system_config,
                                               .local_config = v->local_config,
                                               .prefix = prefix },
                             fingerprint, &path, e);
        if (r < 0)
                return r;
        log_info(r > 0 ? "Hid the system's file by an empty one at \"%s\"" : "Removed \"%s\"", path);
        return 0;
}

static int add_policy(Table *t, const OciTrustPolicy *p, Error *e) {
        _cleanup_free_ char *prefix = strf("%s%s", is_every(p->prefix) ? "" : "docker://", p->prefix);
        const char *cells[_TRUST_COLUMN_MAX] = { [TRUST_COLUMN_PREFIX] = prefix };
        int r = 0;

        if (!prefix)
                return error_oom(e);
        if (p->insecure || p->reject) {
                cells[TRUST_COLUMN_FINGERPRINT] = p->insecure ? "insecure" : "reject";
                cells[TRUST_COLUMN_IDENTITY] = "-";
                cells[TRUST_COLUMN_FILE] = p->where[0];
                return trust_add_row(t, cells, e);
        }
        for (size_t i = 0; r >= 0 && i < p->n_keys; i++) {
                cells[TRUST_COLUMN_FINGERPRINT] = p->keys[i].key.fingerprint;
                cells[TRUST_COLUMN_IDENTITY] = p->keys[i].key.kind;
                cells[TRUST_COLUMN_FILE] = p->keys[i].path;
                r = trust_add_row(t, cells, e);
        }
        for (size_t i = 0; r >= 0 && p->openpgp && i < p->openpgp->n_keys; i++) {
                const TrustedKey *k = p->openpgp->keys + i;

                cells[TRUST_COLUMN_FINGERPRINT] = k->key.fingerprint;
                cells[TRUST_COLUMN_IDENTITY] = k->key.identities ? k->key.identities[0] : "-";
                cells[TRUST_COLUMN_FILE] = k->path;
                r = trust_add_row(t, cells, e);
        }
        return r;
}

/* What counts for a name of a registry's image: one policy, or none. */
static int add_chosen(Table *t, const OciTrust *all, const char *asked, Error *e) {
        _cleanup_(oci_name_freep) OciName *name = NULL;
        _cleanup_free_ char *prefix = NULL, *text = NULL;
        const OciTrustPolicy *p;

        if (oci_trust_prefix_normalize(asked, &prefix, NULL) < 0) /* a name of ACIs */
                return 0;
        text = strf("docker://%s%s", prefix, strchr(prefix, '/') ? "" : "/x");
        if (!text)
                return error_oom(e);
        if (is_every(prefix) || oci_name_parse(text, &name, NULL) < 0)
                return 0;
        p = oci_trust_policy(all, name);
        return p ? add_policy(t, p, e) : 0;
}

/**
 * trust_oci_list() - the part of rkt trust --list that is about registries
 * @v: where to read
 * @a: --prefix, --root, or neither
 * @t: rows are added
 * @e: sentence on failure
 *
 * Return: 0, -ENOMEM, and what oci_trust_load() returns.
 */
int trust_oci_list(const VerbContext *v, const TrustArgs *a, Table *t, Error *e) {
        _cleanup_(oci_trust_freep) OciTrust *all = NULL;
        int r;

        r = oci_trust_load(v->system_config, v->local_config, v->user_config, &all, e);
        if (r < 0)
                return r;
        if (a->prefix)
                return add_chosen(t, all, a->prefix, e);
        FOREACH_ARRAY (p, all->policies, all->n_policies) {
                if (a->root && !is_every(p->prefix))
                        continue;
                r = add_policy(t, p, e);
                if (r < 0)
                        return r;
        }
        return 0;
}
