/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which backend makes a blob mountable. So far there is one: a directory tree (tree-dir.c). */
#include "store/store-tree.h"

#include <stdlib.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "store/store-internal.h"
#include "store/tree-backend.h"

static const TreeBackend *const backends[] = { &tree_dir };

/* The one that has a tree of this key; NULL: none. */
static const TreeBackend *find_backend(Store *s, const char *key) {
        FOREACH_ARRAY (b, backends, ELEMENTSOF(backends))
                if ((*b)->exists(s, key))
                        return *b;
        return NULL;
}

/**
 * store_tree_done() - close it
 * @t: is STORE_TREE_INIT afterwards
 */
void store_tree_done(StoreTree *t) {
        free(t->path);
        t->root_fd = fd_close(t->root_fd);
        t->path = NULL;
}

/**
 * store_tree_exists() - is it there, so that opening costs nothing?
 * @s:   store
 * @key: image
 *
 * Return: true if so.
 */
bool store_tree_exists(Store *s, const char *key) {
        return store_key_is_valid(key) && find_backend(s, key);
}

/**
 * store_tree_open() - the root of an image
 * @s:   store
 * @key: image
 * @ret: store_tree_done()
 * @e:   sentence on failure; may be NULL
 *
 * Made from the blob, whose digest is then checked, if it is not there. Hold store_lock() shared until the pod's directory
 * names the image.
 *
 * Return: 0, -EINVAL (no key), -ENOENT (no such image), -EBADMSG (damaged), -ENOSPC, -EIO, -EROFS.
 */
int store_tree_open(Store *s, const char *key, StoreTree *ret, Error *e) {
        const TreeBackend *b;
        int r;

        if (!store_key_is_valid(key))
                return error_setf(e, -EINVAL, "'%.150s' is not the key of an image", key);
        b = find_backend(s, key);
        if (!b) {
                r = store_tree_render(s, key, e);
                if (r < 0)
                        return r;
                b = find_backend(s, key);
        }
        if (!b)
                return error_setf(e, -ENOENT, "the tree of image '%s' has disappeared", key);
        return b->open(s, key, ret, e);
}

/**
 * store_tree_remove() - for garbage collection, and only when no pod uses it
 * @s:   store, locked exclusively by the caller
 * @key: image
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0 (also when there is none), -EINVAL, -EBUSY (something is mounted in it), errno of unlink().
 */
int store_tree_remove(Store *s, const char *key, Error *e) {
        if (!store_key_is_valid(key))
                return error_setf(e, -EINVAL, "'%.150s' is not the key of an image", key);
        FOREACH_ARRAY (b, backends, ELEMENTSOF(backends)) {
                int r = (*b)->remove(s, key, e);

                if (r < 0)
                        return r;
        }
        return 0;
}
