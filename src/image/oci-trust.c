/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* trust.d as a whole: finds the files and the keys, joins what is said for one prefix, looks prefixes up. Who may write these
 * files decides which images run, so they must be root's, or of whoever runs this. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "image/discovery.h"
#include "image/oci-trust-file.h"
#include "image/oci-trust.h"

#define FOLDER "trust.d"

static void policy_done(OciTrustPolicy *p) {
        free(p->prefix);
        (void) strv_free(p->where);
        FOREACH_ARRAY (k, p->keys, p->n_keys) {
                free(k->path);
                cosign_key_done(&k->key);
        }
        free(p->keys);
        (void) keyring_free(p->openpgp);
        (void) strv_free(p->lookaside);
        free(p->signed_as);
}

/**
 * oci_trust_free() - free policies
 * @t: may be NULL
 *
 * Return: NULL.
 */
OciTrust *oci_trust_free(OciTrust *t) {
        if (!t)
                return NULL;
        FOREACH_ARRAY (p, t->policies, t->n_policies)
                policy_done(p);
        free(t->policies);
        free(t);
        return NULL;
}

static int check_owner(const char *path, const struct stat *st, Error *e) {
        if (st->st_uid != 0 && st->st_uid != geteuid())
                return error_setf(e, -EPERM,
                                  "'%s' belongs to user %u, but decides what is trusted; chown it to root",
                                  path, (unsigned) st->st_uid);
        if (st->st_mode & (S_IWGRP | S_IWOTH))
                return error_setf(
                        e, -EPERM,
                        "'%s' can be written by others, but decides what is trusted; take that away "
                        "(chmod go-w)",
                        path);
        return 0;
}

/* A regular file of somebody who may decide. A device is an empty file: files are masked by links to /dev/null. */
static int read_owned(int dir_fd, const char *name, const char *path, size_t size_max, char **ret,
                      size_t *ret_size, Error *e) {
        _cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        struct stat st;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0)
                return error_setf(e, -errno, "cannot open '%s': %m", path);
        if (S_ISCHR(st.st_mode)) {
                *ret = strdup("");
                *ret_size = 0;
                return *ret ? 0 : error_oom(e);
        }
        if (!S_ISREG(st.st_mode))
                return error_setf(e, -EINVAL, "'%s' is not a regular file", path);
        r = check_owner(path, &st, e);
        if (r < 0)
                return r;
        r = fd_read_to_end(fd, size_max, ret, ret_size);
        if (r == -E2BIG)
                return error_setf(e, r, "'%s' is larger than %zu bytes", path, size_max);
        return r < 0 ? error_setf(e, r, "cannot read '%s': %s", path, strerror(-r)) : 0;
}

/* ---- keys ---- */

static int key_path(const char *config, const char *name, char **ret, Error *e) {
        *ret = path_is_absolute(name) ? strdup(name) : strf("%s/trustedkeys/%s", config, name);
        return *ret ? 0 : error_oom(e);
}

static bool has_key(const OciTrustPolicy *p, const char *fingerprint) {
        FOREACH_ARRAY (k, p->keys, p->n_keys)
                if (streq(k->key.fingerprint, fingerprint))
                        return true;
        return false;
}

static int add_cosign_key(OciTrustPolicy *p, const char *config, const char *name, Error *e) {
        _cleanup_(cosign_key_done) CosignKey key = COSIGN_KEY_INIT;
        _cleanup_free_ char *path = NULL, *text = NULL;
        size_t size = 0;
        int r;

        r = key_path(config, name, &path, e);
        if (r >= 0)
                r = read_owned(AT_FDCWD, path, path, COSIGN_KEY_FILE_MAX, &text, &size, e);
        if (r < 0)
                return r;
        r = cosign_key_parse(text, size, &key, e);
        if (r < 0)
                return error_prefixf(e, r, "key '%s'", path);
        if (has_key(p, key.fingerprint))
                return 0;
        if (p->n_keys >= OCI_TRUST_KEYS_MAX)
                return error_setf(e, -E2BIG, "more than %u keys for '%s'", OCI_TRUST_KEYS_MAX, p->prefix);
        if (!GREEDY_GROW(p->keys, p->n_keys))
                return error_oom(e);
        p->keys[p->n_keys++] = (OciTrustKey){ TAKE_PTR(path), key };
        key = COSIGN_KEY_INIT;
        return 0;
}

static int take_pgp_key(OciTrustPolicy *p, const char *path, PgpKey *key, Error *e) {
        _cleanup_free_ char *copy = NULL;

        if (keyring_find(p->openpgp, key->fingerprint, NULL))
                return 0;
        if (p->openpgp->n_keys >= OCI_TRUST_KEYS_MAX)
                return error_setf(e, -E2BIG, "more than %u keys for '%s'", OCI_TRUST_KEYS_MAX, p->prefix);
        copy = strdup(path);
        if (!copy || !GREEDY_GROW(p->openpgp->keys, p->openpgp->n_keys))
                return error_oom(e);
        p->openpgp->keys[p->openpgp->n_keys++] = (TrustedKey){ .path = TAKE_PTR(copy), .key = *key };
        *key = PGP_KEY_INIT;
        return 0;
}

static int add_openpgp_keys(OciTrustPolicy *p, const char *config, const char *name, Error *e) {
        _cleanup_(pgp_keys_done) PgpKeys keys = {};
        _cleanup_free_ char *path = NULL, *text = NULL;
        size_t size = 0;
        int r;

        r = key_path(config, name, &path, e);
        if (r >= 0)
                r = read_owned(AT_FDCWD, path, path, PGP_KEY_FILE_MAX, &text, &size, e);
        if (r < 0)
                return r;
        r = pgp_keys_parse(text, size, &keys, e);
        if (r < 0)
                return error_prefixf(e, r, "key '%s'", path);
        if (!p->openpgp)
                p->openpgp = new0(Keyring, 1);
        if (!p->openpgp)
                return error_oom(e);
        FOREACH_ARRAY (k, keys.keys, keys.n_keys) {
                r = take_pgp_key(p, path, k, e);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- sections become policies ---- */

static int get_policy(OciTrust *t, const char *prefix, OciTrustPolicy **ret, Error *e) {
        OciTrustPolicy *p = NULL;

        FOREACH_ARRAY (i, t->policies, t->n_policies)
                if (streq(i->prefix, prefix))
                        p = i;
        if (!p) {
                if (!GREEDY_GROW(t->policies, t->n_policies))
                        return error_oom(e);
                p = t->policies + t->n_policies++;
                *p = (OciTrustPolicy){ .prefix = strdup(prefix), .identity = _COSIGN_IDENTITY_INVALID };
                if (!p->prefix)
                        return error_oom(e);
        }
        *ret = p;
        return 0;
}

/* Two sections may add to each other, not contradict each other. What one does not say, the other may. */
static int check_agreement(const OciTrustPolicy *p, const OciTrustSection *s, Error *e) {
        const char *what = NULL;

        if (!p->where)
                return 0;
        if (p->insecure != s->insecure || p->reject != s->reject)
                what = "keys, Insecure= and Reject=";
        else if ((int) p->identity >= 0 && (int) s->identity >= 0 && p->identity != s->identity)
                what = "Identity=";
        else if (p->signed_as && s->signed_as && !streq(p->signed_as, s->signed_as))
                what = "SignedAs=";
        if (what)
                return error_setf(e, -EINVAL, "%s and %s say different things for '%s': %s", p->where[0],
                                  s->where, p->prefix, what);
        return 0;
}

static int join(OciTrust *t, const char *config, const OciTrustSection *s, const char *prefix, Error *e) {
        OciTrustPolicy *p = NULL;
        int r;

        r = get_policy(t, prefix, &p, e);
        if (r < 0)
                return r;
        assert(p);
        r = check_agreement(p, s, e);
        if (r < 0)
                return r;
        p->insecure = s->insecure;
        p->reject = s->reject;
        if ((int) s->identity >= 0)
                p->identity = s->identity;
        if (strv_extend(&p->where, s->where) < 0 ||
            (s->signed_as && str_replace(&p->signed_as, s->signed_as) < 0))
                return error_oom(e);
        STRV_FOREACH (k, s->cosign_keys) {
                r = add_cosign_key(p, config, *k, e);
                if (r < 0)
                        return error_prefixf(e, r, "%s", s->where);
        }
        STRV_FOREACH (k, s->openpgp_keys) {
                r = add_openpgp_keys(p, config, *k, e);
                if (r < 0)
                        return error_prefixf(e, r, "%s", s->where);
        }
        STRV_FOREACH (l, s->lookaside)
                if (!strv_contains(p->lookaside, *l) && strv_extend(&p->lookaside, *l) < 0)
                        return error_oom(e);
        return 0;
}

static int load_file(OciTrust *t, const char *config, int dir_fd, const char *name, Error *e) {
        _cleanup_(oci_trust_sections_done) OciTrustSections sections = {};
        _cleanup_free_ char *path = strf("%s/" FOLDER "/%s", config, name), *text = NULL;
        size_t size = 0;
        int r;

        if (!path)
                return error_oom(e);
        r = read_owned(dir_fd, name, path, OCI_TRUST_FILE_MAX, &text, &size, e);
        if (r >= 0)
                r = oci_trust_file_parse(text, size, path, &sections, e);
        if (r < 0)
                return r;
        FOREACH_ARRAY (s, sections.sections, sections.n_sections)
                STRV_FOREACH (prefix, s->prefixes) {
                        r = join(t, config, s, *prefix, e);
                        if (r < 0)
                                return r;
                }
        return 0;
}

static int open_folder(const char *config, int *ret_fd, Error *e) {
        _cleanup_free_ char *path = strf("%s/" FOLDER, config);
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        int r;

        if (!path)
                return error_oom(e);
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? 0 : error_setf(e, -errno, "cannot open '%s': %m", path);
        if (fstat(fd, &st) < 0)
                return error_setf(e, -errno, "cannot look at '%s': %m", path);
        r = check_owner(path, &st, e);
        if (r < 0)
                return r;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* @seen: names of files of later directories, which hide those of this one. */
static int load_config(OciTrust *t, const char *config, char ***seen, Error *e) {
        _cleanup_strv_free_ char **names = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (!config || !*config)
                return 0;
        r = open_folder(config, &fd, e);
        if (r < 0 || fd < 0)
                return r;
        r = dir_list_at(fd, ".", &names);
        if (r < 0)
                return error_setf(e, r, "cannot read '%s/" FOLDER "': %s", config, strerror(-r));
        STRV_FOREACH (n, names) {
                if (**n == '.' || !endswith(*n, ".conf") || strv_contains(*seen, *n))
                        continue;
                if (strv_length(*seen) >= OCI_TRUST_FILES_MAX)
                        return error_setf(e, -E2BIG, "more than %u files in " FOLDER, OCI_TRUST_FILES_MAX);
                if (strv_extend(seen, *n) < 0)
                        return error_oom(e);
                r = load_file(t, config, fd, *n, e);
                if (r < 0)
                        return r;
        }
        return 0;
}

/**
 * oci_trust_load() - read every file of trust.d, and the keys that they name
 * @system_config: directory that has trust.d and trustedkeys; NULL and "": none; need not exist
 * @local_config:  the same; its files hide those of the same name in @system_config
 * @user_config:   the same; hides both
 * @ret:           for oci_trust_free()
 * @e:             sentence on failure that names the file; may be NULL
 *
 * One file that is not understood, or a key that is not there, refuses everything: what it demanded is not known.
 *
 * Return: 0, -EPERM (somebody else can change a file), -EINVAL, -ENODATA, -ENOENT (key), -EBADMSG, -EKEYREJECTED, -E2BIG,
 * -ENOMEM, errno of open() and read().
 */
int oci_trust_load(const char *system_config, const char *local_config, const char *user_config,
                   OciTrust **ret, Error *e) {
        const char *const configs[] = { user_config, local_config, system_config };
        _cleanup_(oci_trust_freep) OciTrust *t = new0(OciTrust, 1);
        _cleanup_strv_free_ char **seen = NULL;

        if (!t)
                return error_oom(e);
        FOREACH_ARRAY (c, configs, ELEMENTSOF(configs)) {
                int r = load_config(t, *c, &seen, e);

                if (r < 0)
                        return r;
        }
        FOREACH_ARRAY (p, t->policies, t->n_policies)
                if ((int) p->identity < 0)
                        p->identity = COSIGN_IDENTITY_MATCH;
        *ret = TAKE_PTR(t);
        return 0;
}

static bool covers(const char *prefix, const OciName *name) {
        size_t n = strlen(name->host);

        if (streq(prefix, OCI_TRUST_EVERY))
                return true;
        if (strncmp(prefix, name->host, n) != 0)
                return false;
        return !prefix[n] || (prefix[n] == '/' && name_has_prefix(name->repository, prefix + n + 1));
}

/* OCI_TRUST_EVERY is shorter than any other. */
static size_t prefix_length(const OciTrustPolicy *p) {
        return p && !streq(p->prefix, OCI_TRUST_EVERY) ? strlen(p->prefix) : 0;
}

/**
 * oci_trust_policy() - what is said about an image
 * @t:    policies
 * @name: of any transport; only images of registries have policies
 *
 * Return: the one with the longest prefix, which lives as long as @t; NULL: nothing is said.
 */
const OciTrustPolicy *oci_trust_policy(const OciTrust *t, const OciName *name) {
        const OciTrustPolicy *best = NULL;

        if (name->transport != OCI_TRANSPORT_REGISTRY)
                return NULL;
        FOREACH_ARRAY (p, t->policies, t->n_policies)
                if (covers(p->prefix, name) && (!best || prefix_length(p) > prefix_length(best)))
                        best = p;
        return best;
}

/**
 * oci_trust_find_prefix() - what is said for exactly this prefix
 * @t:      policies
 * @prefix: normalized
 *
 * Return: a policy that lives as long as @t; NULL: nothing is said.
 */
const OciTrustPolicy *oci_trust_find_prefix(const OciTrust *t, const char *prefix) {
        FOREACH_ARRAY (p, t->policies, t->n_policies)
                if (streq(p->prefix, prefix))
                        return p;
        return NULL;
}

/**
 * oci_trust_wants_cosign() - shall the registry be asked for signatures
 * @p: policy; may be NULL
 *
 * Return: whether. Signatures by OpenPGP keys are at the lookaside URLs, not in the registry.
 */
bool oci_trust_wants_cosign(const OciTrustPolicy *p) {
        return p && p->n_keys > 0;
}

/**
 * oci_trust_demand() - may this image be taken, and on what condition
 * @p:              its policy; NULL: there is none
 * @name:           of any transport
 * @insecure_image: --insecure-options=image, or InsecureOptions=image
 * @ret:            what must be done
 * @e:              says what to do; may be NULL
 *
 * Return: 0, -EPERM (never), -ENOKEY (nobody said how to verify it).
 */
int oci_trust_demand(const OciTrustPolicy *p, const OciName *name, bool insecure_image, OciTrustDemand *ret,
                     Error *e) {
        *ret = OCI_TRUST_NOTHING;
        if (p && p->reject)
                return error_setf(e, -EPERM, "images of '%s' are rejected by %s (Reject=yes)", p->prefix,
                                  p->where[0]);
        if (insecure_image || (p && p->insecure))
                return 0;
        if (p) {
                *ret = OCI_TRUST_VERIFY;
                return 0;
        }
        if (name->transport != OCI_TRANSPORT_REGISTRY)
                return error_setf(e, -ENOKEY,
                                  "signature verification for docker images is not supported (try "
                                  "--insecure-options=image): '%.300s' is a local file, which nobody signs",
                                  name->original);
        return error_setf(e, -ENOKEY,
                          "signature verification for docker images is not supported (try "
                          "--insecure-options=image), unless a key is trusted for them: rkt trust "
                          "--cosign-key=FILE --prefix=docker://%s/%s, or trust.d as in rkt-config(5)",
                          name->host, name->repository);
}

static bool is_trusted_now(const OciTrustPolicy *p, const char *fingerprint) {
        if (has_key(p, fingerprint))
                return true;
        if (!p->openpgp)
                return false;
        FOREACH_ARRAY (k, p->openpgp->keys, p->openpgp->n_keys)
                if (strcasecmp(k->key.fingerprint, fingerprint) == 0)
                        return true;
        return false;
}

/**
 * oci_trust_still_vouches() - is an image that the store has good enough for this policy
 * @p:     policy of @name that demands OCI_TRUST_VERIFY
 * @name:  by which it is asked for
 * @image: from the store; was verified when it was fetched, or not
 * @e:     says why not; may be NULL
 *
 * What it was verified as must be what it is asked for as: the same image may be in several repositories, and be signed for
 * one of them only.
 *
 * Return: 0, -EKEYREJECTED (it came in unverified, by another name, or its keys are not trusted any more), -ENOMEM.
 */
int oci_trust_still_vouches(const OciTrustPolicy *p, const OciName *name, const StoreImage *image, Error *e) {
        _cleanup_free_ char *asked = NULL;

        if (oci_name_to_string(name, &asked) < 0)
                return error_oom(e);
        if (!image->signed_by)
                return error_setf(e, -EKEYREJECTED,
                                  "'%.300s' was fetched without verification, which %s demands now", asked,
                                  p->where[0]);
        if (!streq_ptr(image->reference, asked))
                return error_setf(e, -EKEYREJECTED, "'%.300s' was verified as '%.300s'", asked,
                                  str_or(image->reference, "?"));
        STRV_FOREACH (s, image->signed_by)
                if (is_trusted_now(p, *s))
                        return 0;
        return error_setf(e, -EKEYREJECTED, "'%.300s' was signed by %s, which %s does not trust (any more)",
                          asked, image->signed_by[0], p->where[0]);
}
