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
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
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

#define KEY_PREFIX          "sha512-"
#define AMBIGUOUS_SHOWN_MAX 8                  /* images in a message */
#define LOCKS_MAX           (4U * 1024 * 1024) /* bytes of /proc/locks */
#define TURN_WAIT_MSEC      300U /* of somebody who shares, for somebody who waits to be alone */

static bool is_digest(const char *s, const char *prefix, size_t n_digits) {
        const char *hex = startswith(s, prefix);

        return hex && strlen(hex) == n_digits && strspn(hex, "0123456789abcdef") == n_digits;
}

/**
 * store_id_is_valid() - "sha512-" and 128 lower-case hex digits?
 * @id: any string
 *
 * Return: true if so.
 */
bool store_id_is_valid(const char *id) {
        return is_digest(id, KEY_PREFIX, STORE_DIGEST_HEX);
}

/**
 * store_key_is_valid() - "sha512-" and 64 lower-case hex digits?
 * @key: any string
 *
 * Return: true if so. Such a key is safe in a file name.
 */
bool store_key_is_valid(const char *key) {
        return is_digest(key, KEY_PREFIX, STORE_KEY_HEX);
}

/**
 * store_layer_key_is_valid() - "sha256-" and 64 lower-case hex digits?
 * @key: any string
 *
 * Return: true if so. No layer has the key of an image.
 */
bool store_layer_key_is_valid(const char *key) {
        return is_digest(key, STORE_LAYER_PREFIX, STORE_KEY_HEX);
}

/**
 * store_blob_key_is_valid() - the key of an image or of a layer?
 * @key: any string
 *
 * Return: true if so. Such a key is safe in a file name.
 */
bool store_blob_key_is_valid(const char *key) {
        return store_key_is_valid(key) || store_layer_key_is_valid(key);
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
 * @key:    valid key of an image or a layer
 * @suffix: "", or ".manifest", ".config" for what lies beside it
 * @ret:    path beneath cas
 */
void store_blob_path(const char *key, const char *suffix, char ret[STORE_BLOB_PATH_MAX]) {
        (void) snprintf(ret, STORE_BLOB_PATH_MAX, "blob/%.6s/%.2s/%s%s", key, key + STORE_KEY_PREFIX_SIZE,
                        key, suffix);
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
        static const char *const folders[] = { "cas/blob/sha512", "cas/blob/sha256", "cas/tree",
                                               "cas/ref/image",   "cas/ref/remote",  "cas/tmp" };

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
        s->tree_backend = _STORE_TREE_BACKEND_INVALID;
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

/* Tries again and again, at most for a while. flock() itself knows no time limit. */
static int lock_within(Store *s, const char *path, LockMode mode, unsigned wait_msec, int *ret_fd) {
        unsigned waited = 0;

        for (unsigned step = 1;; step = MIN(step * 2, 20U)) {
                int r = lock_file_at(s->cas_fd, path, mode, 0, ret_fd);

                if (r != -EBUSY || waited >= wait_msec)
                        return r;
                (void) poll(NULL, 0, (int) step);
                waited += step;
        }
}

/* flock() lets those who share in for ever while somebody waits to be alone. Whoever wants to be alone therefore takes
 * "turn.lock" first, and those who share wait a moment for that one. Not longer: they may have a share already. */
static int lock_in_turn(Store *s, LockMode mode, int wait, int *ret_fd) {
        _cleanup_close_ int turn = -EBADF;
        int r;

        if (mode == LOCK_MODE_SHARED) {
                r = lock_within(s, "turn.lock", mode, wait ? TURN_WAIT_MSEC : 0, &turn);
                return r < 0 && r != -EBUSY ? r : lock_file_at(s->cas_fd, "lock", mode, wait, ret_fd);
        }
        r = lock_within(s, "turn.lock", mode, wait ? STORE_LOCK_WAIT_MSEC : 0, &turn);
        return r < 0 ? r : lock_within(s, "lock", mode, wait ? STORE_LOCK_WAIT_MSEC : 0, ret_fd);
}

/* One line of /proc/locks, as "3: FLOCK  ADVISORY  READ 1234 fe:01:5678 0 EOF". Return: the process, 0 if it is another lock. */
static pid_t lock_line_pid(const char *line, const struct stat *st) {
        unsigned major_number, minor_number;
        unsigned long inode;
        int pid;

        /* NOLINTNEXTLINE(cert-err34-c) the kernel's own numbers */
        if (sscanf(line, "%*s FLOCK ADVISORY %*s %d %x:%x:%lu", &pid, &major_number, &minor_number, &inode) !=
            4)
                return 0;
        return major_number == major(st->st_dev) && minor_number == minor(st->st_dev) && inode == st->st_ino
                       ? (pid_t) pid
                       : 0;
}

/**
 * store_lock_holder() - who keeps others from locking the store
 * @s:   store
 * @ret: as "rkt (PID 1234)", of several the first; free()
 *
 * Return: 0, -ENOENT (nobody, or nobody that can be seen from here), -ENOMEM, errno of reading /proc.
 */
int store_lock_holder(Store *s, char **ret) {
        _cleanup_free_ char *locks = NULL, *path = NULL, *name = NULL;
        _cleanup_strv_free_ char **lines = NULL;
        struct stat st;
        pid_t pid = 0;
        int r;

        if (fstatat(s->cas_fd, "lock", &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        r = file_read_at(AT_FDCWD, "/proc/locks", LOCKS_MAX, &locks, NULL);
        if (r >= 0)
                r = strv_split(locks, "\n", &lines);
        if (r < 0)
                return r;
        for (char **l = lines; l && *l && pid <= 0; l++)
                pid = lock_line_pid(*l, &st);
        if (pid <= 0)
                return -ENOENT;
        path = strf("/proc/%d/comm", pid);
        if (!path)
                return -ENOMEM;
        if (file_read_at(AT_FDCWD, path, 64, &name, NULL) < 0)
                return -ENOENT;
        *ret = strf("%s (PID %d)", str_strip(name), pid);
        return *ret ? 0 : -ENOMEM;
}

/**
 * store_lock() - keep images from disappearing, or be the one who removes them
 * @s:      store
 * @mode:   shared: from looking an image up until a pod's directory names it; exclusive: to remove images or trees
 * @wait:   0: fail at once
 * @ret_fd: closing it ends the lock
 * @e:      sentence on failure; may be NULL
 *
 * Never hold it across the network, and not while calling store_image_remove(). Nobody waits to be alone for longer than
 * STORE_LOCK_WAIT_MSEC.
 *
 * Return: 0, -EBUSY, errno of open() and flock().
 */
int store_lock(Store *s, LockMode mode, int wait, int *ret_fd, Error *e) {
        _cleanup_free_ char *holder = NULL;
        int r;

        r = lock_in_turn(s, mode, wait, ret_fd);
        if (r == -EBUSY && store_lock_holder(s, &holder) >= 0)
                return error_setf(e, r, "the store '%s' is in use by %s; try again when that is over", s->dir,
                                  holder);
        if (r == -EBUSY)
                return error_setf(e, r, "the store '%s' is in use; try again later", s->dir);
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

/* The key that a file in cas/ref/image is about. */
static bool key_of_ref(const char *name, char ret[STORE_KEY_MAX]) {
        if (strlen(name) < STORE_KEY_MAX)
                return false;
        memcpy(ret, name, STORE_KEY_MAX - 1);
        ret[STORE_KEY_MAX - 1] = '\0';
        return store_key_is_valid(ret);
}

/* names: from the first one that begins with prefix. All of those, as long as a reader needs to choose one. */
static int ambiguous(char *const *names, const char *prefix, size_t n, Error *e) {
        size_t shown = MIN(MAX(n + 2, strlen(KEY_PREFIX) + 12), (size_t) STORE_KEY_MAX - 1), more = 0;
        char last[STORE_KEY_MAX] = "", key[STORE_KEY_MAX];
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        unsigned count = 0;

        for (; *names && strncmp(*names, prefix, n) == 0; names++) {
                if (!key_of_ref(*names, key) || streq(key, last))
                        continue;
                memcpy(last, key, sizeof(last));
                if (++count > AMBIGUOUS_SHOWN_MAX)
                        more++;
                else
                        strbuf_addf(&b, "%s%.*s", count > 1 ? ", " : "", (int) shown, key);
        }
        if (more > 0)
                strbuf_addf(&b, " and %zu more", more);
        return b.failed ? error_oom(e)
                        : error_setf(e, -ENOTUNIQ, "\"%s\" may be %s", prefix, str_or(b.data, ""));
}

/**
 * store_key_find() - the image that a user means by a part of its id
 * @s:      store
 * @prefix: "sha512-" and at least two digits, up to all 128
 * @ret:    the key
 * @e:      sentence on failure, with the images that it could be; may be NULL
 *
 * Return: 0, -EINVAL (no such form), -ENOENT, -ENOTUNIQ.
 */
int store_key_find(Store *s, const char *prefix, char ret[STORE_KEY_MAX], Error *e) {
        _cleanup_strv_free_ char **names = NULL;
        const char *digits = startswith(prefix, KEY_PREFIX);
        char key[STORE_KEY_MAX];
        char **first = NULL;
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
                if (strncmp(*i, prefix, n) != 0 || !key_of_ref(*i, key))
                        continue;
                if (first && !streq(key, ret))
                        return ambiguous(first, prefix, n, e);
                first = first ? first : i;
                memcpy(ret, key, STORE_KEY_MAX);
        }
        return first ? 0 : error_setf(e, -ENOENT, "no image has the id '%s'", prefix);
}
