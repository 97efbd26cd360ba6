/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies what is in a directory, with owners, modes, times, extended attributes, holes, hard links and devices. No link is
 * followed, and nothing that exists is replaced: each object is looked up in an open directory, by a name without a slash.
 * The source must not change meanwhile. */
#include "basic/copy-tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/first-name.h"
#include "basic/str.h"

#define XATTR_NAMES_MAX 65536
#define XATTR_VALUE_MAX 65536

typedef struct Copy {
        int top_fd; /* of the target */
        FirstNames names_met;
        char path[PATH_MAX];
        unsigned depth;
        char names[XATTR_NAMES_MAX];
        char value[XATTR_VALUE_MAX];
} Copy;

static int copy_directory(Copy *c, int from_fd, int to_fd, Error *e);

/* Return: 1: it is a further name of a file that was copied, and exists now; 0: it has to be copied. */
static int make_link(Copy *c, int to_fd, const char *name, const struct stat *st) {
        const char *first = NULL;
        int r = first_names_meet(&c->names_met, st, c->path, &first);

        if (r <= 0)
                return r;
        return linkat(c->top_fd, first, to_fd, name, 0) < 0 ? -errno : 1;
}

static int copy_xattrs(Copy *c, int from, int to) {
        ssize_t size = flistxattr(from, c->names, sizeof(c->names));

        if (size < 0)
                return errno == EOPNOTSUPP ? 0 : -errno;
        for (const char *n = c->names; n < c->names + size; n += strlen(n) + 1) {
                ssize_t k = fgetxattr(from, n, c->value, sizeof(c->value));

                if (k < 0)
                        return -errno;
                if (fsetxattr(to, n, c->value, (size_t) k, 0) < 0 &&
                    !(errno == EOPNOTSUPP && startswith(n, "user.")))
                        return -errno;
        }
        return 0;
}

/* Owners before modes and attributes, which chown() would clear. */
static int copy_attributes(Copy *c, int from, int to, const struct stat *st) {
        const struct timespec times[2] = { st->st_atim, st->st_mtim };
        int r = RET_NERRNO(fchown(to, st->st_uid, st->st_gid));

        if (r >= 0)
                r = copy_xattrs(c, from, to);
        if (r >= 0)
                r = RET_NERRNO(fchmod(to, st->st_mode & 07777));
        return r < 0 ? r : RET_NERRNO(futimens(to, times));
}

/* By the kernel, which shares blocks where it can; otherwise by hand. */
static int copy_range(int from, int to, off_t start, off_t size) {
        off_t in = start, out = start;

        while (size > 0) {
                ssize_t n = copy_file_range(from, &in, to, &out, (size_t) size, 0);

                if (n <= 0)
                        break;
                size -= n;
        }
        if (size == 0)
                return 0;
        if (lseek(from, in, SEEK_SET) < 0 || lseek(to, out, SEEK_SET) < 0)
                return -errno;
        return fd_copy_range(from, to, (uint64_t) size);
}

static int copy_content(int from, int to, off_t size) {
        off_t end = 0;

        while (end < size) {
                off_t start = lseek(from, end, SEEK_DATA);
                int r;

                if (start < 0 && errno == ENXIO)
                        break;
                if (start < 0)
                        return -errno;
                end = lseek(from, start, SEEK_HOLE);
                r = end < 0 ? -errno : copy_range(from, to, start, end - start);
                if (r < 0)
                        return r;
        }
        return RET_NERRNO(ftruncate(to, size));
}

static int copy_file(Copy *c, int from_fd, int to_fd, const char *name, const struct stat *st) {
        _cleanup_close_ int from = openat(from_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), to = -EBADF;
        int r;

        if (from < 0)
                return -errno;
        to = openat(to_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (to < 0)
                return -errno;
        r = copy_content(from, to, st->st_size);
        return r < 0 ? r : copy_attributes(c, from, to, st);
}

/* Symbolic links, devices, pipes: they have no descriptor, and no attributes that an image could give them. */
static int copy_node(int from_fd, int to_fd, const char *name, const struct stat *st) {
        const struct timespec times[2] = { st->st_atim, st->st_mtim };
        char target[PATH_MAX];

        if (S_ISLNK(st->st_mode)) {
                ssize_t n = readlinkat(from_fd, name, target, sizeof(target) - 1);

                if (n < 0)
                        return -errno;
                target[n] = '\0';
                if (symlinkat(target, to_fd, name) < 0)
                        return -errno;
        } else if (mknodat(to_fd, name, st->st_mode & (S_IFMT | 0600), st->st_rdev) < 0)
                return -errno;
        if (fchownat(to_fd, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
            (!S_ISLNK(st->st_mode) && fchmodat(to_fd, name, st->st_mode & 07777, 0) < 0))
                return -errno;
        return RET_NERRNO(utimensat(to_fd, name, times, AT_SYMLINK_NOFOLLOW));
}

/* NOLINTNEXTLINE(misc-no-recursion): no deeper than COPY_TREE_DEPTH_MAX */
static int copy_subdirectory(Copy *c, int from_fd, int to_fd, const char *name, const struct stat *st,
                             Error *e) {
        _cleanup_close_ int from = openat(from_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
                            to = -EBADF;
        int r;

        if (from < 0 || mkdirat(to_fd, name, 0700) < 0)
                return -errno;
        to = openat(to_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (to < 0)
                return -errno;
        r = copy_directory(c, from, to, e);
        return r < 0 ? r : copy_attributes(c, from, to, st);
}

/* NOLINTNEXTLINE(misc-no-recursion): no deeper than COPY_TREE_DEPTH_MAX */
static int copy_object(Copy *c, int from_fd, int to_fd, const char *name, Error *e) {
        struct stat st;
        int r;

        if (fstatat(from_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode))
                return copy_subdirectory(c, from_fd, to_fd, name, &st, e);
        r = st.st_nlink > 1 ? make_link(c, to_fd, name, &st) : 0;
        if (r != 0)
                return r;
        return S_ISREG(st.st_mode) ? copy_file(c, from_fd, to_fd, name, &st)
                                   : copy_node(from_fd, to_fd, name, &st);
}

/* The sentence is made where the failure is, with the path beneath the top. */
/* NOLINTNEXTLINE(misc-no-recursion): no deeper than COPY_TREE_DEPTH_MAX */
static int copy_directory(Copy *c, int from_fd, int to_fd, Error *e) {
        size_t length = strlen(c->path);
        _cleanup_closedir_ DIR *dir = NULL;
        const struct dirent *d;
        int r = dir_open_at(from_fd, ".", &dir);

        if (r >= 0 && ++c->depth > COPY_TREE_DEPTH_MAX)
                r = -ELOOP;
        while (r >= 0 && (d = readdir(dir))) {
                if (streq(d->d_name, ".") || streq(d->d_name, ".."))
                        continue;
                if (length + strlen(d->d_name) + 2 > sizeof(c->path))
                        return error_setf(e, -ENAMETOOLONG, "cannot copy '%.200s...': its path is too long",
                                          c->path);
                (void) snprintf(c->path + length, sizeof(c->path) - length, "%s%s", length > 0 ? "/" : "",
                                d->d_name);
                r = copy_object(c, from_fd, to_fd, d->d_name, e);
                if (r < 0 && e && !e->message)
                        (void) error_setf(e, r, "cannot copy '%.200s': %s", c->path, strerror(-r));
                c->path[length] = '\0';
        }
        c->depth--;
        return r;
}

/**
 * copy_tree() - copy a directory
 * @from_fd: directory; O_PATH is enough
 * @to_fd:   empty directory; gets the owner, mode, times and attributes of the other one
 * @e:       sentence on failure, naming the object; must be empty; may be NULL
 *
 * On failure a part of the tree is there. Nothing is synced.
 *
 * Return: 0, -ELOOP (too deep), -ENAMETOOLONG, -ENOMEM, -ENOSPC, other errno of the calls that read and make things.
 */
int copy_tree(int from_fd, int to_fd, Error *e) {
        _cleanup_close_ int from = openat(from_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_free_ Copy *c = new0(Copy, 1);
        struct stat st;
        int r;

        if (!c)
                return error_oom(e);
        if (from < 0 || fstat(from, &st) < 0)
                return error_setf(e, -errno, "cannot open the directory to copy: %s", strerror(errno));
        c->top_fd = to_fd;
        r = copy_directory(c, from, to_fd, e);
        first_names_done(&c->names_met);
        if (r >= 0)
                r = copy_attributes(c, from, to_fd, &st);
        return r < 0 && e && !e->message ? error_setf(e, r, "cannot copy a directory: %s", strerror(-r))
                                         : MIN(r, 0);
}
