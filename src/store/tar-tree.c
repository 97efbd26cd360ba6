/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Walks a directory that nobody changes meanwhile, in the order of names, so that the same tree gives the same archive. No link is
 * followed: each object is looked up in an open directory, by a name without a slash. */
#include "store/tar-tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/first-name.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "store/acl.h"

typedef struct Walk {
        TarWriter *w;
        FirstNames names_met;
        unsigned depth;
} Walk;

static bool is_portable(const char *name) {
        return (startswith(name, "user.") && !startswith(name, "user.overlay.")) ||
               streq(name, "security.capability") || streq(name, ACL_XATTR_ACCESS) ||
               streq(name, ACL_XATTR_DEFAULT);
}

static int add_xattrs(TarEntry *t, int fd) {
        _cleanup_free_ char *names = malloc(XATTR_LIST_MAX), *value = malloc(TAR_XATTR_VALUE_MAX);
        ssize_t size = names && value ? flistxattr(fd, names, XATTR_LIST_MAX) : -1;

        if (!names || !value)
                return -ENOMEM;
        if (size < 0)
                return errno == EOPNOTSUPP ? 0 : -errno;
        for (const char *n = names; n < names + size; n += strlen(n) + 1) {
                ssize_t k = is_portable(n) ? fgetxattr(fd, n, value, TAR_XATTR_VALUE_MAX) : 0;
                int r = is_portable(n) ? (k < 0 ? -errno : tar_entry_add_xattr(t, n, value, (size_t) k)) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

/* Where a file has bytes; so many holes that they cannot be named are written out. */
static int add_segments(TarEntry *t, int fd) {
        off_t end = 0, size = (off_t) t->size;

        while (end < size) {
                off_t start = lseek(fd, end, SEEK_DATA);
                int r;

                if (start < 0 && errno == ENXIO)
                        break;
                if (start < 0)
                        return -errno;
                end = t->n_segments + 1 < TAR_SEGMENTS_MAX ? lseek(fd, start, SEEK_HOLE) : size;
                if (end < 0)
                        return -errno;
                end = MIN(end, size);
                r = tar_entry_add_segment(t, (uint64_t) start, (uint64_t) (end - start), (uint64_t) start);
                if (r < 0)
                        return r;
        }
        return 0;
}

static void fill(TarEntry *t, const struct stat *st) {
        t->mode = st->st_mode & 07777;
        t->uid = st->st_uid;
        t->gid = st->st_gid;
        t->mtime_sec = st->st_mtim.tv_sec;
        t->mtime_nsec = (uint32_t) st->st_mtim.tv_nsec;
}

static int write_file(Walk *x, int dir_fd, const char *name, TarEntry *t, Error *e) {
        _cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        struct stat st;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -ESTALE;
        t->type = TAR_FILE;
        t->size = (uint64_t) st.st_size;
        r = add_xattrs(t, fd);
        if (r >= 0)
                r = add_segments(t, fd);
        return r < 0 ? r : tar_writer_file(x->w, t, fd, e);
}

/* What has no descriptor. A socket is nothing without who listens. */
static int write_node(Walk *x, int dir_fd, const char *name, const struct stat *st, TarEntry *t, Error *e) {
        if (S_ISLNK(st->st_mode)) {
                t->type = TAR_SYMLINK;
                t->link = calloc(1, TAR_PATH_MAX + 1);
                if (!t->link)
                        return -ENOMEM;
                if (readlinkat(dir_fd, name, t->link, TAR_PATH_MAX) < 0)
                        return -errno;
        } else if (S_ISFIFO(st->st_mode))
                t->type = TAR_FIFO;
        else if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
                t->type = S_ISCHR(st->st_mode) ? TAR_CHRDEV : TAR_BLKDEV;
                t->major = major(st->st_rdev);
                t->minor = minor(st->st_rdev);
        } else
                return 0;
        return tar_writer_entry(x->w, t, e);
}

static int write_object(Walk *x, int dir_fd, const char *name, const char *path, Error *e);

/* NOLINTNEXTLINE(misc-no-recursion): no deeper than TAR_TREE_DEPTH_MAX */
static int write_directory(Walk *x, int fd, TarEntry *t, Error *e) {
        _cleanup_strv_free_ char **names = NULL;
        int r = ++x->depth > TAR_TREE_DEPTH_MAX ? -ELOOP : add_xattrs(t, fd);

        t->type = TAR_DIRECTORY;
        if (r >= 0)
                r = tar_writer_entry(x->w, t, e);
        if (r >= 0)
                r = dir_list_at(fd, ".", &names);
        strv_sort(names);
        for (char **n = names; n && *n && r >= 0; n++) {
                _cleanup_free_ char *path = *t->path ? strf("%s/%s", t->path, *n) : strdup(*n);

                r = path ? write_object(x, fd, *n, path, e) : -ENOMEM;
        }
        x->depth--;
        return r;
}

/* NOLINTNEXTLINE(misc-no-recursion): no deeper than TAR_TREE_DEPTH_MAX */
static int write_typed(Walk *x, int dir_fd, const char *name, TarEntry *t, Error *e) {
        _cleanup_close_ int fd = -EBADF;
        const char *first = NULL;
        struct stat st;
        int r = 0;

        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        fill(t, &st);
        if (S_ISDIR(st.st_mode)) {
                fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                return fd < 0 ? -errno : write_directory(x, fd, t, e);
        }
        if (S_ISREG(st.st_mode) && st.st_nlink > 1)
                r = first_names_meet(&x->names_met, &st, t->path, &first);
        if (r > 0) {
                t->type = TAR_HARDLINK;
                t->link = strdup(first);
                return t->link ? tar_writer_entry(x->w, t, e) : -ENOMEM;
        }
        if (r < 0)
                return r;
        return S_ISREG(st.st_mode) ? write_file(x, dir_fd, name, t, e)
                                   : write_node(x, dir_fd, name, &st, t, e);
}

/* The sentence is made where the failure is. */
/* NOLINTNEXTLINE(misc-no-recursion): no deeper than TAR_TREE_DEPTH_MAX */
static int write_object(Walk *x, int dir_fd, const char *name, const char *path, Error *e) {
        _cleanup_(tar_entry_done) TarEntry t = TAR_ENTRY_INIT;
        char escaped[TAR_NAME_ESCAPED_MAX];
        int r;

        t.path = strdup(path);
        if (!t.path)
                return error_oom(e);
        r = write_typed(x, dir_fd, name, &t, e);
        if (r < 0 && e && !e->message)
                (void) error_setf(e, r, "cannot read '/%s': %s", tar_name_escape(path, escaped),
                                  strerror(-r));
        return r;
}

/**
 * tar_writer_tree() - a directory and all that is in it
 * @w:       archive
 * @root_fd: directory; becomes the archive's root
 * @e:       sentence on failure, naming the object; must be empty; may be NULL
 *
 * Attributes that another host has no use for are left out, and so are sockets.
 *
 * Return: 0; -ELOOP: too deep; -ENOMEM; errno of the calls that read; what the sink returned.
 */
int tar_writer_tree(TarWriter *w, int root_fd, Error *e) {
        Walk x = { .w = w };
        int r = write_object(&x, root_fd, ".", "", e);

        first_names_done(&x.names_met);
        return r;
}
