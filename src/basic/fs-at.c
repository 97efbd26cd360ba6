/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file system beneath a directory descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"

#define LINKS_MAX 40U /* as the kernel follows */
#define RACES_MAX 1000U

/**
 * open_resolved() - openat2()
 * @dir_fd:  directory, or AT_FDCWD
 * @path:    see openat2(2)
 * @flags:   of open(), O_CLOEXEC is added
 * @mode:    of a new file; 0 without O_CREAT
 * @resolve: RESOLVE_*
 *
 * The kernel gives up where any rename or mount on the machine races with a "..", and says to try again: done here.
 *
 * Return: a descriptor; -EAGAIN (raced all the time), other errno of openat2().
 */
int open_resolved(int dir_fd, const char *path, int flags, mode_t mode, uint64_t resolve) {
        struct open_how how = {
                .flags = (uint64_t) (unsigned) (flags | O_CLOEXEC),
                .mode = mode,
                .resolve = resolve,
        };
        long fd = -1;

        for (unsigned i = 0; fd < 0 && i < RACES_MAX; i++) {
                fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
                if (fd < 0 && errno != EAGAIN)
                        return -errno;
        }
        return fd < 0 ? -errno : (int) fd;
}

/**
 * root_open() - open a path of an image, its links resolved as if @root_fd were "/"
 * @root_fd: the image's root directory
 * @path:    absolute or relative; never leaves the root, whatever its links say
 * @flags:   of open(), O_CLOEXEC is added; no O_CREAT
 *
 * Return: a descriptor; -ENOENT, -ELOOP, other errno of open_resolved().
 */
int root_open(int root_fd, const char *path, int flags) {
        return open_resolved(root_fd, path, flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

static int mkdirs(int root_fd, const char *path, mode_t mode, unsigned links);

/* parent: text of the directory with the link, without a slash at its end. */
/* NOLINTNEXTLINE(misc-no-recursion) at most LINKS_MAX */
static int mkdirs_behind(int root_fd, int dir_fd, const char *parent, const char *name, mode_t mode,
                         unsigned links) {
        _cleanup_free_ char *path = NULL;
        char target[PATH_MAX];
        ssize_t n = readlinkat(dir_fd, name, target, sizeof(target) - 1);

        if (n < 0)
                return errno == EINVAL ? -ENOENT : -errno;
        if (links == 1)
                return -ELOOP;
        target[n] = '\0';
        path = *target == '/' ? strdup(target) : strf("%s/%s", parent, target);
        return path ? mkdirs(root_fd, path, mode, links - 1) : -ENOMEM;
}

/* NOLINTNEXTLINE(misc-no-recursion) at most LINKS_MAX */
static int mkdirs(int root_fd, const char *path, mode_t mode, unsigned links) {
        _cleanup_close_ int fd = -EBADF;
        const char *p = path;

        fd = root_open(root_fd, "/", O_PATH | O_DIRECTORY);
        if (fd < 0)
                return fd;
        while (*p) {
                _cleanup_free_ char *sub = NULL, *name = NULL, *parent = NULL;
                int next;

                parent = strndup(path, (size_t) (p - path));
                p += strspn(p, "/");
                if (!*p)
                        break;
                name = strndup(p, strcspn(p, "/"));
                p += strcspn(p, "/");
                sub = strndup(path, (size_t) (p - path));
                if (!name || !sub || !parent)
                        return -ENOMEM;
                next = root_open(root_fd, sub, O_PATH | O_DIRECTORY);
                if (next == -ENOENT) {
                        if (mkdirat(fd, name, mode) < 0 && errno != EEXIST)
                                return -errno;
                        next = root_open(root_fd, sub, O_PATH | O_DIRECTORY);
                }
                if (next == -ENOENT && links > 0)
                        next = mkdirs_behind(root_fd, fd, parent, name, mode, links);
                if (next < 0)
                        return next;
                fd_close(fd);
                fd = next;
        }
        return TAKE_FD(fd);
}

/**
 * root_mkdirs() - make a directory of an image and its parents, links resolved inside the root
 * @root_fd: the image's root directory
 * @path:    absolute; normalized
 * @mode:    of new directories
 *
 * Return: an O_PATH descriptor of the directory; -ENOENT (a link leads to nothing), -ENOTDIR, -ELOOP, other errno.
 */
int root_mkdirs(int root_fd, const char *path, mode_t mode) {
        return mkdirs(root_fd, path, mode, 0);
}

/**
 * root_mkdirs_through() - the same, and a link that leads to nothing gets what it leads to
 * @root_fd: the image's root directory
 * @path:    absolute; normalized
 * @mode:    of new directories
 *
 * Return: an O_PATH descriptor of the directory; -ENOTDIR, -ELOOP, other errno.
 */
int root_mkdirs_through(int root_fd, const char *path, mode_t mode) {
        return mkdirs(root_fd, path, mode, LINKS_MAX);
}

/**
 * mkdir_parents_at() - make a directory and its parents; for our own places
 * @dir_fd: directory, or AT_FDCWD
 * @path:   absolute or relative
 * @mode:   of every directory that is made
 *
 * Return: 0 (also when it exists), negative errno of mkdir().
 */
int mkdir_parents_at(int dir_fd, const char *path, mode_t mode) {
        _cleanup_free_ char *copy = NULL;

        if (mkdirat(dir_fd, path, mode) == 0 || errno == EEXIST)
                return 0;
        if (errno != ENOENT)
                return -errno;
        copy = strdup(path);
        if (!copy)
                return -ENOMEM;
        for (char *p = copy + 1; *p; p++) {
                if (*p != '/')
                        continue;
                *p = '\0';
                if (mkdirat(dir_fd, copy, mode) < 0 && errno != EEXIST)
                        return -errno;
                *p = '/';
        }
        return mkdirat(dir_fd, copy, mode) == 0 || errno == EEXIST ? 0 : -errno;
}

#define REMOVE_DEPTH_MAX 16

/* A removal of one tree. What lies deeper than REMOVE_DEPTH_MAX is first moved to its top, so that the number of open
 * directories and the stack stay small whatever an app made. */
typedef struct Removal {
        int top;          /* the directory to be emptied */
        unsigned n_moved; /* names given to what was moved there */
} Removal;

static int remove_entry(Removal *rm, int dir_fd, const char *name, unsigned depth);

/* Empties the directory fd refers to. Takes ownership of fd. */
/* NOLINTNEXTLINE(misc-no-recursion) at most REMOVE_DEPTH_MAX */
static int remove_children(Removal *rm, int fd, unsigned depth) {
        _cleanup_closedir_ DIR *d = NULL;
        int r = 0;

        d = fdopendir(fd);
        if (!d) {
                r = -errno;
                (void) fd_close(fd);
                return r;
        }
        for (struct dirent *e = readdir(d); e; e = readdir(d)) {
                int k;

                if (streq(e->d_name, ".") || streq(e->d_name, ".."))
                        continue;
                k = remove_entry(rm, dirfd(d), e->d_name, depth);
                if (k < 0 && k != -ENOENT && r == 0)
                        r = k;
        }
        return r;
}

static int move_to_top(Removal *rm, int dir_fd, const char *name) {
        for (;;) {
                char moved[32];

                (void) snprintf(moved, sizeof(moved), ".deep-%u", rm->n_moved++);
                if (renameat2(dir_fd, name, rm->top, moved, RENAME_NOREPLACE) == 0)
                        return 0;
                if (errno != EEXIST)
                        return -errno;
        }
}

/* NOLINTNEXTLINE(misc-no-recursion) at most REMOVE_DEPTH_MAX */
static int remove_entry(Removal *rm, int dir_fd, const char *name, unsigned depth) {
        int fd, r;

        if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR && errno != EPERM)
                return -errno;
        if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0)
                return 0;
        if (errno == EBUSY || errno == EPERM)
                return -errno;
        if (depth >= REMOVE_DEPTH_MAX)
                return move_to_top(rm, dir_fd, name);
        fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = remove_children(rm, fd, depth + 1);
        if (unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
                return r < 0 ? r : -errno;
        return 0;
}

/**
 * remove_tree_at() - remove a file or a whole tree, never following links, never crossing into a mount
 * @dir_fd: directory that holds it
 * @name:   one component
 *
 * The depth of the tree does not matter. Stopped halfway, it can be called again.
 *
 * Return: 0 (also when it is not there), -EBUSY (something is mounted on it), other errno of unlink().
 */
int remove_tree_at(int dir_fd, const char *name) {
        _cleanup_close_ int top = -EBADF;
        Removal rm;
        int r;

        if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR && errno != EPERM)
                return -errno;
        if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0)
                return 0;
        if (errno != ENOTEMPTY && errno != EEXIST)
                return -errno;
        top = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (top < 0)
                return -errno;
        rm = (Removal){ .top = top };
        do {
                unsigned n_moved = rm.n_moved;
                int fd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

                if (fd < 0)
                        return -errno;
                r = remove_children(&rm, fd, 1);
                if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
                        return 0;
                if (r == 0 && rm.n_moved == n_moved)
                        r = -errno;
        } while (r == 0);
        return r;
}

/**
 * fsync_dir_at() - make renames, links and unlinks in a directory survive a power cut
 * @dir_fd: directory, or AT_FDCWD
 * @path:   directory beneath it, "." for itself
 *
 * Return: 0, negative errno of open() and fsync().
 */
int fsync_dir_at(int dir_fd, const char *path) {
        _cleanup_close_ int fd = -EBADF;

        fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        return RET_NERRNO(fsync(fd));
}

#define SYNC_DEPTH_MAX 16

/* NOLINTNEXTLINE(misc-no-recursion) at most SYNC_DEPTH_MAX */
static int sync_tree(int dir_fd, const char *name, unsigned depth) {
        _cleanup_close_ int fd =
                openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        _cleanup_strv_free_ char **names = NULL;
        struct stat st;
        int r = 0;

        if (fd < 0)
                return errno == ELOOP || errno == ENXIO
                               ? 0
                               : -errno; /* a link is its directory's, a socket nobody's */
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
                return 0;
        if (S_ISDIR(st.st_mode))
                r = depth < SYNC_DEPTH_MAX ? dir_list_at(fd, ".", &names) : -ELOOP;
        for (char **n = names; n && *n && r >= 0; n++)
                r = sync_tree(fd, *n, depth + 1);
        return r < 0 ? r : RET_NERRNO(fsync(fd));
}

/**
 * fsync_tree_at() - make a small tree survive a power cut: every file and directory of it
 * @dir_fd: directory, or AT_FDCWD
 * @path:   directory beneath it, "." for itself; nobody else writes there
 *
 * Return: 0, -ELOOP (too deep), other errno of open(), readdir() and fsync().
 */
int fsync_tree_at(int dir_fd, const char *path) {
        return sync_tree(dir_fd, path, 0);
}

/**
 * rename_noreplace_at() - rename, unless the target exists
 * @from_fd: directory
 * @from:    name in it
 * @to_fd:   directory
 * @to:      name in it
 *
 * Return: 0, -EEXIST, other errno of renameat2().
 */
int rename_noreplace_at(int from_fd, const char *from, int to_fd, const char *to) {
        return RET_NERRNO(renameat2(from_fd, from, to_fd, to, RENAME_NOREPLACE));
}
