/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Extract, render. A directory is made beside its place under another name and moved there by one rename. Until that
 * is done, a second process waits for our end, however it comes, and takes away what is half: there is no later user of the
 * user's directory who could do that. */
#include "image/image-output.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/tmpfile.h"
#include "basic/uuid.h"
#include "image/image-render.h"
#include "image/output-file.h"
#include "store/store-blob.h"
#include "store/store-layer.h"
#include "store/store-tree.h"

#define GUARD_TRIES    100
#define GUARD_USEC     20000
#define SCRATCH_PREFIX 180 /* bytes of the target's name that are in the scratch directory's */

/* A directory beside the place. */
typedef struct Scratch {
        char *name;
        int fd;
        int guard_fd; /* closing it sets off the guard */
        pid_t guard;
} Scratch;

#define SCRATCH_INIT ((Scratch){ .fd = -EBADF, .guard_fd = -EBADF })

/* Runs until the other end of the pipe is closed. A worker that still writes ends with our parent. */
static _noreturn_ void guard(int folder_fd, int pipe_fd, const char *name) {
        int folder, end, null;
        char c;

        (void) setsid();
        folder = fcntl(folder_fd, F_DUPFD, 16);
        end = fcntl(pipe_fd, F_DUPFD, 16);
        null = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (folder < 0 || end < 0 || null < 0)
                _exit(EXIT_FAILURE);
        for (int fd = 0; fd < 3; fd++)
                (void) dup2(null, fd);
        (void) dup2(folder, 3);
        (void) dup2(end, 4);
        (void) close_range(5, ~0U, 0);
        while (read(4, &c, 1) < 0 && errno == EINTR)
                ;
        for (unsigned i = 0; i < GUARD_TRIES && remove_tree_at(3, name) < 0; i++)
                (void) usleep(GUARD_USEC);
        _exit(EXIT_SUCCESS);
}

static int start_guard(Scratch *x, int folder_fd, Error *e) {
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                return error_setf(e, -errno, "pipe: %m");
        x->guard = fork();
        if (x->guard == 0) {
                (void) close(fds[1]);
                guard(folder_fd, fds[0], x->name);
        }
        (void) fd_close(fds[0]);
        x->guard_fd = fds[1];
        return x->guard < 0 ? error_setf(e, -errno, "fork: %m") : 0;
}

/* The name is removed by the guard. */
static void scratch_done(Scratch *x) {
        (void) fd_close(x->fd);
        (void) fd_close(x->guard_fd);
        while (x->guard > 0 && waitpid(x->guard, NULL, 0) < 0 && errno == EINTR)
                ;
        free(x->name);
}

static int scratch_new(const OutputPlace *p, Scratch *ret, Error *e) {
        char uuid[UUID_STRING_MAX];
        int r = uuid_new(uuid);

        if (r < 0)
                return error_setf(e, r, "no random numbers: %s", strerror(-r));
        ret->name = strf(".%.*s.rkt-%s", SCRATCH_PREFIX, p->name, uuid);
        if (!ret->name)
                return error_oom(e);
        r = start_guard(ret, p->folder_fd, e);
        if (r < 0)
                return r;
        if (mkdirat(p->folder_fd, ret->name, 0700) < 0)
                return error_setf(e, -errno, "cannot create a directory beside '%s': %m", p->path);
        ret->fd = openat(p->folder_fd, ret->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return ret->fd < 0 ? error_setf(e, -errno, "cannot open a directory beside '%s': %m", p->path) : 0;
}

/* What must not go away, whatever is asked for: the root, and what holds the store. */
static int check_overwrite(Store *s, const OutputPlace *p, Error *e) {
        _cleanup_free_ char *target = realpath(p->path, NULL), *store = realpath(store_dir(s), NULL);
        const char *rest;

        if (!*p->name || (target && streq(target, "/")))
                return error_setf(e, -EPERM, "this would delete your root filesystem. Refusing.");
        rest = target && store ? startswith(store, target) : NULL;
        if (rest && (*rest == '\0' || *rest == '/'))
                return error_setf(e, -EPERM, "'%s' holds the store; not overwritten", p->path);
        rest = target && store ? startswith(target, store) : NULL;
        if (rest && *rest == '/')
                return error_setf(e, -EPERM, "'%s' is in the store; not overwritten", p->path);
        return 0;
}

static int unpack_parts(Store *s, const char *key, ImageOutputFlags flags, int dir_fd, Error *e) {
        const StoreTreePart alone = { .key = key };
        _cleanup_(image_render_done) ImageRender x = IMAGE_RENDER_INIT;
        _cleanup_(store_image_done) StoreImage image = STORE_IMAGE_INIT;
        int r;

        if (store_image_load(s, key, &image, NULL) >= 0 && image.layers)
                return store_layers_unpack(s, image.layers, dir_fd, e);
        if (!(flags & IMAGE_OUTPUT_DEPENDENCIES))
                return store_tree_unpack(s, &alone, 1, dir_fd, e);
        r = image_render_list(s, key, &x, e);
        return r < 0 ? r : store_tree_unpack(s, x.parts, x.n_parts, dir_fd, e);
}

static int write_manifest(Store *s, const char *key, int dir_fd, Error *e) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = store_manifest_read(s, key, &text, &size, e);
        if (r < 0)
                return r;
        r = file_write_at(dir_fd, "manifest", text, size, output_mode(0644), FILE_WRITE_NO_SYNC);
        return r < 0 ? error_setf(e, r, "cannot write the manifest: %s", strerror(-r)) : 0;
}

static int move_to_place(const OutputPlace *p, int dir_fd, const char *name, ImageOutputFlags flags,
                         Error *e) {
        int r;

        r = rename_noreplace_at(dir_fd, name, p->folder_fd, p->name);
        if (r == -EEXIST && (flags & IMAGE_OUTPUT_OVERWRITE))
                /* What was there is in the scratch directory then, and goes away with it. */
                r = RET_NERRNO(renameat2(dir_fd, name, p->folder_fd, p->name, RENAME_EXCHANGE));
        else if (r == -EEXIST)
                return error_setf(e, r, "output directory exists (try --overwrite)");
        if (r >= 0)
                r = fsync_dir_at(p->folder_fd, ".");
        return r < 0 ? error_setf(e, r, "cannot create '%s': %s", p->path, strerror(-r)) : 0;
}

/**
 * image_unpack() - an image as a directory
 * @s:     store, opened for writing
 * @key:   image
 * @path:  directory that is made, with the folders that lead to it
 * @flags: what, and whether something that is there is replaced
 * @e:     sentence on failure; may be NULL
 *
 * The files are made by rkt-untar, which reaches nothing but that directory. The blobs are hashed on the way.
 *
 * Return: 0; -EEXIST, -EPERM (what holds the store, or everything, is not overwritten), -EBADMSG (damaged), -ENOENT (image or
 * dependency), what image_render_list() returns, -ENOSPC, other errno.
 */
int image_unpack(Store *s, const char *key, const char *path, ImageOutputFlags flags, Error *e) {
        _cleanup_(output_place_done) OutputPlace p = OUTPUT_PLACE_INIT;
        _cleanup_(scratch_done) Scratch x = SCRATCH_INIT;
        _cleanup_close_ int lock = -EBADF, tree = -EBADF;
        int r;

        r = output_place_find(path, true, &p, e);
        if (r >= 0 && p.exists && !(flags & IMAGE_OUTPUT_OVERWRITE))
                r = error_setf(e, -EEXIST, "output directory exists (try --overwrite)");
        if (r >= 0 && p.exists)
                r = check_overwrite(s, &p, e);
        if (r >= 0)
                r = scratch_new(&p, &x, e);
        if (r >= 0)
                r = store_lock(s, LOCK_MODE_SHARED, 1, &lock, e);
        if (r >= 0)
                r = unpack_parts(s, key, flags, x.fd, e);
        if (r < 0)
                return r;
        if (flags & IMAGE_OUTPUT_ROOTFS_ONLY)
                return move_to_place(&p, x.fd, "rootfs", flags, e);
        if (mkdirat(x.fd, "image", output_mode(0755)) < 0)
                return error_setf(e, -errno, "cannot create '%s': %m", p.path);
        tree = openat(x.fd, "image", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (tree < 0)
                return error_setf(e, -errno, "cannot open '%s': %m", p.path);
        r = write_manifest(s, key, tree, e);
        if (r >= 0 && renameat(x.fd, "rootfs", tree, "rootfs") < 0)
                r = error_setf(e, -errno, "cannot create '%s': %m", p.path);
        return r < 0 ? r : move_to_place(&p, x.fd, "image", flags, e);
}
