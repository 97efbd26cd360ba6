/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening the store, its locks, keys, and the rubbish of processes that died.
 *
 * How a commit survives whatever happens: an import makes a directory in cas/tmp and keeps it locked. When it commits, it
 * writes a file "intent" there, which says what it is about to make visible, then links blob and manifest, renames the
 * tree, and last writes the file in cas/ref/image that makes the image exist. If it dies on the way, the next one that
 * opens the store finds a directory that nobody locks; if the image does not exist, what "intent" names is removed.
 * Removing an image goes the same way back: "intent", the image's file, then the rest.
 */
#include "store/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/hex.h"
#include "basic/parse.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "basic/uuid.h"
#include "store/store-internal.h"
#include "store/store-tree.h"

#define KEY_PREFIX "sha512-"

static bool is_digest(const char *s, size_t n_digits) {
        const char *hex = startswith(s, KEY_PREFIX);

        return hex && strlen(hex) == n_digits && strspn(hex, "0123456789abcdef") == n_digits;
}

/**
 * store_id_is_valid() - "sha512-" and 128 lower-case hex digits?
 * @id: any string
 *
 * Return: true if so.
 */
bool store_id_is_valid(const char *id) {
        return is_digest(id, STORE_DIGEST_HEX);
}

/**
 * store_key_is_valid() - "sha512-" and 64 lower-case hex digits?
 * @key: any string
 *
 * Return: true if so. Such a key is safe in a file name.
 */
bool store_key_is_valid(const char *key) {
        return is_digest(key, STORE_KEY_HEX);
}

/**
 * store_key_from_id() - the key under which an image is kept
 * @id:  image id; a key is taken as well
 * @ret: its first 64 digits
 *
 * Return: 0, -EINVAL.
 */
int store_key_from_id(const char *id, char ret[STORE_KEY_MAX]) {
        if (!store_id_is_valid(id) && !store_key_is_valid(id))
                return -EINVAL;
        memcpy(ret, id, STORE_KEY_MAX - 1);
        ret[STORE_KEY_MAX - 1] = '\0';
        return 0;
}

/**
 * store_blob_path() - where a blob is
 * @key:    valid key
 * @suffix: "", or ".manifest" for what lies beside it
 * @ret:    path beneath cas
 */
void store_blob_path(const char *key, const char *suffix, char ret[STORE_BLOB_PATH_MAX]) {
        (void) snprintf(ret, STORE_BLOB_PATH_MAX, "blob/sha512/%.2s/%s%s", key + strlen(KEY_PREFIX), key,
                        suffix);
}

/**
 * store_tree_path() - where the trees of an image are
 * @key: valid key
 * @ret: path beneath cas
 */
void store_tree_path(const char *key, char ret[STORE_TREE_PATH_MAX]) {
        (void) snprintf(ret, STORE_TREE_PATH_MAX, "tree/%s", key);
}

static int check_version(Store *s, Error *e) {
        _cleanup_free_ char *text = NULL;
        unsigned version;
        size_t size;
        int r;

        r = file_read_at(s->cas_fd, "version", 64, &text, &size);
        if (r == -ENOENT) {
                _cleanup_free_ char *first = strf("%d\n", STORE_LAYOUT_VERSION);

                if (s->read_only)
                        return error_setf(e, -ENOENT, "the store '%s' is empty", s->dir);
                if (!first)
                        return error_oom(e);
                r = file_write_at(s->cas_fd, "version", first, strlen(first), 0600, 0);
                return r < 0 ? error_setf(e, r, "cannot write '%s/cas/version': %s", s->dir, strerror(-r))
                             : 0;
        }
        if (r < 0)
                return error_setf(e, r, "cannot read '%s/cas/version': %s", s->dir, strerror(-r));
        if (parse_uint(str_strip(text), INT32_MAX, &version) < 0)
                return error_setf(e, -EBADMSG, "'%s/cas/version' is damaged", s->dir);
        if (version > STORE_LAYOUT_VERSION)
                return error_setf(e, -EOPNOTSUPP,
                                  "the store '%s' has layout %u, this rkt knows %d; use the newer rkt",
                                  s->dir, version, STORE_LAYOUT_VERSION);
        return 0;
}

/* Whoever can write here decides what root mounts. */
static int check_owner(const Store *s, Error *e) {
        struct stat st;

        if (fstat(s->cas_fd, &st) < 0)
                return error_setf(e, -errno, "cannot examine '%s/cas': %m", s->dir);
        if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022))
                return error_setf(e, -EPERM,
                                  "'%s/cas' belongs to somebody else, or others may write to it; not used",
                                  s->dir);
        return 0;
}

static int make_folders(Store *s, Error *e) {
        static const char *const folders[] = { "cas/blob/sha512", "cas/tree", "cas/ref/image",
                                               "cas/ref/remote", "cas/tmp" };

        FOREACH_ARRAY (f, folders, ELEMENTSOF(folders)) {
                int r = mkdir_parents_at(s->dir_fd, *f, 0700);

                if (r < 0)
                        return error_setf(e, r, "cannot create '%s/%s': %s", s->dir, *f, strerror(-r));
        }
        return 0;
}

static int open_folders(Store *s, Error *e) {
        int r;

        if (!s->read_only) {
                r = mkdir_parents_at(AT_FDCWD, s->dir, 0755);
                if (r < 0)
                        return error_setf(e, r, "cannot create '%s': %s", s->dir, strerror(-r));
        }
        s->dir_fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (s->dir_fd < 0)
                return error_setf(e, -errno, "cannot open '%s': %m", s->dir);
        if (!s->read_only) {
                r = make_folders(s, e);
                if (r < 0)
                        return r;
        }
        s->cas_fd = openat(s->dir_fd, "cas", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (s->cas_fd < 0)
                return error_setf(e, -errno, "cannot open '%s/cas': %m", s->dir);
        return 0;
}

/**
 * store_open() - the images beneath a data directory
 * @dir:   data directory; made unless STORE_OPEN_READ_ONLY; a relative path is resolved now
 * @flags: STORE_OPEN_*
 * @ret:   for store_free()
 * @e:     sentence on failure; may be NULL
 *
 * Removes what processes left in cas/tmp that died while they wrote.
 *
 * Return: 0; -ENOENT (no store here), -EOPNOTSUPP (a newer rkt made it), -EPERM (unsafe ownership), -EBADMSG, -EACCES,
 * -ENOSPC, -EROFS.
 */
int store_open(const char *dir, StoreOpenFlags flags, Store **ret, Error *e) {
        _cleanup_(store_freep) Store *s = NULL;
        int r;

        s = new0(Store, 1);
        if (!s)
                return error_oom(e);
        s->dir_fd = s->cas_fd = -EBADF;
        s->read_only = flags & STORE_OPEN_READ_ONLY;
        if (path_is_absolute(dir))
                s->dir = strdup(dir);
        else {
                _cleanup_free_ char *cwd = getcwd(NULL, 0);

                s->dir = cwd ? path_join(cwd, dir) : NULL;
        }
        if (!s->dir)
                return error_oom(e);
        r = open_folders(s, e);
        if (r >= 0)
                r = check_owner(s, e);
        if (r >= 0)
                r = check_version(s, e);
        if (r >= 0 && !s->read_only)
                r = store_tmp_clean(s, e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

/**
 * store_free() - close it
 * @s: may be NULL
 *
 * Return: NULL.
 */
Store *store_free(Store *s) {
        if (!s)
                return NULL;
        (void) fd_close(s->dir_fd);
        (void) fd_close(s->cas_fd);
        free(s->dir);
        free(s);
        return NULL;
}

/**
 * store_dir() - where it is
 * @s: store
 *
 * Return: absolute path of the data directory, owned by @s.
 */
const char *store_dir(const Store *s) {
        return s->dir;
}

/**
 * store_dir_fd() - the data directory
 * @s: store
 *
 * Return: a descriptor, owned by @s.
 */
int store_dir_fd(const Store *s) {
        return s->dir_fd;
}

/**
 * store_cas_fd() - the directory "cas" in it
 * @s: store
 *
 * Return: a descriptor, owned by @s.
 */
int store_cas_fd(const Store *s) {
        return s->cas_fd;
}

/**
 * store_lock() - keep images from disappearing, or be the one who removes them
 * @s:      store
 * @mode:   shared: from looking an image up until a pod's directory names it; exclusive: to remove images or trees
 * @wait:   0: fail at once
 * @ret_fd: closing it ends the lock
 * @e:      sentence on failure; may be NULL
 *
 * Never hold it across the network, and not while calling store_image_remove().
 *
 * Return: 0, -EBUSY, errno of open() and flock().
 */
int store_lock(Store *s, LockMode mode, int wait, int *ret_fd, Error *e) {
        int r;

        r = lock_file_at(s->cas_fd, "lock", mode, wait, ret_fd);
        if (r == -EBUSY)
                return error_setf(e, r, "the store '%s' is in use", s->dir);
        return r < 0 ? error_setf(e, r, "cannot lock '%s/cas/lock': %s", s->dir, strerror(-r)) : 0;
}

/**
 * store_commit_lock() - be the only one who makes images visible or removes them
 * @s:      store
 * @ret_fd: closing it ends the lock
 * @e:      sentence on failure; may be NULL
 *
 * Held no longer than a few renames and their sync take.
 *
 * Return: 0, errno of open() and flock().
 */
int store_commit_lock(Store *s, int *ret_fd, Error *e) {
        int r;

        r = lock_file_at(s->cas_fd, "commit.lock", LOCK_MODE_EXCLUSIVE, 1, ret_fd);
        return r < 0 ? error_setf(e, r, "cannot lock '%s/cas/commit.lock': %s", s->dir, strerror(-r)) : 0;
}

/**
 * store_tmp_new() - make a directory in cas/tmp, and lock it
 * @s:        store
 * @ret_name: its path beneath cas; free()
 * @ret_fd:   closing it ends the lock, and then anybody may remove the directory
 * @e:        sentence on failure; may be NULL
 *
 * Between mkdir and flock a cleaner may take it away: then another one is made.
 *
 * Return: 0, -ENOSPC, other errno of mkdir(), open(), flock().
 */
int store_tmp_new(Store *s, char **ret_name, int *ret_fd, Error *e) {
        for (;;) {
                _cleanup_close_ int fd = -EBADF;
                _cleanup_free_ char *name = NULL;
                char uuid[UUID_STRING_MAX];
                struct stat st;
                int r;

                r = uuid_new(uuid);
                if (r < 0)
                        return error_setf(e, r, "no random numbers: %s", strerror(-r));
                name = strf("tmp/%s", uuid);
                if (!name)
                        return error_oom(e);
                if (mkdirat(s->cas_fd, name, 0700) < 0)
                        return error_setf(e, -errno, "cannot create '%s/cas/%s': %m", s->dir, name);
                fd = openat(s->cas_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (fd < 0 && errno == ENOENT)
                        continue;
                if (fd < 0)
                        return error_setf(e, -errno, "cannot open '%s/cas/%s': %m", s->dir, name);
                r = lock_fd(fd, LOCK_MODE_SHARED, 1);
                if (r < 0)
                        return error_setf(e, r, "cannot lock '%s/cas/%s': %s", s->dir, name, strerror(-r));
                if (fstatat(s->cas_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                *ret_name = TAKE_PTR(name);
                *ret_fd = TAKE_FD(fd);
                return 0;
        }
}

/**
 * store_intent_write() - say what is not whole from now on, until the image exists or this directory is gone
 * @s:      store, locked for commits
 * @tmp_fd: from store_tmp_new()
 * @key:    blob and manifest of this key ...
 * @tree:   ... and its tree
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0, -ENOSPC, -EIO.
 */
int store_intent_write(Store *s, int tmp_fd, const char *key, bool tree, Error *e) {
        char intent[STORE_KEY_MAX + 8];
        int r;

        (void) snprintf(intent, sizeof(intent), "%s%s\n", key, tree ? " tree" : "");
        r = file_write_at(tmp_fd, STORE_TMP_INTENT, intent, strlen(intent), 0600, 0);
        if (r >= 0)
                r = fsync_dir_at(s->cas_fd, "tmp");
        return r < 0 ? error_setf(e, r, "cannot write to '%s/cas/tmp': %s", s->dir, strerror(-r)) : 0;
}

/* Takes back what a dead import made visible, if it did not come as far as the image itself. "tree" is only in the
 * intent if that import was the one to make the tree: an older one may be the root of a running pod. */
static int undo_intent(Store *s, int tmp_fd, Error *e) {
        _cleanup_free_ char *text = NULL;
        _cleanup_close_ int lock = -EBADF;
        char key[STORE_KEY_MAX];
        size_t size;
        int r;

        r = file_read_at(tmp_fd, STORE_TMP_INTENT, 256, &text, &size);
        if (r == -ENOENT || (r >= 0 && size < STORE_KEY_MAX - 1))
                return 0;
        if (r < 0)
                return error_setf(e, r, "cannot read what an import was about: %s", strerror(-r));
        memcpy(key, text, STORE_KEY_MAX - 1);
        key[STORE_KEY_MAX - 1] = '\0';
        if (!store_key_is_valid(key))
                return 0;
        r = store_commit_lock(s, &lock, e);
        if (r < 0 || store_image_exists(s, key))
                return r;
        r = store_blob_unlink(s, key);
        if (r >= 0 && streq(text + STORE_KEY_MAX - 1, " tree\n"))
                r = store_tree_remove(s, key, NULL);
        return r < 0 ? error_setf(e, r, "cannot remove an unfinished import: %s", strerror(-r)) : 0;
}

static int clean_one(Store *s, const char *name, Error *e) {
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r;

        path = path_join("tmp", name);
        if (!path)
                return error_oom(e);
        fd = openat(s->cas_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) /* gone meanwhile, or a file: a download, whose owner looks after it */
                return 0;
        r = lock_fd(fd, LOCK_MODE_EXCLUSIVE, 0);
        if (r == -EBUSY)
                return 0;
        if (r < 0)
                return error_setf(e, r, "cannot lock '%s/cas/%s': %s", s->dir, path, strerror(-r));
        r = undo_intent(s, fd, e);
        if (r < 0)
                return r;
        r = remove_tree_at(s->cas_fd, path);
        return r < 0 ? error_setf(e, r, "cannot remove '%s/cas/%s': %s", s->dir, path, strerror(-r)) : 0;
}

/**
 * store_tmp_clean() - remove what dead processes left in cas/tmp, and what they had made visible half
 * @s: store
 * @e: sentence on failure; may be NULL
 *
 * Only directories whose names are ours (a UUID): the folder is shared with downloads.
 *
 * Return: 0, errno of what could not be removed.
 */
int store_tmp_clean(Store *s, Error *e) {
        _cleanup_strv_free_ char **names = NULL;
        int r;

        r = dir_list_at(s->cas_fd, "tmp", &names);
        if (r < 0)
                return error_setf(e, r, "cannot list '%s/cas/tmp': %s", s->dir, strerror(-r));
        for (char **n = names; n && *n; n++) {
                if (!uuid_is_valid(*n))
                        continue;
                r = clean_one(s, *n, e);
                /* Nothing to write on is no reason not to read. */
                if (r == -EROFS || r == -ENOSPC)
                        break;
                if (r < 0)
                        return r;
        }
        return 0;
}

/**
 * store_key_find() - the image that a user means by a part of its id
 * @s:      store
 * @prefix: "sha512-" and at least two digits, up to all 128
 * @ret:    the key
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL (no such form), -ENOENT, -ENOTUNIQ.
 */
int store_key_find(Store *s, const char *prefix, char ret[STORE_KEY_MAX], Error *e) {
        _cleanup_strv_free_ char **names = NULL;
        const char *digits = startswith(prefix, KEY_PREFIX), *found = NULL;
        size_t n;
        int r;

        if (!digits || strlen(digits) < 2 || strlen(digits) > STORE_DIGEST_HEX ||
            strspn(digits, "0123456789abcdef") != strlen(digits))
                return error_setf(e, -EINVAL,
                                  "'%.150s' is not an image id; it is 'sha512-' and 2 to %d hex digits",
                                  prefix, STORE_DIGEST_HEX);
        r = dir_list_at(s->cas_fd, "ref/image", &names);
        if (r < 0)
                return error_setf(e, r, "cannot list '%s/cas/ref/image': %s", s->dir, strerror(-r));
        n = MIN(strlen(prefix), STORE_KEY_MAX - 1);
        for (char **i = names; i && *i; i++) {
                char key[STORE_KEY_MAX];

                if (strncmp(*i, prefix, n) != 0 || strlen(*i) < STORE_KEY_MAX)
                        continue;
                memcpy(key, *i, STORE_KEY_MAX - 1);
                key[STORE_KEY_MAX - 1] = '\0';
                if (!store_key_is_valid(key))
                        continue;
                if (found && strncmp(found, key, STORE_KEY_MAX - 1) != 0)
                        return error_setf(e, -ENOTUNIQ, "more than one image id begins with '%s'", prefix);
                found = *i;
        }
        if (!found)
                return error_setf(e, -ENOENT, "no image has the id '%s'", prefix);
        memcpy(ret, found, STORE_KEY_MAX - 1);
        ret[STORE_KEY_MAX - 1] = '\0';
        return 0;
}

/**
 * store_image_remove() - the image, its blob and its manifest
 * @s:   store
 * @key: image
 * @e:   sentence on failure; may be NULL
 *
 * The tree stays, as in rkt: it may be the root of a pod. store_tree_remove() is for garbage collection.
 *
 * Return: 0, -EINVAL, -ENOENT, errno of unlink().
 */
int store_image_remove(Store *s, const char *key, Error *e) {
        _cleanup_close_ int lock = -EBADF, commit = -EBADF, tmp_fd = -EBADF;
        _cleanup_free_ char *tmp = NULL;
        int r;

        if (!store_key_is_valid(key))
                return error_setf(e, -EINVAL, "'%.150s' is not the key of an image", key);
        r = store_lock(s, LOCK_MODE_EXCLUSIVE, 1, &lock, e);
        if (r >= 0)
                r = store_commit_lock(s, &commit, e);
        if (r < 0)
                return r;
        if (!store_image_exists(s, key))
                return error_setf(e, -ENOENT, "no image has the id '%s'", key);
        r = store_tmp_new(s, &tmp, &tmp_fd, e);
        if (r >= 0)
                r = store_intent_write(s, tmp_fd, key, false, e);
        /* A full disk is why people remove images: then without a net. */
        if (r < 0 && r != -ENOSPC && r != -EDQUOT)
                return r;
        r = store_image_unlink(s, key);
        if (r >= 0)
                r = store_blob_unlink(s, key);
        if (r >= 0 && tmp)
                r = remove_tree_at(s->cas_fd, tmp);
        return r < 0 ? error_setf(e, r, "cannot remove image '%s': %s", key, strerror(-r)) : 0;
}
