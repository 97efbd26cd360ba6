/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Extract, render. A directory is made beside its place under another name and moved there by one rename. */
#include "image/image-output.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/tmpfile.h"
#include "image/image-render.h"
#include "image/output-file.h"
#include "image/output-scratch.h"
#include "store/store-blob.h"
#include "store/store-layer.h"
#include "store/store-tree.h"

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
        _cleanup_(output_scratch_done) OutputScratch x = OUTPUT_SCRATCH_INIT;
        _cleanup_close_ int lock = -EBADF, tree = -EBADF;
        int r;

        r = output_place_find(path, true, &p, e);
        if (r >= 0 && p.exists && !(flags & IMAGE_OUTPUT_OVERWRITE))
                r = error_setf(e, -EEXIST, "output directory exists (try --overwrite)");
        if (r >= 0 && p.exists)
                r = check_overwrite(s, &p, e);
        if (r >= 0)
                r = output_scratch_new(&p, &x, e);
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
