/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* trustedkeys/: reading both directories, and adding to the local one. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/hex.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "image/discovery.h"
#include "image/image-name.h"
#include "image/keyring.h"

#define DEPTH_MAX 32U

/**
 * keyring_free() - free a keyring
 * @k: may be NULL
 *
 * Return: NULL.
 */
Keyring *keyring_free(Keyring *k) {
        if (!k)
                return NULL;
        FOREACH_ARRAY (i, k->keys, k->n_keys) {
                free(i->prefix);
                free(i->path);
                pgp_key_done(&i->key);
        }
        free(k->keys);
        (void) strv_free(k->warnings);
        free(k);
        return NULL;
}

/* What is being walked: the files seen so far hide those of the same name that come later. */
typedef struct Walk {
        Keyring *k;
        const char *config;
        char **seen;
} Walk;

static int read_key(int dir_fd, const char *name, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        return fd_read_to_end(fd, PGP_KEY_FILE_MAX, ret, ret_size);
}

static int add_key(Walk *w, int dir_fd, const char *name, const char *prefix, Error *e) {
        _cleanup_(pgp_key_done) PgpKey key = PGP_KEY_INIT;
        _cleanup_free_ char *text = NULL, *where = NULL, *copy = NULL, *path = NULL;
        _cleanup_error_ Error sub = ERROR_INIT;
        size_t size = 0;
        int r;

        where = strf("trustedkeys/%s%s/%s", prefix ? "prefix.d/" : "root.d", str_or(prefix, ""), name);
        copy = prefix ? strdup(prefix) : NULL;
        path = where ? path_join(w->config, where) : NULL;
        if (!path || (prefix && !copy))
                return error_oom(e);
        if (strv_contains(w->seen, where))
                return 0;
        if (strv_extend(&w->seen, where) < 0)
                return error_oom(e);
        r = read_key(dir_fd, name, &text, &size);
        if (r >= 0 && size == 0)
                return 0;
        if (r >= 0)
                r = pgp_key_parse(text, size, &key, &sub);
        if (r >= 0 && !streq(key.fingerprint, name))
                r = error_setf(&sub, -EINVAL, "the key in it has the fingerprint %s", key.fingerprint);
        if (r < 0)
                return strv_extendf(&w->k->warnings, "trusted key '%s' is ignored: %s", path,
                                    error_text(&sub, r)) < 0
                               ? error_oom(e)
                               : 0;
        if (w->k->n_keys >= KEYRING_KEYS_MAX)
                return error_setf(e, -E2BIG, "more than %u trusted keys", KEYRING_KEYS_MAX);
        if (!GREEDY_GROW(w->k->keys, w->k->n_keys))
                return error_oom(e);
        w->k->keys[w->k->n_keys++] = (TrustedKey){ TAKE_PTR(copy), TAKE_PTR(path), key };
        key = PGP_KEY_INIT;
        return 0;
}

static bool is_fingerprint(const char *s) {
        return strlen(s) == PGP_FINGERPRINT_HEX && strspn(s, "0123456789abcdef") == PGP_FINGERPRINT_HEX;
}

/* NOLINTNEXTLINE(misc-no-recursion) bounded by DEPTH_MAX */
static int walk(Walk *w, int parent_fd, const char *name, const char *prefix, unsigned depth, Error *e) {
        _cleanup_close_ int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_strv_free_ char **names = NULL;
        int r;

        if (fd < 0)
                return errno == ENOENT || errno == ENOTDIR
                               ? 0
                               : error_setf(e, -errno, "cannot read the trusted keys in '%s': %m", w->config);
        if (depth > DEPTH_MAX)
                return error_setf(e, -ELOOP, "the trusted keys in '%s' are nested too deeply", w->config);
        r = dir_list_at(fd, ".", &names);
        if (r < 0)
                return error_setf(e, r, "cannot read the trusted keys in '%s': %s", w->config, strerror(-r));
        STRV_FOREACH (n, names) {
                _cleanup_free_ char *below = NULL;

                if (**n == '.')
                        continue;
                if (is_fingerprint(*n) && (depth > 0 || !prefix)) {
                        r = add_key(w, fd, *n, prefix, e);
                        if (r < 0)
                                return r;
                        continue;
                }
                if (!prefix)
                        continue;
                below = depth == 0 ? strdup(*n) : strf("%s/%s", prefix, *n);
                if (!below)
                        return error_oom(e);
                r = walk(w, fd, *n, below, depth + 1, e);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int load_config(Walk *w, const char *config, Error *e) {
        _cleanup_close_ int fd = open(config, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r;

        if (fd < 0)
                return errno == ENOENT ? 0 : error_setf(e, -errno, "cannot open '%s': %m", config);
        w->config = config;
        r = walk(w, fd, "trustedkeys/root.d", NULL, 0, e);
        if (r < 0)
                return r;
        return walk(w, fd, "trustedkeys/prefix.d", "", 0, e);
}

/**
 * keyring_load() - read every trusted key
 * @system_config: directory; need not exist
 * @local_config:  directory; need not exist. Its files hide those of the same name in @system_config
 * @ret:           for keyring_free()
 * @e:             sentence on failure; may be NULL
 *
 * A file that is no key, or another key than its name says, is passed over with a warning: it takes trust away, never
 * gives any.
 *
 * Return: 0, -E2BIG, -ELOOP, -ENOMEM, errno of open() and read() of directories.
 */
int keyring_load(const char *system_config, const char *local_config, Keyring **ret, Error *e) {
        _cleanup_(keyring_freep) Keyring *k = new0(Keyring, 1);
        Walk w = { .k = k };
        int r;

        if (!k)
                return error_oom(e);
        r = load_config(&w, local_config, e);
        if (r >= 0)
                r = load_config(&w, system_config, e);
        (void) strv_free(w.seen);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(k);
        return 0;
}

/**
 * keyring_find() - may this key sign images of this name
 * @k:           a keyring
 * @fingerprint: of the primary key, lower case
 * @name:        of the image; NULL: of any name
 *
 * Return: what makes it trusted; NULL: nothing does.
 */
const TrustedKey *keyring_find(const Keyring *k, const char *fingerprint, const char *name) {
        FOREACH_ARRAY (i, k->keys, k->n_keys)
                if (streq(i->key.fingerprint, fingerprint) &&
                    (!name || !i->prefix || name_has_prefix(name, i->prefix)))
                        return i;
        return NULL;
}

/**
 * keyring_to_binary() - all keys, one after the other, as gpgv reads them
 * @k:        a keyring
 * @ret:      for free(); a key that is trusted for several names stands there once
 * @ret_size: bytes; 0 when there is no key
 *
 * Return: 0, -ENOMEM.
 */
int keyring_to_binary(const Keyring *k, char **ret, size_t *ret_size) {
        _cleanup_free_ char *data = NULL;
        size_t size = 0, used = 0;

        FOREACH_ARRAY (i, k->keys, k->n_keys)
                size += i->key.size;
        data = malloc(size + 1);
        if (!data)
                return -ENOMEM;
        for (size_t i = 0; i < k->n_keys; i++) {
                const PgpKey *key = &k->keys[i].key;
                bool again = false;

                for (size_t j = 0; j < i; j++)
                        again = again || streq(k->keys[j].key.fingerprint, key->fingerprint);
                if (again)
                        continue;
                memcpy(data + used, key->data, key->size);
                used += key->size;
        }
        *ret = TAKE_PTR(data);
        *ret_size = used;
        return 0;
}

static int key_path(const char *config, const char *prefix, const char *fingerprint, char **ret, Error *e) {
        if (prefix && image_identifier_check(prefix) < 0)
                return error_setf(e, -EINVAL, "'%s' cannot be the name of an image", prefix);
        *ret = strf("%s/trustedkeys/%s%s/%s", config, prefix ? "prefix.d/" : "root.d", str_or(prefix, ""),
                    fingerprint);
        return *ret ? 0 : error_oom(e);
}

/* What root makes in there is for group rkt-admin, too: the group is the parent's (tmpfiles.d), and it may write. */
static int make_folder(const char *folder) {
        mode_t before = umask(0002);
        int r = mkdir_parents_at(AT_FDCWD, folder, 0775);

        (void) umask(before);
        return r;
}

static int write_key(const char *path, const char *text, Error *e) {
        _cleanup_free_ char *folder = strndup(path, (size_t) (strrchr(path, '/') - path));
        int r;

        if (!folder)
                return error_oom(e);
        r = make_folder(folder);
        if (r >= 0)
                r = file_write_at(AT_FDCWD, path, text, strlen(text), 0644, 0);
        return r < 0 ? error_setf(e, r, "cannot write '%s': %s", path, strerror(-r)) : 0;
}

/**
 * keyring_add() - trust a key
 * @local_config: directory; made when missing
 * @prefix:       for images at or beneath it; NULL for every image
 * @key:          what to trust
 * @ret_path:     the file that was written, for free()
 * @e:            sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL (@prefix is not a name), -ENOMEM, errno of mkdir(), open() and write().
 */
int keyring_add(const char *local_config, const char *prefix, const PgpKey *key, char **ret_path, Error *e) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        int r;

        r = key_path(local_config, prefix, key->fingerprint, &path, e);
        if (r < 0)
                return r;
        if (pgp_key_armor(key, &text) < 0)
                return error_oom(e);
        r = write_key(path, text, e);
        if (r < 0)
                return r;
        *ret_path = TAKE_PTR(path);
        return 0;
}

/**
 * keyring_remove() - trust a key no longer
 * @system_config: directory; a key from there is hidden by an empty file in @local_config
 * @local_config:  directory
 * @prefix:        for which it is trusted; NULL for every image
 * @fingerprint:   of the key, 40 digits, lower case
 * @ret_path:      the file that was removed, or that hides the key, for free()
 * @e:             sentence on failure; may be NULL
 *
 * Return: 0 (removed), 1 (hidden), -EINVAL (@prefix is not a name, no fingerprint), -ENOENT (it is not trusted for that),
 * -ENOMEM, errno of unlink(), mkdir(), open() and write().
 */
int keyring_remove(const char *system_config, const char *local_config, const char *prefix,
                   const char *fingerprint, char **ret_path, Error *e) {
        _cleanup_free_ char *local = NULL, *system = NULL;
        struct stat st;
        bool hide;
        int r;

        if (!is_fingerprint(fingerprint))
                return error_setf(e, -EINVAL, "'%s' is not the fingerprint of a key (%u hex digits)",
                                  fingerprint, PGP_FINGERPRINT_HEX);
        r = key_path(local_config, prefix, fingerprint, &local, e);
        if (r >= 0)
                r = key_path(system_config, prefix, fingerprint, &system, e);
        if (r < 0)
                return r;
        hide = stat(system, &st) >= 0 && st.st_size > 0;
        if (stat(local, &st) < 0 ? !hide : st.st_size == 0)
                return error_setf(e, -ENOENT, "key %s is not trusted for %s%s", fingerprint,
                                  prefix ? "prefix " : "every image", str_or(prefix, ""));
        if (hide)
                r = write_key(local, "", e);
        else if (unlink(local) < 0)
                r = error_setf(e, -errno, "cannot remove '%s': %m", local);
        if (r < 0)
                return r;
        *ret_path = TAKE_PTR(local);
        return hide;
}
