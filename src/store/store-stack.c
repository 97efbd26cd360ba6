/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The layers of an image as one tree: stacked by overlayfs, or merged into plain files.
 *
 * A layer need not say what the directories are like that lead to its files, and umoci's and Bazel's do not. They are then
 * what they are in the layers below; but overlayfs takes a directory's owner, mode and time from the highest layer that has it.
 * For such images there is one tree more, on top of the others: all directories, as they should be, and nothing else. It is
 * made of all layers once, when the image is used first. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "basic/digest.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "store/store-internal.h"
#include "store/store-layer.h"
#include "store/tree-backend.h"

/**
 * store_layers_check() - are these the layers of an image?
 * @layers: keys
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL (none, or no keys), -E2BIG (more than overlayfs takes).
 */
int store_layers_check(char *const *layers, Error *e) {
        size_t n = strv_length(layers);

        if (n == 0)
                return error_setf(e, -EINVAL, "an image without layers cannot be kept");
        if (n > STORE_LAYERS_MAX)
                return error_setf(e, -E2BIG, "the image has %zu layers; more than %u cannot be mounted", n,
                                  STORE_LAYERS_MAX);
        for (char *const *l = layers; *l; l++)
                if (!store_layer_key_is_valid(*l))
                        return error_setf(e, -EINVAL, "'%.150s' is not the key of a layer", *l);
        return 0;
}

static bool has_marker(Store *s, const char *tree, const char *name) {
        char dir[STORE_TREE_PATH_MAX], path[STORE_TREE_PATH_MAX + 16];

        store_tree_path(tree, dir);
        (void) snprintf(path, sizeof(path), "%s/%s", dir, name);
        return faccessat(s->cas_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Is there something below that overlayfs would not take from there? A layer that says only the usual of its root is taken for
 * one that says nothing of it. */
static bool needs_top(Store *s, char *const *stack) {
        bool below = false;

        for (char *const *l = stack; l && *l; l++) {
                bool has_root = has_marker(s, *l, TREE_ROOT_NAME);

                if (l > stack && (has_marker(s, *l, TREE_IMPLIED_NAME) || (below && !has_root)))
                        return true;
                below = below || has_root;
        }
        return false;
}

static int top_key(char *const *stack, char ret[STORE_TREE_KEY_MAX]) {
        _cleanup_(digest_freep) Digest *d = NULL;
        char hex[DIGEST_HEX_MAX];
        int r = digest_new(DIGEST_SHA512, &d);

        for (char *const *l = stack; r >= 0 && l && *l; l++)
                r = digest_update(d, *l, STORE_KEY_MAX); /* with the NUL */
        if (r >= 0)
                r = digest_final_hex(d, hex);
        if (r >= 0)
                (void) snprintf(ret, STORE_TREE_KEY_MAX, "deps-sha512-%.*s", STORE_KEY_HEX, hex);
        return r;
}

static StoreTreePart *make_parts(char *const *layers, size_t *ret_n) {
        StoreTreePart *parts = new0(StoreTreePart, strv_length(layers));

        *ret_n = 0;
        for (char *const *l = layers; parts && *l; l++)
                parts[(*ret_n)++].key = *l;
        return parts;
}

static int add_directory(void *userdata, const TarEntry *t, int blob_fd _unused_, Error *e) {
        return t->type == TAR_DIRECTORY ? tree_maker_entry(userdata, t, e) : 0;
}

/* All directories of the merged layers. */
static int read_directories(Store *s, char *const *stack, TreeMaker *m, Error *e) {
        _cleanup_(store_tree_reader_freep) StoreTreeReader *x = NULL;
        _cleanup_free_ StoreTreePart *parts = NULL;
        size_t n;
        int r;

        parts = make_parts(stack, &n);
        if (!parts)
                return error_oom(e);
        r = store_tree_reader_new(s, parts, n, &x, e);
        return r < 0 ? r : store_tree_reader_walk(x, add_directory, m, e);
}

/* Has no content, but is made of all layers: it goes with the first of them. */
static int write_top(Store *s, char *const *stack, TreeMaker *m, int tmp_fd, Error *e) {
        size_t n = strv_length(stack), n_blobs = 0;
        _cleanup_free_ TreeBlob *blobs = new0(TreeBlob, n);
        uint64_t size;
        int r = blobs ? 0 : error_oom(e);

        for (char *const *l = stack; r >= 0 && l && *l; l++) {
                bool is_known = false;

                for (char *const *before = stack; before < l; before++)
                        is_known = is_known || streq(*before, *l);
                if (is_known)
                        continue;
                blobs[n_blobs].key = *l;
                r = store_layer_blob_open(s, *l, &blobs[n_blobs].fd, NULL, e);
                if (r >= 0)
                        n_blobs++;
        }
        if (r >= 0)
                r = tree_maker_write(m, tmp_fd, blobs, n_blobs, &size, e);
        for (size_t i = 0; i < n_blobs; i++)
                (void) fd_close(blobs[i].fd);
        return r;
}

/**
 * tree_make_top() - make the tree on top of a stack, synced, where nobody looks for it
 * @s:       store
 * @backend: how
 * @stack:   of store_layers_top()
 * @tmp_fd:  directory from store_tmp_new(); "tree" is made in it
 * @e:       sentence on failure; may be NULL
 *
 * Return: as store_layers_stack().
 */
int tree_make_top(Store *s, StoreTreeBackend backend, char *const *stack, int tmp_fd, Error *e) {
        _cleanup_(tree_maker_freep) TreeMaker *m = NULL;
        int r = tree_maker_new(s, backend, TREE_MAKER_MERGE, &m, e);

        if (r >= 0)
                r = read_directories(s, stack, m, e);
        return r < 0 ? r : write_top(s, stack, m, tmp_fd, e);
}

static int make_top(Store *s, const char *key, char *const *stack, int tmp_fd, Error *e) {
        _cleanup_close_ int commit = -EBADF;
        StoreTreeBackend best = STORE_TREE_DIR;
        int r = store_tree_choose(s, &best, e);

        if (r >= 0)
                r = tree_make_top(s, best == STORE_TREE_DIR ? best : STORE_TREE_IMAGE, stack, tmp_fd, e);
        if (r >= 0)
                r = store_commit_lock(s, &commit, e);
        if (r < 0 || store_tree_exists(s, key))
                return r;
        return tree_commit(s, key, tmp_fd, e);
}

static int build_top(Store *s, const char *key, char *const *stack, Error *e) {
        _cleanup_close_ int tmp_fd = -EBADF;
        _cleanup_free_ char *tmp = NULL;
        int r, k;

        if (s->read_only)
                return error_setf(e, -EROFS, "the store '%s' is open for reading only", s->dir);
        r = store_tmp_new(s, &tmp, &tmp_fd, e);
        if (r < 0)
                return r;
        r = make_top(s, key, stack, tmp_fd, e);
        k = remove_tree_at(s->cas_fd, tmp);
        if (r < 0)
                return r;
        return k < 0 && k != -ENOENT
                       ? error_setf(e, k, "cannot remove '%s/cas/%s': %s", s->dir, tmp, strerror(-k))
                       : 0;
}

/* 1: the stack needs a tree on top, whose key it is. overlayfs has no room for it on the largest ones. */
static int find_top(Store *s, char *const *stack, char ret_key[STORE_TREE_KEY_MAX], Error *e) {
        if (!needs_top(s, stack) || strv_length(stack) >= STORE_LAYERS_MAX)
                return 0;
        return top_key(stack, ret_key) < 0 ? error_setf(e, -EIO, "cannot hash the layers' keys") : 1;
}

static int add_top(Store *s, char ***stack, Error *e) {
        char key[STORE_TREE_KEY_MAX];
        int r = find_top(s, *stack, key, e);

        if (r > 0 && !store_tree_exists(s, key))
                r = build_top(s, key, *stack, e);
        else if (r == 0)
                return 0;
        return r < 0 ? r : strv_extend(stack, key) < 0 ? error_oom(e) : 0;
}

/* The next one, the lowest first; what is below an opaque one does not show. */
static int add_layer(Store *s, char ***stack, const char *layer, Error *e) {
        if (has_marker(s, layer, TREE_OPAQUE_NAME))
                *stack = strv_free(*stack);
        return strv_extend(stack, layer) < 0 ? error_oom(e) : 0;
}

/**
 * store_layers_top() - the tree that lies on top of an image's layers
 * @s:         store, locked shared by the caller
 * @layers:    of StoreImage, the lowest first
 * @ret_key:   of the tree
 * @ret_stack: the layers that it is made of; strv_free()
 * @e:         sentence on failure; may be NULL
 *
 * Return: 1; 0: there is none: the image needs none, or was not used yet; -EINVAL, -E2BIG, -EIO, -ENOMEM.
 */
int store_layers_top(Store *s, char *const *layers, char ret_key[STORE_TREE_KEY_MAX], char ***ret_stack,
                     Error *e) {
        _cleanup_strv_free_ char **stack = NULL;
        int r = store_layers_check(layers, e);

        for (char *const *l = layers; r >= 0 && *l; l++) {
                if (!store_tree_exists(s, *l))
                        return 0;
                r = add_layer(s, &stack, *l, e);
        }
        if (r >= 0)
                r = find_top(s, stack, ret_key, e);
        if (r <= 0 || !store_tree_exists(s, ret_key))
                return MIN(r, 0);
        *ret_stack = TAKE_PTR(stack);
        return 1;
}

/**
 * store_layers_stack() - the trees that are to be stacked for an image
 * @s:      store, locked shared by the caller
 * @layers: of StoreImage, the lowest first
 * @ret:    keys of trees, the lowest first, each there now; strv_free()
 * @e:      sentence on failure; may be NULL
 *
 * Layers below one whose root is opaque are left out: overlayfs does not look at that of a root. There may be one tree more
 * than there are layers.
 *
 * Return: 0, -EINVAL, -ENOENT (a layer has gone), -EBADMSG (its blob is damaged), -EROFS, -ENOSPC, -EIO.
 */
int store_layers_stack(Store *s, char *const *layers, char ***ret, Error *e) {
        _cleanup_strv_free_ char **stack = NULL;
        int r = store_layers_check(layers, e);

        if (r < 0)
                return r;
        for (char *const *l = layers; *l; l++) {
                if (!store_tree_exists(s, *l)) {
                        r = store_tree_build(s, *l, &(StoreTreePart){ .key = *l }, 1, e);
                        if (r < 0)
                                return r;
                }
                r = add_layer(s, &stack, *l, e);
                if (r < 0)
                        return r;
        }
        r = add_top(s, &stack, e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(stack);
        return 0;
}

/**
 * store_layers_unpack() - make plain files of an image's layers, wherever they are wanted
 * @s:      store, opened for writing, locked shared by the caller
 * @layers: of StoreImage, the lowest first
 * @dir_fd: empty directory; "rootfs" is made in it
 * @e:      sentence on failure; may be NULL
 *
 * The files are those that overlayfs would show: whiteouts are applied, none is left.
 *
 * Return: as store_tree_unpack().
 */
int store_layers_unpack(Store *s, char *const *layers, int dir_fd, Error *e) {
        _cleanup_free_ StoreTreePart *parts = NULL;
        int r = store_layers_check(layers, e);
        size_t n;

        if (r < 0)
                return r;
        parts = make_parts(layers, &n);
        return parts ? store_tree_unpack(s, parts, n, dir_fd, e) : error_oom(e);
}
