/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which backend makes a blob mountable, and the life of a tree on disk. */
#include "store/store-tree.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "store/store-internal.h"
#include "store/tree-backend.h"

#define DEVICES_MAX (1024U * 1024) /* bytes of "devices" */

static const char *const backend_names[_STORE_TREE_BACKEND_MAX] = {
        [STORE_TREE_INDEX] = "index",
        [STORE_TREE_INDEX_LOOP] = "index-loop",
        [STORE_TREE_IMAGE] = "image",
        [STORE_TREE_DIR] = "dir",
};

static const TreeBackend *const backends[] = { &tree_index, &tree_image, &tree_dir };

/**
 * store_tree_backend_to_string() - its name
 * @b: backend
 *
 * Return: a constant; NULL if there is no such backend.
 */
const char *store_tree_backend_to_string(StoreTreeBackend b) {
        return b >= 0 && b < _STORE_TREE_BACKEND_MAX ? backend_names[b] : NULL;
}

/**
 * store_tree_backend_from_string() - by its name
 * @s: name
 *
 * Return: the backend, -EINVAL.
 */
StoreTreeBackend store_tree_backend_from_string(const char *s) {
        for (int i = 0; i < _STORE_TREE_BACKEND_MAX; i++)
                if (streq(s, backend_names[i]))
                        return (StoreTreeBackend) i;
        return _STORE_TREE_BACKEND_INVALID;
}

/**
 * store_tree_choose() - which backend a new tree gets
 * @s:   store
 * @ret: the best that this kernel can mount; what RKT_TREE_BACKEND says, if it is set (for tests)
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL (RKT_TREE_BACKEND names none).
 */
int store_tree_choose(Store *s, StoreTreeBackend *ret, Error *e) {
        const char *forced = secure_getenv("RKT_TREE_BACKEND");
        StoreTreeBackend b = (StoreTreeBackend) s->tree_backend;

        if (b < 0) {
                b = forced && *forced ? store_tree_backend_from_string(forced) : tree_erofs_probe(s);
                if (b < 0)
                        return error_setf(
                                e, -EINVAL,
                                "RKT_TREE_BACKEND=%.50s: there are index, index-loop, image and dir", forced);
                s->tree_backend = b;
        }
        *ret = b;
        return 0;
}

/**
 * store_tree_key_is_valid() - may a tree be called so?
 * @key: any string
 *
 * Return: true for the key of an image, for "deps-" and such a key, and for the key of a layer.
 */
bool store_tree_key_is_valid(const char *key) {
        const char *rest = startswith(key, "deps-");

        return rest ? store_key_is_valid(rest) : store_blob_key_is_valid(key);
}

/* What is on disk. */
static const TreeBackend *form_of(StoreTreeBackend b) {
        return b == STORE_TREE_DIR ? &tree_dir : b == STORE_TREE_IMAGE ? &tree_image : &tree_index;
}

/* The one that has a tree of this key; NULL: none. */
static const TreeBackend *find_backend(Store *s, const char *key) {
        char dir[STORE_TREE_PATH_MAX], path[STORE_TREE_PATH_MAX + 32];

        store_tree_path(key, dir);
        FOREACH_ARRAY (b, backends, ELEMENTSOF(backends)) {
                (void) snprintf(path, sizeof(path), "%s/%s", dir, (*b)->name);
                if (faccessat(s->cas_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                        return *b;
        }
        return NULL;
}

static int check_key(const char *key, Error *e) {
        return store_tree_key_is_valid(key)
                       ? 0
                       : error_setf(e, -EINVAL, "'%.150s' is not the key of a tree", key);
}

/**
 * store_tree_exists() - is it there, so that mounting costs nothing?
 * @s:   store
 * @key: of a tree
 *
 * Return: true if so.
 */
bool store_tree_exists(Store *s, const char *key) {
        return store_tree_key_is_valid(key) && find_backend(s, key);
}

/* Of another kernel, or damaged: nobody can have it mounted. */
static bool is_useless(Store *s, const TreeBackend *b, int r) {
        StoreTreeBackend best = STORE_TREE_DIR;

        if (b == &tree_dir || s->read_only)
                return false;
        if (r == -EUCLEAN || r == -EBADMSG || r == -EINVAL)
                return true;
        if (store_tree_choose(s, &best, NULL) < 0)
                return false;
        /* who can mount an index can mount an image: something else is wrong, and passes */
        return b == &tree_image ? best == STORE_TREE_DIR : form_of(best) != b;
}

/* Out of the way, unless somebody else has made a better one meanwhile. */
static int discard(Store *s, const char *key, const TreeBackend *old, Error *e) {
        _cleanup_close_ int commit = -EBADF;
        int r = store_commit_lock(s, &commit, e);

        if (r < 0 || find_backend(s, key) != old)
                return r;
        return store_tree_remove(s, key, e);
}

/**
 * store_tree_mount() - the root of a tree
 * @s:      store
 * @key:    of a tree
 * @ret_fd: its root directory, read-only, as a mount that is nowhere yet: for mount_move() in the mount namespace of this
 *          process, and for openat(). Closing it ends a mount that was not moved. Without the right to mount, and where
 *          the tree is plain files, that directory itself.
 * @e:      sentence on failure; may be NULL
 *
 * The tree of an image or a layer is made from the blob, whose digest is then checked, if it is not there, or cannot be
 * mounted by this kernel, or is damaged; that of several images is then taken away, for store_tree_build(). Hold
 * store_lock() shared until the pod's directory names the image.
 *
 * Return: 0, -EINVAL (no key), -ENOENT (no such image; no such tree any more), -EBADMSG (the blob is damaged), -ENOSPC,
 * -EIO, -EROFS, -EPERM.
 */
int store_tree_mount(Store *s, const char *key, int *ret_fd, Error *e) {
        const TreeBackend *b;
        int r = check_key(key, e);

        if (r < 0)
                return r;
        b = find_backend(s, key);
        if (b) {
                r = b->mount(s, key, ret_fd, e);
                if (r >= 0 || !is_useless(s, b, r))
                        return r;
                r = discard(s, key, b, e);
                if (r < 0)
                        return r;
        }
        if (!store_blob_key_is_valid(key))
                return error_setf(e, -ENOENT, "the tree '%s' is not in the store", key);
        r = store_tree_build(s, key, &(StoreTreePart){ .key = key }, 1, e);
        if (r < 0)
                return r;
        b = find_backend(s, key);
        if (!b)
                return error_setf(e, -ENOENT, "the tree of image '%s' has disappeared", key);
        return b->mount(s, key, ret_fd, e);
}

/**
 * tree_commit() - give a tree its name
 * @s:      store, locked by store_commit_lock()
 * @key:    of the tree
 * @tmp_fd: directory with what tree_maker_write() made
 * @e:      sentence on failure; may be NULL
 *
 * One that is there is replaced, and left in @tmp_fd; whoever has it mounted keeps it, unless it is plain files.
 *
 * Return: 0, errno of renameat2() and fsync().
 */
int tree_commit(Store *s, const char *key, int tmp_fd, Error *e) {
        char path[STORE_TREE_PATH_MAX];
        int r;

        store_tree_path(key, path);
        r = RET_NERRNO(renameat(tmp_fd, TREE_TMP_NAME, s->cas_fd, path)); /* also over an empty one */
        if (r == -EEXIST || r == -ENOTEMPTY)
                r = RET_NERRNO(renameat2(tmp_fd, TREE_TMP_NAME, s->cas_fd, path, RENAME_EXCHANGE));
        if (r >= 0)
                r = fsync_dir_at(s->cas_fd, "tree");
        return r < 0 ? error_setf(e, r, "cannot create '%s/cas/%s': %s", s->dir, path, strerror(-r)) : 0;
}

/* The blobs of a tree that is being made, each once. */
typedef struct BlobList {
        TreeBlob *blobs;
        size_t n;
} BlobList;

static void blob_list_done(BlobList *l) {
        for (size_t i = 0; i < l->n; i++)
                (void) fd_close(l->blobs[i].fd);
        free(l->blobs);
}

static unsigned blob_list_find(const BlobList *l, const char *key) {
        for (size_t i = 0; i < l->n; i++)
                if (streq(l->blobs[i].key, key))
                        return (unsigned) i;
        return (unsigned) l->n;
}

static int add_part(Store *s, TreeMaker *m, const StoreTreePart *part, bool merge, BlobList *l, Error *e) {
        _cleanup_close_ int fd = -EBADF;
        unsigned device = blob_list_find(l, part->key);
        int r = merge ? tree_maker_part(m, part, device, e) : 0;

        if (r >= 0)
                r = store_blob_parse(s, part->key, m, &fd, e);
        if (r < 0 || device < l->n)
                return r;
        if (!GREEDY_GROW(l->blobs, l->n))
                return error_oom(e);
        l->blobs[l->n++] = (TreeBlob){ part->key, TAKE_FD(fd) };
        return 0;
}

/**
 * tree_backend_of() - how a tree was made
 * @s:   store
 * @key: valid key of a tree
 * @ret: a backend that makes the same
 *
 * Return: 0, -ENOENT (it was not).
 */
int tree_backend_of(Store *s, const char *key, StoreTreeBackend *ret) {
        const TreeBackend *b = find_backend(s, key);

        for (int i = 0; b && i < _STORE_TREE_BACKEND_MAX; i++)
                if (form_of((StoreTreeBackend) i) == b) {
                        *ret = (StoreTreeBackend) i;
                        return 0;
                }
        return -ENOENT;
}

static int add_parts(Store *s, TreeMaker *m, const StoreTreePart *parts, size_t n_parts, bool merge,
                     BlobList *l, Error *e) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < n_parts; i++)
                r = add_part(s, m, parts + i, merge, l, e);
        return r;
}

/* All parts of a tree are layers, or none is. */
static TreeMakerFlags layer_flag(const StoreTreePart *parts) {
        return store_layer_key_is_valid(parts[0].key) ? TREE_MAKER_LAYER : 0;
}

/**
 * tree_make() - make a tree, synced, where nobody looks for it
 * @s:       store
 * @backend: how
 * @parts:   as for store_tree_build()
 * @n_parts: count
 * @flags:   TREE_MAKER_MERGE: merge them even if it is one only
 * @tmp_fd:  directory from store_tmp_new(); "tree" is made in it
 * @e:       sentence on failure; may be NULL
 *
 * Return: as store_tree_build().
 */
int tree_make(Store *s, StoreTreeBackend backend, const StoreTreePart *parts, size_t n_parts,
              TreeMakerFlags flags, int tmp_fd, Error *e) {
        _cleanup_(tree_maker_freep) TreeMaker *m = NULL;
        _cleanup_(blob_list_done) BlobList l = {};
        bool merge = n_parts > 1 || parts[0].whitelist || (flags & TREE_MAKER_MERGE);
        uint64_t size;
        int r;

        r = tree_maker_new(s, backend, (merge ? TREE_MAKER_MERGE : 0) | layer_flag(parts), &m, e);
        if (r >= 0)
                r = add_parts(s, m, parts, n_parts, merge, &l, e);
        return r < 0 ? r : tree_maker_write(m, tmp_fd, l.blobs, l.n, &size, e);
}

static int make_and_commit(Store *s, const char *key, const StoreTreePart *parts, size_t n_parts, int tmp_fd,
                           Error *e) {
        _cleanup_close_ int commit = -EBADF;
        StoreTreeBackend backend = STORE_TREE_DIR;
        int r = store_tree_choose(s, &backend, e);

        if (r >= 0)
                r = tree_make(s, backend, parts, n_parts, 0, tmp_fd, e);
        if (r >= 0)
                r = store_commit_lock(s, &commit, e);
        if (r < 0)
                return r;
        /* Two made it at the same time: the first one may be in use. */
        return store_tree_exists(s, key) ? 0 : tree_commit(s, key, tmp_fd, e);
}

/**
 * store_tree_build() - make a tree of blobs that are in the store
 * @s:       store
 * @key:     of the tree
 * @parts:   the lowest first; a later one lies over those before it
 * @n_parts: count, at least 1
 * @e:       sentence on failure; may be NULL
 *
 * The blobs are read whole, and their digests checked. The tree is on disk when this returns. Hold store_lock() shared.
 *
 * Return: 0 (also if it is there meanwhile), -EINVAL, -ENOENT (no such blob), -EBADMSG (damaged), -EROFS, -ENOSPC, -EIO.
 */
int store_tree_build(Store *s, const char *key, const StoreTreePart *parts, size_t n_parts, Error *e) {
        _cleanup_close_ int tmp_fd = -EBADF;
        _cleanup_free_ char *tmp = NULL;
        int r = check_key(key, e), k;

        if (r >= 0 && s->read_only)
                r = error_setf(e, -EROFS, "the store '%s' is open for reading only", s->dir);
        if (r >= 0)
                r = store_tmp_new(s, &tmp, &tmp_fd, e);
        if (r < 0)
                return r;
        r = make_and_commit(s, key, parts, n_parts, tmp_fd, e);
        k = remove_tree_at(s->cas_fd, tmp);
        if (r < 0)
                return error_prefixf(e, r, "image '%s'", parts[n_parts - 1].key);
        return k < 0 && k != -ENOENT
                       ? error_setf(e, k, "cannot remove '%s/cas/%s': %s", s->dir, tmp, strerror(-k))
                       : 0;
}

/**
 * store_tree_unpack() - make plain files, wherever they are wanted
 * @s:       store, opened for writing
 * @parts:   the lowest first; a later one lies over those before it
 * @n_parts: count, at least 1
 * @dir_fd:  empty directory; "rootfs" is made in it, by rkt-untar, which reaches nothing else
 * @e:       sentence on failure; may be NULL
 *
 * Layers of an OCI image are merged as overlayfs would show them, whiteouts applied. The blobs are read whole, and their
 * digests checked. Hold store_lock() shared. On failure something may be in the
 * directory.
 *
 * Return: 0, -EINVAL, -ENOENT (no such blob), -EBADMSG (damaged), -EROFS, -ENOSPC, -EIO.
 */
int store_tree_unpack(Store *s, const StoreTreePart *parts, size_t n_parts, int dir_fd, Error *e) {
        int r;

        r = tree_make(s, STORE_TREE_DIR, parts, n_parts, layer_flag(parts) ? TREE_MAKER_MERGE : 0, dir_fd, e);
        if (r < 0)
                return error_prefixf(e, r, "image '%s'", parts[n_parts - 1].key);
        return renameat(dir_fd, TREE_TMP_NAME "/rootfs", dir_fd, "rootfs") < 0
                       ? error_setf(e, -errno, "cannot move an unpacked tree: %m")
                       : 0;
}

struct StoreTreeReader {
        TreeMaker *maker;
        BlobList blobs;
};

/**
 * store_tree_reader_new() - look at what would be unpacked
 * @s:       store
 * @parts:   the lowest first; a later one lies over those before it
 * @n_parts: count, at least 1
 * @ret:     for store_tree_reader_free(), before the store's end
 * @e:       sentence on failure; may be NULL
 *
 * The blobs are read whole, and their digests checked. Hold store_lock() shared.
 *
 * Return: 0, -EINVAL, -ENOENT (no such blob), -EBADMSG (damaged), -EIO, -ENOMEM.
 */
int store_tree_reader_new(Store *s, const StoreTreePart *parts, size_t n_parts, StoreTreeReader **ret,
                          Error *e) {
        _cleanup_(store_tree_reader_freep) StoreTreeReader *x = new0(StoreTreeReader, 1);
        int r;

        if (!x)
                return error_oom(e);
        /* in memory, whatever trees are made of here */
        r = tree_maker_new(s, STORE_TREE_INDEX, TREE_MAKER_MERGE | layer_flag(parts), &x->maker, e);
        if (r >= 0)
                r = add_parts(s, x->maker, parts, n_parts, true, &x->blobs, e);
        if (r < 0)
                return error_prefixf(e, r, "image '%s'", parts[n_parts - 1].key);
        *ret = TAKE_PTR(x);
        return 0;
}

/**
 * store_tree_reader_free() - free
 * @x: may be NULL
 *
 * Return: NULL.
 */
StoreTreeReader *store_tree_reader_free(StoreTreeReader *x) {
        if (!x)
                return NULL;
        (void) tree_maker_free(x->maker);
        blob_list_done(&x->blobs);
        free(x);
        return NULL;
}

typedef struct Walk {
        StoreTreeVisit visit;
        void *userdata;
        const BlobList *blobs;
} Walk;

static int visit_with_blob(void *userdata, const TarEntry *t, unsigned device, Error *e) {
        const Walk *w = userdata;

        return w->visit(w->userdata, t, device < w->blobs->n ? w->blobs->blobs[device].fd : -EBADF, e);
}

/**
 * store_tree_reader_walk() - entry by entry; as often as wanted
 * @x:        reader
 * @visit:    gets each entry; a negative result ends the walk
 * @userdata: for it
 * @e:        sentence on failure; may be NULL
 *
 * The root comes first, every directory before what is in it, a file before hard links to it; names ascend in each directory.
 *
 * Return: 0, -ENOMEM, what @visit returned.
 */
int store_tree_reader_walk(StoreTreeReader *x, StoreTreeVisit visit, void *userdata, Error *e) {
        Walk w = { visit, userdata, &x->blobs };

        return tree_maker_walk(x->maker, visit_with_blob, &w, e);
}

/**
 * store_tree_blobs() - what a tree needs
 * @s:   store
 * @key: of a tree
 * @ret: the keys of the images whose blobs it is made from, the lowest first; strv_free()
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL (no key), -ENOENT (no such tree), -EBADMSG (damaged), -ENOMEM.
 */
int store_tree_blobs(Store *s, const char *key, char ***ret, Error *e) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        _cleanup_strv_free_ char **keys = NULL;
        char dir[STORE_TREE_PATH_MAX];
        size_t size;
        int r = check_key(key, e);

        if (r < 0)
                return r;
        store_tree_path(key, dir);
        path = strf("%s/" TREE_DEVICES_NAME, dir);
        if (!path)
                return error_oom(e);
        r = file_read_at(s->cas_fd, path, DEVICES_MAX, &text, &size);
        if (r == -ENOENT && store_blob_key_is_valid(key) && store_tree_exists(s, key))
                r = str_replace(&text, key);
        if (r >= 0)
                r = strv_split(text, "\n", &keys);
        if (r < 0)
                return error_setf(e, r, "cannot read '%s/cas/%s': %s", s->dir, path, strerror(-r));
        STRV_FOREACH (k, keys)
                if (!store_blob_key_is_valid(*k))
                        return error_setf(e, -EBADMSG, "'%s/cas/%s' is damaged", s->dir, path);
        *ret = TAKE_PTR(keys);
        return 0;
}

/**
 * store_tree_remove() - for garbage collection, and only when no pod uses it
 * @s:   store, locked exclusively by the caller
 * @key: of a tree
 * @e:   sentence on failure; may be NULL
 *
 * First out of sight, then gone: half a tree is never found under its name.
 *
 * Return: 0 (also when there is none), -EINVAL, -EBUSY (something is mounted in it), errno of unlink().
 */
int store_tree_remove(Store *s, const char *key, Error *e) {
        _cleanup_close_ int fd = -EBADF;
        _cleanup_free_ char *tmp = NULL;
        char path[STORE_TREE_PATH_MAX];
        int r = check_key(key, e);

        if (r < 0)
                return r;
        store_tree_path(key, path);
        if (faccessat(s->cas_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
                return 0;
        r = store_tmp_new(s, &tmp, &fd, e);
        if (r < 0)
                return r;
        if (renameat(s->cas_fd, path, fd, TREE_TMP_NAME) < 0)
                r = -errno;
        if (r >= 0)
                r = fsync_dir_at(s->cas_fd, "tree");
        if (r >= 0)
                r = remove_tree_at(s->cas_fd, tmp);
        else
                (void) remove_tree_at(s->cas_fd, tmp);
        return r < 0 ? error_setf(e, r, "cannot remove '%s/cas/%s': %s", s->dir, path, strerror(-r)) : 0;
}
