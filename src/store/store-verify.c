/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A tree is verified by making it a second time from the blobs, whose digests are checked on the way, and comparing the two.
 * So there are no checksums that could be damaged themselves, and when the first one is bad, the second one takes its place. */
#include "store/store-verify.h"

#include <fcntl.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "store/store-internal.h"
#include "store/tree-backend.h"
#include "store/tree-compare.h"

typedef struct Verify {
        Store *store;
        const char *key;
        const StoreTreePart *parts; /* NULL: stack */
        size_t n_parts;
        char *const *stack;
        bool repair;
        int tmp_fd;
} Verify;

static int make(const Verify *v, StoreTreeBackend backend, Error *e) {
        return v->stack ? tree_make_top(v->store, backend, v->stack, v->tmp_fd, e)
                        : tree_make(v->store, backend, v->parts, v->n_parts, 0, v->tmp_fd, e);
}

static int compare(const Verify *v, char **ret_difference, Error *e) {
        _cleanup_close_ int old = -EBADF, new = -EBADF;
        char path[STORE_TREE_PATH_MAX];

        store_tree_path(v->key, path);
        old = openat(v->store->cas_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        new = openat(v->tmp_fd, TREE_TMP_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (old < 0 || new < 0)
                return error_setf(e, -errno, "cannot open the tree '%s': %m", v->key);
        return tree_compare(old, new, ret_difference, e);
}

static int replace(const Verify *v, Error *e) {
        _cleanup_close_ int commit = -EBADF;
        int r = store_commit_lock(v->store, &commit, e);

        return r < 0 ? r : tree_commit(v->store, v->key, v->tmp_fd, e);
}

static int verify(const Verify *v, StoreVerdict *ret, char **ret_difference, Error *e) {
        StoreTreeBackend backend;
        int r = tree_backend_of(v->store, v->key, &backend);

        if (r == -ENOENT) {
                *ret = STORE_VERDICT_NO_TREE;
                return 0;
        }
        if (r >= 0)
                r = make(v, backend, e);
        if (r >= 0)
                r = compare(v, ret_difference, e);
        if (r < 0)
                return r;
        *ret = r == 0 ? STORE_VERDICT_GOOD : STORE_VERDICT_DAMAGED;
        if (r == 0 || !v->repair)
                return 0;
        r = replace(v, e);
        if (r >= 0)
                *ret = STORE_VERDICT_REPAIRED;
        return MIN(r, 0);
}

static int verify_beside(Verify *v, StoreVerdict *ret, char **ret_difference, Error *e) {
        _cleanup_close_ int tmp_fd = -EBADF;
        _cleanup_free_ char *tmp = NULL, *difference = NULL;
        Store *s = v->store;
        int r, k;

        if (!store_tree_key_is_valid(v->key))
                return error_setf(e, -EINVAL, "'%.150s' is not the key of a tree", v->key);
        if (s->read_only)
                return error_setf(e, -EROFS, "the store '%s' is open for reading only", s->dir);
        r = store_tmp_new(s, &tmp, &tmp_fd, e);
        if (r < 0)
                return r;
        v->tmp_fd = tmp_fd;
        r = verify(v, ret, &difference, e);
        k = remove_tree_at(s->cas_fd, tmp);
        if (r < 0)
                return r;
        if (k < 0 && k != -ENOENT)
                return error_setf(e, k, "cannot remove '%s/cas/%s': %s", s->dir, tmp, strerror(-k));
        *ret_difference = TAKE_PTR(difference);
        return 0;
}

/**
 * store_tree_verify() - compare a tree with what its blobs say, and make it anew if it is damaged
 * @s:              store, opened for writing and locked shared by the caller
 * @key:            of the tree
 * @parts:          that it is made from, as for store_tree_build()
 * @n_parts:        count
 * @repair:         no pod runs from it, so that it may be replaced
 * @ret:            what was found
 * @ret_difference: a sentence about the first difference; free(); NULL: none
 * @e:              sentence on failure; may be NULL
 *
 * Return: 0; -ENOENT (no blob), -EBADMSG (a blob is damaged: only fetching it again helps), -ENOSPC, -EROFS, -EIO.
 */
int store_tree_verify(Store *s, const char *key, const StoreTreePart *parts, size_t n_parts, bool repair,
                      StoreVerdict *ret, char **ret_difference, Error *e) {
        return verify_beside(
                &(Verify){ .store = s, .key = key, .parts = parts, .n_parts = n_parts, .repair = repair },
                ret, ret_difference, e);
}

/**
 * store_top_verify() - the same of the tree that lies on top of an image's layers
 * @s:              store, opened for writing and locked shared by the caller
 * @key:            of store_layers_top()
 * @stack:          of store_layers_top()
 * @repair:         no pod runs from it, so that it may be replaced
 * @ret:            what was found
 * @ret_difference: a sentence about the first difference; free(); NULL: none
 * @e:              sentence on failure; may be NULL
 *
 * Return: as store_tree_verify().
 */
int store_top_verify(Store *s, const char *key, char *const *stack, bool repair, StoreVerdict *ret,
                     char **ret_difference, Error *e) {
        return verify_beside(&(Verify){ .store = s, .key = key, .stack = stack, .repair = repair }, ret,
                             ret_difference, e);
}

/**
 * store_image_restore() - put a file of an image in the place of a damaged one
 * @s:    store
 * @path: of StoreImageList.damaged
 * @i:    what is known of the image; the key is ignored
 * @e:    sentence on failure; may be NULL
 *
 * If somebody has fetched the image meanwhile, that stays.
 *
 * Return: 0; -EBADMSG: @path is another image's, or that of another name; what store_image_write() returns.
 */
int store_image_restore(Store *s, const char *path, const StoreImage *i, Error *e) {
        _cleanup_(store_image_done) StoreImage now = STORE_IMAGE_INIT;
        char key[STORE_KEY_MAX], expected[STORE_IMAGE_PATH_MAX];
        _cleanup_close_ int commit = -EBADF;
        int r;

        if (store_key_from_id(i->id, key) < 0)
                return error_setf(e, -EINVAL, "'%s' is no image id", i->id);
        r = store_image_path(key, i->name, expected);
        if (r < 0)
                return error_oom(e);
        if (!streq(path, expected))
                return error_setf(e, -EBADMSG, "'%s/cas/%s' should be '%s'", s->dir, path, expected);
        r = store_commit_lock(s, &commit, e);
        if (r < 0 || store_image_load(s, key, &now, NULL) >= 0)
                return r;
        return store_image_write(s, i, e);
}
