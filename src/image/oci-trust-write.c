/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Adding to trust.d and taking away. The key comes first, then the file that names it, so that whatever happens in between,
 * no file names a key that is not there. Files that somebody wrote by hand are not touched. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/digest.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/tmpfile.h"
#include "image/oci-trust-write.h"

#define NAME_DIGITS 16U /* of the hash that makes a file name unique */
#define NAME_MAX_   64U /* characters of the prefix in it */
#define INSECURE    "insecure"

static int hash_of(const char *prefix, const char *what, char ret[DIGEST_HEX_MAX]) {
        _cleanup_(digest_freep) Digest *d = NULL;
        int r;

        r = digest_new(DIGEST_SHA256, &d);
        if (r >= 0)
                r = digest_update(d, prefix, strlen(prefix) + 1);
        if (r >= 0)
                r = digest_update(d, what, strlen(what));
        return r < 0 ? r : digest_final_hex(d, ret);
}

/* "trust.d/quay.io-coreos-0123456789abcdef.conf": readable, and another for every prefix and key. */
static int file_name(const char *prefix, const char *what, char **ret, Error *e) {
        _cleanup_free_ char *readable = strndup(streq(prefix, OCI_TRUST_EVERY) ? "every" : prefix, NAME_MAX_);
        char hex[DIGEST_HEX_MAX];
        int r;

        if (!readable)
                return error_oom(e);
        for (char *c = readable; *c; c++)
                if (strchr("/:[]", *c))
                        *c = '-';
        r = hash_of(prefix, what, hex);
        if (r < 0)
                return error_setf(e, r, "cannot make the name of a file: %s", strerror(-r));
        *ret = strf("trust.d/%s%s-%.*s.conf", strchr("-.", *readable) ? "x" : "", readable, (int) NAME_DIGITS,
                    hex);
        return *ret ? 0 : error_oom(e);
}

static int write_text(const char *config, const char *name, const char *text, char **ret_path, Error *e) {
        _cleanup_free_ char *path = strf("%s/%s", config, name), *folder = path ? strdup(path) : NULL;
        int r;

        if (!folder)
                return error_oom(e);
        *strrchr(folder, '/') = '\0';
        r = mkdir_parents_at(AT_FDCWD, folder, 0755);
        if (r >= 0)
                r = file_write_at(AT_FDCWD, path, text, strlen(text), 0644, 0);
        if (r < 0)
                return error_setf(e, r, "cannot write '%s': %s", path, strerror(-r));
        if (ret_path)
                *ret_path = TAKE_PTR(path);
        return 0;
}

static const char *digits_of(const char *fingerprint) {
        const char *digits = startswith(fingerprint, "SHA256:");

        return digits ? digits : fingerprint;
}

static int key_name(const char *fingerprint, char **ret) {
        *ret = strf("cosign.d/%s.pem", digits_of(fingerprint));
        return *ret ? 0 : -ENOMEM;
}

/* A prefix has keys, or none, or is rejected: what does not go together would refuse everything. */
static int check_together(const OciTrustEntry *t, Error *e) {
        _cleanup_(oci_trust_freep) OciTrust *all = NULL;
        const OciTrustPolicy *p;
        int r;

        r = oci_trust_load(t->system_config, t->local_config, NULL, &all, e);
        if (r < 0)
                return error_prefixf(e, r, "nothing was changed");
        p = oci_trust_find_prefix(all, t->prefix);
        if (!p)
                return 0;
        if (p->reject || p->insecure != !t->key)
                return error_setf(e, -EEXIST, "'%s' is %s by %s; remove that first", t->prefix,
                                  p->reject     ? "rejected"
                                  : p->insecure ? "taken without verification"
                                                : "verified",
                                  p->where[0]);
        return 0;
}

/**
 * oci_trust_add() - trust a key for images of registries, or take them without one
 * @t:        what and where
 * @ret_path: the file that was written, for free()
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0, -EEXIST (the prefix has another kind of policy), -ENOMEM, what oci_trust_load() returns, errno of mkdir(), open()
 * and write().
 */
int oci_trust_add(const OciTrustEntry *t, char **ret_path, Error *e) {
        _cleanup_free_ char *name = NULL, *key = NULL, *key_file = NULL, *pem = NULL, *text = NULL;
        const bool every = streq(t->prefix, OCI_TRUST_EVERY);
        int r;

        r = check_together(t, e);
        if (r >= 0)
                r = file_name(t->prefix, t->key ? t->key->fingerprint : INSECURE, &name, e);
        if (r < 0)
                return r;
        if (t->key) {
                if (key_name(t->key->fingerprint, &key) < 0 || cosign_key_to_pem(t->key, &pem) < 0)
                        return error_oom(e);
                key_file = strf("trustedkeys/%s", key);
                r = key_file ? write_text(t->local_config, key_file, pem, NULL, e) : error_oom(e);
                if (r < 0)
                        return r;
        }
        text = strf("# Written by rkt trust, which removes it too.\n[Trust]\nPrefix=%s%s\n%s%s\n",
                    every ? "" : "docker://", t->prefix, key ? "CosignKey=" : "Insecure=yes",
                    str_or(key, ""));
        return text ? write_text(t->local_config, name, text, ret_path, e) : error_oom(e);
}

static bool is_used(const OciTrust *all, const char *path) {
        FOREACH_ARRAY (p, all->policies, all->n_policies)
                FOREACH_ARRAY (k, p->keys, p->n_keys)
                        if (streq(k->path, path))
                                return true;
        return false;
}

/* A key that no file names any more. Whether it is one cannot be told while a file is broken: then it stays. */
static void remove_key(const OciTrustEntry *t, const char *fingerprint) {
        _cleanup_free_ char *key = NULL, *path = NULL;
        _cleanup_(oci_trust_freep) OciTrust *all = NULL;

        if (key_name(fingerprint, &key) < 0)
                return;
        path = strf("%s/trustedkeys/%s", t->local_config, key);
        if (path && oci_trust_load(t->system_config, t->local_config, NULL, &all, NULL) >= 0 &&
            !is_used(all, path))
                (void) unlink(path);
}

/* Who else says so, when no file of ours does. */
static int not_ours(const OciTrustEntry *t, const char *what, Error *e) {
        _cleanup_(oci_trust_freep) OciTrust *all = NULL;
        const OciTrustPolicy *p = NULL;

        if (oci_trust_load(t->system_config, t->local_config, NULL, &all, NULL) >= 0)
                p = oci_trust_find_prefix(all, t->prefix);
        if (p)
                return error_setf(e, -ENOENT,
                                  "rkt trust has written nothing about '%s' and %s; what counts is in %s",
                                  t->prefix, what, p->where[0]);
        return error_setf(e, -ENOENT, "nothing is said about '%s' in trust.d", t->prefix);
}

/**
 * oci_trust_remove() - take back what oci_trust_add() did
 * @t:           key does not count
 * @fingerprint: "SHA256:..." of a key; NULL: the prefix was taken without verification
 * @ret_path:    the file that was removed, or that hides one of the system; for free()
 * @e:           sentence on failure; may be NULL
 *
 * Return: 0 (removed), 1 (hidden), -ENOENT (there is no such file), -ENOMEM, errno of unlink(), mkdir(), open() and write().
 */
int oci_trust_remove(const OciTrustEntry *t, const char *fingerprint, char **ret_path, Error *e) {
        const char *what = fingerprint ? fingerprint : INSECURE;
        _cleanup_free_ char *name = NULL, *local = NULL, *system = NULL, *folder = NULL;
        struct stat st;
        bool hide;
        int r;

        r = file_name(t->prefix, what, &name, e);
        if (r < 0)
                return r;
        local = strf("%s/%s", t->local_config, name);
        system = strf("%s/%s", t->system_config, name);
        folder = strf("%s/trust.d", t->local_config);
        if (!local || !system || !folder)
                return error_oom(e);
        hide = stat(system, &st) >= 0 && st.st_size > 0;
        if (stat(local, &st) < 0 ? !hide : st.st_size == 0)
                return not_ours(t, what, e);
        if (hide) {
                r = write_text(t->local_config, name, "", NULL, e);
                if (r < 0)
                        return r;
        } else if (unlink(local) < 0)
                return error_setf(e, -errno, "cannot remove '%s': %m", local);
        else if (fsync_dir_at(AT_FDCWD, folder) < 0)
                return error_setf(e, -EIO, "cannot sync '%s'", folder);
        if (fingerprint)
                remove_key(t, fingerprint);
        *ret_path = TAKE_PTR(local);
        return hide;
}
