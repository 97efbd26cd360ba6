/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes a tree, object by object, beneath a directory descriptor.
 *
 * Nothing that exists is ever replaced: every object is created with O_EXCL or its like, so a second entry of a name is an
 * error, and what a path led to once it leads to for good. Parents are looked up by openat2() as if the tree were "/":
 * an archive may say var/run -> /run and go on with var/run/pid, as ordinary images do, and whatever a link says, it ends
 * inside. The last component is never followed.
 *
 * Directories get their mode, access control lists and time at the end, since creating in them changes the time, and what
 * is created inherits the default list. Owners come before modes, because chown() clears the setid bits, and before
 * attributes, because it clears security.capability; access control lists come after modes, which they determine.
 */
#include "store/untar.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "store/acl.h"

#define COPY_BUFFER IO_BUFFER(256U * 1024)

typedef struct Directory {
        char *path;
        uint32_t mode;
        struct timespec mtime;
        TarEntry *acls; /* just these, or NULL; set earlier, the default list would be inherited */
} Directory;

typedef struct Blob {
        int fd;
        uint64_t size;
} Blob;

struct Untar {
        int root_fd;
        Blob *blobs;
        size_t n_blobs;
        bool is_root; /* owners and devices can be made */
        char *buffer; /* COPY_BUFFER */
        char *parent; /* path of parent_fd; NULL: none */
        int parent_fd;
        Directory *directories;
        size_t n_directories;
        uint64_t size;
        uint64_t n_entries;
};

/**
 * untar_new() - begin a tree
 * @root_fd:  empty directory, becomes the root; stays the caller's
 * @blob_fds: seekable, for the contents of files, in the order of TarEntry's device; stay the caller's
 * @n_blobs:  count
 * @ret:      for untar_free()
 * @e:        sentence on failure; may be NULL
 *
 * The umask must be 0. Without root's rights owners are not set.
 *
 * Return: 0, -ENOMEM, errno of fstat().
 */
int untar_new(int root_fd, const int *blob_fds, size_t n_blobs, Untar **ret, Error *e) {
        _cleanup_(untar_freep) Untar *u = NULL;
        struct stat st;

        u = new0(Untar, 1);
        if (!u)
                return error_oom(e);
        u->parent_fd = -EBADF;
        u->root_fd = root_fd;
        u->is_root = geteuid() == 0;
        u->buffer = malloc(COPY_BUFFER);
        u->blobs = new0(Blob, n_blobs);
        if (!u->buffer || !u->blobs)
                return error_oom(e);
        for (; u->n_blobs < n_blobs; u->n_blobs++) {
                int fd = blob_fds[u->n_blobs];

                if (fstat(fd, &st) < 0)
                        return error_setf(e, -errno, "cannot examine the blob: %m");
                u->blobs[u->n_blobs] = (Blob){ .fd = fd, .size = (uint64_t) st.st_size };
        }
        *ret = TAKE_PTR(u);
        return 0;
}

/**
 * untar_free() - free; the tree stays as it is
 * @u: may be NULL
 *
 * Return: NULL.
 */
Untar *untar_free(Untar *u) {
        if (!u)
                return NULL;
        FOREACH_ARRAY (d, u->directories, u->n_directories) {
                free(d->path);
                if (d->acls)
                        tar_entry_done(d->acls);
                free(d->acls);
        }
        free(u->directories);
        free(u->blobs);
        free(u->buffer);
        free(u->parent);
        (void) fd_close(u->parent_fd);
        free(u);
        return NULL;
}

static struct timespec entry_mtime(const TarEntry *t) {
        return (struct timespec){ .tv_sec = t->mtime_sec, .tv_nsec = t->mtime_nsec };
}

static bool is_acl(const TarXattr *x) {
        return streq(x->name, ACL_XATTR_ACCESS) || streq(x->name, ACL_XATTR_DEFAULT);
}

/* For untar_finish(): a directory's mode and time, and the access control lists of the entry, if there is one. */
static int remember_directory(Untar *u, const char *path, size_t size, uint32_t mode,
                              const TarEntry *mtime_of, const TarEntry *acls_of) {
        Directory *d;

        if (!GREEDY_GROW(u->directories, u->n_directories))
                return -ENOMEM;
        d = &u->directories[u->n_directories];
        *d = (Directory){ .path = strndup(path, size), .mode = mode, .mtime = entry_mtime(mtime_of) };
        if (!d->path)
                return -ENOMEM;
        u->n_directories++;
        for (size_t i = 0; acls_of && i < acls_of->n_xattrs; i++) {
                const TarXattr *x = &acls_of->xattrs[i];
                int r;

                if (!is_acl(x))
                        continue;
                if (!d->acls)
                        d->acls = new0(TarEntry, 1);
                r = d->acls ? tar_entry_add_xattr(d->acls, x->name, x->value, x->size) : -ENOMEM;
                if (r < 0)
                        return r;
        }
        return 0;
}

/* What is missing of "parent" becomes 0755 and root's, with the time of the entry that needs it. */
static int imply_directories(Untar *u, const char *parent, const TarEntry *why) {
        int r = 0;

        for (const char *p = parent; r >= 0;) {
                size_t n = (size_t) (p - parent) + strcspn(p, "/");
                _cleanup_free_ char *path = strndup(parent, n);
                _cleanup_close_ int fd = -EBADF;

                if (!path)
                        return -ENOMEM;
                fd = root_open(u->root_fd, path, O_PATH | O_DIRECTORY);
                if (fd == -ENOENT) {
                        fd = root_mkdirs(u->root_fd, path, 0755);
                        if (fd >= 0)
                                r = remember_directory(u, path, n, 0755, why, NULL);
                }
                if (r < 0 || fd < 0 || parent[n] == '\0')
                        return r < 0 ? r : fd < 0 ? fd : TAKE_FD(fd);
                p = parent + n + 1;
        }
        return r;
}

/* Opens the directory that holds the entry, and makes missing ones. The last one is kept open: nothing in the tree is
 * ever replaced, so the same spelling leads to the same directory. */
static int open_parent(Untar *u, const TarEntry *t, const char **ret_name, Error *e) {
        const char *path = t->path, *slash = strrchr(path, '/');
        _cleanup_free_ char *parent = NULL;
        int fd;

        *ret_name = slash ? slash + 1 : path;
        if (!slash)
                return u->root_fd;
        if (u->parent && strncmp(u->parent, path, (size_t) (slash - path)) == 0 &&
            u->parent[slash - path] == '\0')
                return u->parent_fd;
        parent = strndup(path, (size_t) (slash - path));
        if (!parent)
                return error_oom(e);
        fd = root_open(u->root_fd, parent, O_PATH | O_DIRECTORY);
        if (fd == -ENOENT)
                fd = imply_directories(u, parent, t);
        if (fd == -ENOTDIR)
                return error_setf(e, -EBADMSG, "what should be its folder is no directory");
        if (fd == -ELOOP)
                return error_setf(e, fd, "its folder is a link that leads in a circle");
        if (fd == -ENOENT)
                return error_setf(e, -EBADMSG, "its folder is a link to nothing");
        if (fd < 0)
                return error_setf(e, fd, "cannot open its folder: %s", strerror(-fd));
        (void) fd_close(u->parent_fd);
        free(u->parent);
        u->parent_fd = fd;
        u->parent = TAKE_PTR(parent);
        return fd;
}

static int creation_error(int r, Error *e) {
        if (r == -EEXIST)
                return error_setf(e, -ENOTUNIQ, "the archive has it twice");
        return error_setf(e, r, "cannot be created: %s", strerror(-r));
}

/* Access control lists, or all other attributes. */
static int set_xattrs(int fd, const TarEntry *t, bool acls, Error *e) {
        FOREACH_ARRAY (x, t->xattrs, t->n_xattrs) {
                char name[TAR_NAME_ESCAPED_MAX];

                if (is_acl(x) != acls || fsetxattr(fd, x->name, x->value, x->size, 0) == 0)
                        continue;
                /* robustness.md 75: a file system without them is no reason to refuse an image. */
                if (errno == EOPNOTSUPP && startswith(x->name, "user."))
                        continue;
                return error_setf(e, -errno, "cannot set its attribute '%s': %m",
                                  tar_name_escape(x->name, name));
        }
        return 0;
}

static int set_owner(const Untar *u, int fd, const TarEntry *t, Error *e) {
        if (u->is_root && fchown(fd, t->uid, t->gid) < 0)
                return error_setf(e, -errno, "cannot set its owner %u:%u: %m", t->uid, t->gid);
        return 0;
}

/* Owner, times and, if it is no link, mode of an object that has no descriptor. */
static int set_attributes_at(const Untar *u, int dir_fd, const char *name, const TarEntry *t, Error *e) {
        const struct timespec times[2] = { entry_mtime(t), entry_mtime(t) };

        if (u->is_root && fchownat(dir_fd, name, t->uid, t->gid, AT_SYMLINK_NOFOLLOW) < 0)
                return error_setf(e, -errno, "cannot set its owner %u:%u: %m", t->uid, t->gid);
        /* Just created as no link, and nobody else is here. */
        if (t->type != TAR_SYMLINK && fchmodat(dir_fd, name, t->mode, 0) < 0)
                return error_setf(e, -errno, "cannot set its mode: %m");
        if (utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
                return error_setf(e, -errno, "cannot set its time: %m");
        return 0;
}

static int copy_by_buffer(Untar *u, int from, int fd, uint64_t source, uint64_t size) {
        while (size > 0) {
                ssize_t n = pread(from, u->buffer, MIN(size, COPY_BUFFER), (off_t) source);
                int r;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : -EBADMSG;
                r = fd_write_all(fd, u->buffer, (size_t) n);
                if (r < 0)
                        return r;
                source += (uint64_t) n;
                size -= (uint64_t) n;
        }
        return 0;
}

static int write_segments(Untar *u, int fd, const TarEntry *t, Error *e) {
        const Blob *blob = u->blobs + t->device;
        uint64_t end = 0;
        int r;

        if (t->device >= u->n_blobs)
                return error_setf(e, -EBADMSG, "its content lies in a blob that there is not");
        FOREACH_ARRAY (s, t->segments, t->n_segments) {
                if (s->size == 0) /* GNU tar marks the end of the file so; it extends nothing */
                        continue;
                if (s->source > blob->size || s->size > blob->size - s->source)
                        return error_setf(e, -EBADMSG, "its content lies behind the end of the blob");
                if (s->offset != end && lseek(fd, (off_t) s->offset, SEEK_SET) < 0)
                        return error_setf(e, -errno, "cannot be written: %m");
                r = copy_by_buffer(u, blob->fd, fd, s->source, s->size);
                if (r < 0)
                        return error_setf(e, r, "cannot be written: %s", strerror(-r));
                end = s->offset + s->size;
        }
        if (end < t->size && ftruncate(fd, (off_t) t->size) < 0)
                return error_setf(e, -errno, "cannot be made as large as it should be: %m");
        return 0;
}

static int make_file(Untar *u, int dir_fd, const char *name, const TarEntry *t, Error *e) {
        const struct timespec times[2] = { entry_mtime(t), entry_mtime(t) };
        _cleanup_close_ int fd = -EBADF;
        int r;

        fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return creation_error(-errno, e);
        r = write_segments(u, fd, t, e);
        if (r >= 0)
                r = set_owner(u, fd, t, e);
        if (r >= 0)
                r = set_xattrs(fd, t, false, e);
        if (r < 0)
                return r;
        if (fchmod(fd, t->mode) < 0)
                return error_setf(e, -errno, "cannot set its mode: %m");
        r = set_xattrs(fd, t, true, e);
        if (r < 0)
                return r;
        if (futimens(fd, times) < 0)
                return error_setf(e, -errno, "cannot set its time: %m");
        u->size += t->size;
        return 0;
}

/* An archive may name a directory again, and one may exist because something in it came first. */
static int make_directory(Untar *u, int dir_fd, const char *name, const TarEntry *t, Error *e) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (*name == '\0')
                fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        else {
                if (mkdirat(dir_fd, name, 0700) < 0 && errno != EEXIST)
                        return creation_error(-errno, e);
                fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        }
        if (fd < 0)
                return errno == ENOTDIR || errno == ELOOP
                               ? error_setf(e, -ENOTUNIQ, "the archive has it twice, once as no directory")
                               : error_setf(e, -errno, "cannot be opened: %m");
        r = set_owner(u, fd, t, e);
        if (r >= 0)
                r = set_xattrs(fd, t, false, e);
        if (r < 0)
                return r;
        return remember_directory(u, t->path, strlen(t->path), t->mode, t, t) < 0 ? error_oom(e) : 0;
}

static int make_hardlink(Untar *u, int dir_fd, const char *name, const TarEntry *t, Error *e) {
        char buffer[TAR_NAME_ESCAPED_MAX];
        _cleanup_close_ int target_dir = -EBADF;
        _cleanup_free_ char *parent = NULL;
        const char *slash = strrchr(t->link, '/'), *target = slash ? slash + 1 : t->link;
        struct stat st;

        parent = slash ? strndup(t->link, (size_t) (slash - t->link)) : strdup("/");
        if (!parent)
                return error_oom(e);
        target_dir = root_open(u->root_fd, parent, O_PATH | O_DIRECTORY);
        if (target_dir < 0 || fstatat(target_dir, target, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return error_setf(e, -EBADMSG, "its hard link's target '%s' does not come before it",
                                  tar_name_escape(t->link, buffer));
        if (S_ISDIR(st.st_mode))
                return error_setf(e, -EBADMSG, "its hard link's target '%s' is a directory",
                                  tar_name_escape(t->link, buffer));
        if (linkat(target_dir, target, dir_fd, name, 0) < 0)
                return creation_error(-errno, e);
        return 0;
}

static int make_node(Untar *u, int dir_fd, const char *name, const TarEntry *t, Error *e) {
        mode_t type = t->type == TAR_FIFO ? S_IFIFO : t->type == TAR_CHRDEV ? S_IFCHR : S_IFBLK;

        if (mknodat(dir_fd, name, type | 0600, makedev(t->major, t->minor)) < 0)
                return creation_error(-errno, e);
        return set_attributes_at(u, dir_fd, name, t, e);
}

static int make_symlink(Untar *u, int dir_fd, const char *name, const TarEntry *t, Error *e) {
        if (symlinkat(t->link, dir_fd, name) < 0)
                return creation_error(-errno, e);
        return set_attributes_at(u, dir_fd, name, t, e);
}

static int make_entry(Untar *u, const TarEntry *t, Error *e) {
        const char *name;
        int dir_fd;

        dir_fd = open_parent(u, t, &name, e);
        if (dir_fd < 0)
                return dir_fd;
        switch (t->type) {
        case TAR_FILE: return make_file(u, dir_fd, name, t, e);
        case TAR_DIRECTORY: return make_directory(u, dir_fd, name, t, e);
        case TAR_SYMLINK: return make_symlink(u, dir_fd, name, t, e);
        case TAR_HARDLINK: return make_hardlink(u, dir_fd, name, t, e);
        case TAR_CHRDEV:
        case TAR_BLKDEV:
        case TAR_FIFO: return make_node(u, dir_fd, name, t, e);
        default: return error_setf(e, -EOPNOTSUPP, "unknown type");
        }
}

/**
 * untar_entry() - make one object
 * @u: tree
 * @t: from frame_decode_entry()
 * @e: sentence on failure, naming the entry; may be NULL
 *
 * Return: 0; -ENOTUNIQ (a second one of the name), -EBADMSG (a folder that is none, a hard link to nothing), -ELOOP,
 * -ENOSPC, -EDQUOT, other errno of the calls that make things.
 */
int untar_entry(Untar *u, const TarEntry *t, Error *e) {
        char buffer[TAR_NAME_ESCAPED_MAX];
        int r;

        r = make_entry(u, t, e);
        if (r < 0)
                return error_prefixf(e, r, "entry '%s'", tar_name_escape(t->path, buffer));
        u->n_entries++;
        return 0;
}

/**
 * untar_whiteout() - what overlayfs takes for "not there": a device 0:0
 * @u:    tree
 * @path: from frame_decode_path(); not the root
 * @e:    sentence on failure, naming it; may be NULL
 *
 * Return: as untar_entry().
 */
int untar_whiteout(Untar *u, const char *path, Error *e) {
        _cleanup_free_ char *copy = strdup(path);
        const TarEntry t = { .type = TAR_CHRDEV, .path = copy };

        if (!copy)
                return error_oom(e);
        return *path ? untar_entry(u, &t, e) : error_setf(e, -EBADMSG, "a whiteout that cannot be");
}

/**
 * untar_finish() - the directories' modes and times
 * @u:        tree; nothing may be added afterwards
 * @ret_size: bytes of all files, hard links counted once
 * @ret_n:    objects made
 * @e:        sentence on failure; may be NULL
 *
 * Nothing is synced: that is the store's business, once for all.
 *
 * Return: 0, errno of openat2(), fchmod(), futimens().
 */
int untar_finish(Untar *u, uint64_t *ret_size, uint64_t *ret_n, Error *e) {
        FOREACH_ARRAY (d, u->directories, u->n_directories) {
                const struct timespec times[2] = { d->mtime, d->mtime };
                _cleanup_close_ int fd = -EBADF;
                char buffer[TAR_NAME_ESCAPED_MAX];
                int r = 0;

                fd = root_open(u->root_fd, *d->path ? d->path : "/", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
                if (fd < 0)
                        r = fd;
                else if (fchmod(fd, d->mode) < 0)
                        r = -errno;
                if (r >= 0 && d->acls) {
                        r = set_xattrs(fd, d->acls, true, e);
                        if (r < 0)
                                return error_prefixf(e, r, "entry '%s'", tar_name_escape(d->path, buffer));
                }
                if (r >= 0 && futimens(fd, times) < 0)
                        r = -errno;
                if (r < 0)
                        return error_setf(e, r, "entry '%s': cannot set mode and time: %s",
                                          tar_name_escape(d->path, buffer), strerror(-r));
        }
        *ret_size = u->size;
        *ret_n = u->n_entries;
        return 0;
}
