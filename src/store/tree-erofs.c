/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cas/tree/KEY/index.erofs and image.erofs: how they are mounted, and which of them this kernel can mount. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "store/erofs-mount.h"
#include "store/erofs-writer.h"
#include "store/store-internal.h"
#include "store/tree-backend.h"

#define PROBE_SOURCE 512U   /* not at a page's start, as files in a tar */
#define PROBE_SIZE   12345U /* several pages, the last one not whole */
#define PROBE_BLOB   13312U
#define PROBE_NAME   "probe"

/* Files of the store, with names, for erofs_mount(). */
typedef struct FileList {
        ErofsFile *files;
        char **paths; /* files[].path points here */
        size_t n;
} FileList;

static void file_list_done(FileList *l) {
        for (size_t i = 0; i < l->n; i++)
                (void) fd_close(l->files[i].fd);
        free(l->files);
        strv_free(l->paths);
}

/* "path" is beneath cas. */
static int file_list_add(FileList *l, Store *s, const char *path, Error *e) {
        int r = strv_extendf(&l->paths, "%s/cas/%s", s->dir, path);

        if (r < 0 || !GREEDY_GROW(l->files, l->n))
                return error_oom(e);
        l->files[l->n] = (ErofsFile){ .path = l->paths[l->n],
                                      .fd = openat(s->cas_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) };
        if (l->files[l->n].fd < 0)
                return error_setf(e, -errno, "cannot open '%s': %m", l->files[l->n].path);
        l->n++;
        return 0;
}

/* The image, and for an index its blobs. */
static int file_list_load(FileList *l, Store *s, const char *key, const char *name, bool is_index, Error *e) {
        _cleanup_strv_free_ char **blobs = NULL;
        char dir[STORE_TREE_PATH_MAX], path[STORE_TREE_PATH_MAX + 32];
        int r;

        store_tree_path(key, dir);
        (void) snprintf(path, sizeof(path), "%s/%s", dir, name);
        r = file_list_add(l, s, path, e);
        if (r >= 0 && is_index)
                r = store_tree_blobs(s, key, &blobs, e);
        for (char **b = blobs; r >= 0 && b && *b; b++) {
                char blob[STORE_BLOB_PATH_MAX];

                store_blob_path(*b, "", blob);
                r = file_list_add(l, s, blob, e);
        }
        return r;
}

/* What a kernel says that mounts no files, or none on this file system. */
static bool needs_loop(int r) {
        return r == -ENOTBLK || r == -EINVAL || r == -EOPNOTSUPP || r == -ENODEV;
}

static int mount_tree(Store *s, const char *key, const char *name, bool is_index, int *ret_fd, Error *e) {
        _cleanup_(file_list_done) FileList l = {};
        const char *forced = secure_getenv("RKT_TREE_BACKEND");
        int r = file_list_load(&l, s, key, name, is_index, e);

        if (r < 0)
                return r;
        if (!streq_ptr(forced, "index-loop")) {
                r = erofs_mount(EROFS_MOUNT_FILES, l.files, l.files + 1, l.n - 1, ret_fd, e);
                if (!needs_loop(r))
                        return r;
        }
        return erofs_mount(EROFS_MOUNT_LOOP, l.files, l.files + 1, l.n - 1, ret_fd, e);
}

static int index_mount(Store *s, const char *key, int *ret_fd, Error *e) {
        return mount_tree(s, key, tree_index.name, true, ret_fd, e);
}

static int image_mount(Store *s, const char *key, int *ret_fd, Error *e) {
        return mount_tree(s, key, tree_image.name, false, ret_fd, e);
}

const TreeBackend tree_index = { .id = STORE_TREE_INDEX, .name = "index.erofs", .mount = index_mount };
const TreeBackend tree_image = { .id = STORE_TREE_IMAGE, .name = "image.erofs", .mount = image_mount };

/* A blob, and the tree of a file in it. */
typedef struct Probe {
        char blob[PROBE_BLOB];
        int blob_fd;
        int image_fd;
        ErofsTree *tree;
} Probe;

static void probe_done(Probe *p) {
        (void) fd_close(p->blob_fd);
        (void) fd_close(p->image_fd);
        erofs_tree_free(p->tree);
}

/* The files are in the store, for what can be mounted is also a matter of the file system beneath. */
static int probe_init(Probe *p, Store *s) {
        _cleanup_close_ int tmp = openat(s->cas_fd, "tmp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        TarSegment segment = { .size = PROBE_SIZE, .source = PROBE_SOURCE };
        TarEntry entry = { .type = TAR_FILE,
                           .path = (char[]){ PROBE_NAME },
                           .mode = 0600,
                           .size = PROBE_SIZE,
                           .segments = &segment,
                           .n_segments = 1 };
        int r = tmp < 0 ? -errno : tmpfile_open_at(tmp, 0600, &p->blob_fd);

        for (size_t i = 0; i < sizeof(p->blob); i++)
                p->blob[i] = (char) (i / 64 + i); /* no two blocks are the same */
        if (r >= 0)
                r = fd_write_all(p->blob_fd, p->blob, sizeof(p->blob));
        if (r >= 0)
                r = tmpfile_open_at(tmp, 0600, &p->image_fd);
        if (r >= 0)
                r = erofs_tree_new(0, &p->tree);
        return r < 0 ? r : erofs_tree_add(p->tree, &entry, 0, NULL);
}

static bool probe_mount(const Probe *p, ErofsMountHow how, bool is_index) {
        const ErofsFile image = { .fd = p->image_fd }, device = { .fd = p->blob_fd };
        _cleanup_close_ int root = -EBADF, file = -EBADF;
        char content[PROBE_SIZE + 1];

        if (erofs_mount(how, &image, &device, is_index ? 1 : 0, &root, NULL) < 0)
                return false;
        file = openat(root, PROBE_NAME, O_RDONLY | O_CLOEXEC);
        return file >= 0 && fd_read_full(file, content, sizeof(content)) == (ssize_t) PROBE_SIZE &&
               memcmp(content, p->blob + PROBE_SOURCE, PROBE_SIZE) == 0;
}

static int probe_write(Probe *p, bool is_index) {
        static const uint8_t uuid[EROFS_UUID_SIZE] = { 1 };
        const ErofsDevice device = { .fd = p->blob_fd };
        uint64_t size;
        int r = RET_NERRNO(ftruncate(p->image_fd, 0));

        if (r >= 0)
                r = RET_NERRNO((int) lseek(p->image_fd, 0, SEEK_SET));
        if (r < 0)
                return r;
        return is_index ? erofs_write_index(p->tree, &device, 1, uuid, p->image_fd, &size, NULL)
                        : erofs_write_image(p->tree, &device, 1, uuid, p->image_fd, &size, NULL);
}

/**
 * tree_erofs_probe() - what this kernel can mount from this store
 * @s: store
 *
 * Tries: the number of a version says nothing about what a distribution built in, nor about the file system beneath.
 *
 * Return: the best that works; STORE_TREE_DIR if nothing does, or nobody may try (who is not root).
 */
StoreTreeBackend tree_erofs_probe(Store *s) {
        _cleanup_(probe_done) Probe p = { .blob_fd = -EBADF, .image_fd = -EBADF };

        if (geteuid() != 0 || probe_init(&p, s) < 0)
                return STORE_TREE_DIR;
        if (probe_write(&p, true) >= 0) {
                if (probe_mount(&p, EROFS_MOUNT_FILES, true))
                        return STORE_TREE_INDEX;
                if (probe_mount(&p, EROFS_MOUNT_LOOP, true))
                        return STORE_TREE_INDEX_LOOP;
        }
        if (probe_write(&p, false) >= 0 &&
            (probe_mount(&p, EROFS_MOUNT_FILES, false) || probe_mount(&p, EROFS_MOUNT_LOOP, false)))
                return STORE_TREE_IMAGE;
        return STORE_TREE_DIR;
}
