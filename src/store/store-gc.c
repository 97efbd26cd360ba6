/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Removal. Under the lock for commits things only lose their names: an image its file in cas/ref, a tree its place (it is
 * renamed into cas/tmp, where anybody removes what nobody locks), a blob its last link. First the images, then what they
 * consist of: whoever dies on the way leaves something that store_gc() finds, and never an image without its content. */
#include "store/store-gc.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/uuid.h"
#include "store/store-internal.h"
#include "store/store-layer.h"
#include "store/store-ref.h"
#include "store/store-tree.h"

typedef struct Gc {
        Store *store;
        const StoreGcOptions *options;
        usec_t now;
        StoreImageList images;
        const char **kept; /* keys of images that stay, sorted; the list's */
        size_t n_kept;
        const char **gone; /* likewise, of images that are over */
        size_t n_gone;
        const char **kept_layers; /* likewise, of their layers */
        size_t n_kept_layers;
        const char **gone_layers;
        size_t n_gone_layers;
        char **used_blobs; /* of trees that pods refer to */
        char **trees;
} Gc;

static void gc_done(Gc *g) {
        store_image_list_done(&g->images);
        free(g->kept);
        free(g->gone);
        free(g->kept_layers);
        free(g->gone_layers);
        strv_free(g->used_blobs);
        strv_free(g->trees);
}

static void report(const Gc *g, StoreChangeType type, const char *name) {
        if (g->options->change)
                g->options->change(g->options->userdata, type, name);
}

/**
 * store_tree_needs() - is a tree made from the blob of an image?
 * @s:    store
 * @tree: key of a tree
 * @key:  of an image
 *
 * Return: true if so, and also in doubt: this decides whether something may be thrown away.
 */
bool store_tree_needs(Store *s, const char *tree, const char *key) {
        _cleanup_strv_free_ char **blobs = NULL;
        int r = store_tree_blobs(s, tree, &blobs, NULL);

        return streq(tree, key) || (r < 0 && r != -ENOENT) || strv_contains(blobs, key);
}

/* Out of sight, at once. What is in cas/tmp and is not locked, store_tmp_clean() removes. */
static int discard_tree(Store *s, const char *tree) {
        _cleanup_free_ char *from = strf("tree/%s", tree), *to = NULL;
        char uuid[UUID_STRING_MAX];
        int r = uuid_new(uuid);

        if (r < 0)
                return r;
        to = strf("tmp/%s", uuid);
        if (!from || !to)
                return -ENOMEM;
        return renameat(s->cas_fd, from, s->cas_fd, to) < 0 && errno != ENOENT ? -errno : 0;
}

/* Discards the trees that are made from a blob, but for those in use. Return: 1 if one of those is, else 0. */
static int discard_trees_of(Store *s, const char *key, char *const *used) {
        _cleanup_strv_free_ char **trees = NULL;
        int r = dir_list_at(s->cas_fd, "tree", &trees);
        bool in_use = false;

        if (r < 0)
                return r == -ENOENT ? 0 : r;
        STRV_FOREACH (t, trees) {
                /* others are made of the blob of their own name */
                if (!streq(*t, key) && (!startswith(*t, "deps-") || !store_tree_needs(s, *t, key)))
                        continue;
                if (strv_contains(used, *t))
                        in_use = true;
                else
                        r = discard_tree(s, *t);
                if (r < 0)
                        return r;
        }
        return in_use;
}

static bool has_layer(const StoreImageList *images, const char *layer) {
        FOREACH_ARRAY (i, images->images, images->n_images)
                if (strv_contains(i->layers, layer))
                        return true;
        return false;
}

/* The layers that no other image has. Return: 1 if a pod runs from one of those, which then stays, else 0. */
static int discard_layers(Store *s, char *const *layers, char *const *used) {
        _cleanup_(store_image_list_done) StoreImageList images = {};
        bool in_use = false;
        int r = store_image_list(s, &images, NULL);

        /* What a damaged file is about nobody knows: then store_gc() will find them. */
        if (r < 0 || images.damaged)
                return r;
        for (char *const *l = layers; r >= 0 && l && *l; l++) {
                if (has_layer(&images, *l))
                        continue;
                r = discard_trees_of(s, *l, used);
                in_use = in_use || r > 0;
                if (r == 0)
                        r = store_blob_unlink(s, *l);
        }
        return r < 0 ? r : in_use;
}

/* Under both locks. */
static int take(Store *s, const char *key, char *const *used, Error *e) {
        _cleanup_(store_image_done) StoreImage image = STORE_IMAGE_INIT;
        _cleanup_close_ int commit = -EBADF;
        int r = store_commit_lock(s, &commit, e);

        if (r < 0)
                return r;
        if (!store_image_exists(s, key))
                return error_setf(e, -ENOENT, "no image has the id '%s'", key);
        (void) store_image_load(s, key, &image, NULL); /* a damaged one is removed as well */
        r = store_image_unlink(s, key);
        if (r >= 0)
                r = discard_trees_of(s, key, used);
        if (r == 0)
                r = store_blob_unlink(s, key);
        if (r == 0)
                r = discard_layers(s, image.layers, used);
        return r < 0 ? error_setf(e, r, "cannot remove image '%s': %s", key, strerror(-r)) : r;
}

/**
 * store_image_take() - remove an image, with its trees
 * @s:          store, locked exclusively by the caller, who may let go of it before store_tmp_clean()
 * @key:        image
 * @used_trees: keys of trees that pods refer to; NULL: none
 * @e:          sentence on failure; may be NULL
 *
 * Of an OCI image, the layers that no other image has go with it. The files of its trees are removed by store_tmp_clean(), which needs no lock and may take long. It needs no space on a
 * disk that is full.
 *
 * Return: 0; 1: the image is gone, but pods refer to a tree of it, which stays together with the blob until store_gc();
 * -EINVAL, -ENOENT, errno of unlink() and rename().
 */
int store_image_take(Store *s, const char *key, char *const *used_trees, Error *e) {
        if (!store_key_is_valid(key))
                return error_setf(e, -EINVAL, "'%.150s' is not the key of an image", key);
        return take(s, key, used_trees, e);
}

/**
 * store_image_remove() - remove an image, its blob and its trees, of which no pod knows
 * @s:   store, not locked by the caller
 * @key: image
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL, -ENOENT, -EBUSY (somebody relies on images for too long), errno of unlink() and rename().
 */
int store_image_remove(Store *s, const char *key, Error *e) {
        _cleanup_close_ int lock = -EBADF;
        int r = store_lock(s, LOCK_MODE_EXCLUSIVE, 1, &lock, e);

        if (r >= 0)
                r = store_image_take(s, key, NULL, e);
        lock = fd_close(lock);
        return r < 0 ? r : store_tmp_clean(s, e);
}

static bool is_older(usec_t then, usec_t age, usec_t now) {
        return age == 0 || (age != USEC_INFINITY && now > then && now - then >= age);
}

static int compare_keys(const void *a, const void *b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static bool has_key(const char *const *keys, size_t n, const char *key) {
        return n > 0 && bsearch(&key, keys, n, sizeof(*keys), compare_keys);
}

static bool is_kept(const Gc *g, const char *key) {
        return has_key(g->kept, g->n_kept, key);
}

static void sort_keys(const char **keys, size_t n) {
        if (n > 1)
                qsort(keys, n, sizeof(*keys), compare_keys);
}

/* A look at the directory only: whether the bytes are right, rkt image verify says. */
static bool has_blobs(const Gc *g, const StoreImage *i) {
        char path[STORE_BLOB_PATH_MAX];
        uint64_t size = 0;
        struct stat st;

        store_blob_path(i->key, "", path);
        if (fstatat(g->store->cas_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
                return false;
        if (!i->layers)
                return (uint64_t) st.st_size == i->size;
        return store_layers_size(g->store, i->layers, &size, NULL) >= 0 && size == i->size;
}

/* Does a pod need it? Of an OCI image the topmost layer tells: those below one with an opaque root are in no pod
 * (store-stack.c), and to keep one image too many does no harm. */
static bool is_used(const Gc *g, const StoreImage *i) {
        size_t n = strv_length(i->layers);

        return strv_contains(g->used_blobs, n > 0 ? i->layers[n - 1] : i->key);
}

static int add_layers(const char ***keys, size_t *n_keys, const StoreImage *i) {
        STRV_FOREACH (l, i->layers) {
                if (!GREEDY_GROW(*keys, *n_keys))
                        return -ENOMEM;
                (*keys)[(*n_keys)++] = *l;
        }
        return 0;
}

static int load_used(Gc *g, Error *e) {
        int r = dir_list_at(g->store->cas_fd, "tree", &g->trees);

        if (r < 0)
                return error_setf(e, r, "cannot list '%s/cas/tree': %s", g->store->dir, strerror(-r));
        STRV_FOREACH (t, g->trees) {
                _cleanup_strv_free_ char **blobs = NULL;

                if (!strv_contains(g->options->used_trees, *t))
                        continue;
                r = store_tree_blobs(g->store, *t, &blobs, e);
                if (r == -ENOENT)
                        error_done(e);
                else if (r < 0)
                        return r;
                STRV_FOREACH (b, blobs)
                        if (strv_extend(&g->used_blobs, *b) < 0)
                                return error_oom(e);
        }
        return 0;
}

/* Images that are over lose their files; what stays is noted. */
static int sweep_images(Gc *g, Error *e) {
        int r = store_image_list(g->store, &g->images, e);

        if (r < 0)
                return r;
        g->kept = new0(const char *, g->images.n_images);
        g->gone = new0(const char *, g->images.n_images);
        if (!g->kept || !g->gone)
                return error_oom(e);
        FOREACH_ARRAY (i, g->images.images, g->images.n_images) {
                usec_t used = MAX(i->last_used_usec, i->import_usec);
                bool whole = has_blobs(g, i);

                if (whole && (is_used(g, i) || !is_older(used, g->options->grace_usec, g->now))) {
                        g->kept[g->n_kept++] = i->key;
                        if (add_layers(&g->kept_layers, &g->n_kept_layers, i) < 0)
                                return error_oom(e);
                        continue;
                }
                if (add_layers(&g->gone_layers, &g->n_gone_layers, i) < 0)
                        return error_oom(e);
                r = store_image_drop(g->store, i, e);
                if (r < 0)
                        return r;
                g->gone[g->n_gone++] = i->key;
                report(g, whole ? STORE_CHANGE_IMAGE : STORE_CHANGE_BROKEN, i->key);
        }
        STRV_FOREACH (d, g->images.damaged) {
                r = store_image_discard(g->store, *d);
                if (r < 0)
                        return error_setf(e, r, "cannot remove '%s/cas/%s': %s", g->store->dir, *d,
                                          strerror(-r));
                report(g, STORE_CHANGE_BROKEN, *d);
        }
        sort_keys(g->kept, g->n_kept);
        sort_keys(g->gone, g->n_gone);
        sort_keys(g->kept_layers, g->n_kept_layers);
        sort_keys(g->gone_layers, g->n_gone_layers);
        r = fsync_dir_at(g->store->cas_fd, "ref/image");
        return r < 0 ? error_setf(e, r, "cannot sync '%s/cas/ref/image': %s", g->store->dir, strerror(-r))
                     : 0;
}

/* Is the blob of an image that stays, or of a layer of such; or of a layer without an image that may be wanted soon? */
static bool is_blob_kept(const Gc *g, const char *key) {
        char path[STORE_BLOB_PATH_MAX];
        struct stat st;

        if (!store_layer_key_is_valid(key) || has_key(g->kept_layers, g->n_kept_layers, key))
                return is_kept(g, key) || has_key(g->kept_layers, g->n_kept_layers, key);
        store_blob_path(key, "", path);
        return !has_key(g->gone_layers, g->n_gone_layers, key) &&
               fstatat(g->store->cas_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
               !is_older((usec_t) MAX(st.st_mtim.tv_sec, 0) * USEC_PER_SEC, STORE_LAYER_AGE_USEC, g->now);
}

/* When a tree was made, or the youngest of its images used; 0: one of them is gone, so the tree is of no use. */
static usec_t tree_last_used(const Gc *g, const char *tree) {
        _cleanup_free_ char *path = strf("tree/%s", tree);
        _cleanup_strv_free_ char **blobs = NULL;
        usec_t used = 0;
        struct stat st;

        if (!path || store_tree_blobs(g->store, tree, &blobs, NULL) < 0 ||
            fstatat(g->store->cas_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return 0;
        STRV_FOREACH (b, blobs)
                if (!is_blob_kept(g, *b))
                        return 0;
        used = st.st_mtim.tv_sec < 0 ? 0 : (usec_t) st.st_mtim.tv_sec * USEC_PER_SEC;
        FOREACH_ARRAY (i, g->images.images, g->images.n_images)
                if (strv_contains(blobs, i->key) || (blobs && strv_contains(i->layers, *blobs)))
                        used = MAX(used, i->last_used_usec);
        return used;
}

static int sweep_trees(Gc *g, Error *e) {
        STRV_FOREACH (t, g->trees) {
                usec_t used;
                int r;

                if (strv_contains(g->options->used_trees, *t))
                        continue;
                used = tree_last_used(g, *t);
                if (used != 0 && !is_older(used, g->options->tree_grace_usec, g->now))
                        continue;
                r = discard_tree(g->store, *t);
                if (r < 0)
                        return error_setf(e, r, "cannot remove '%s/cas/tree/%s': %s", g->store->dir, *t,
                                          strerror(-r));
                report(g, STORE_CHANGE_TREE, *t);
        }
        return 0;
}

/* One folder of blobs: those that nobody needs, and what lies beside them. */
static int sweep_folder(const Gc *g, const char *folder, Error *e) {
        _cleanup_strv_free_ char **names = NULL;
        int r = dir_list_at(g->store->cas_fd, folder, &names);

        if (r < 0)
                return error_setf(e, r, "cannot list '%s/cas/%s': %s", g->store->dir, folder, strerror(-r));
        STRV_FOREACH (n, names) {
                _cleanup_free_ char *path = strf("%s/%s", folder, *n);
                char key[STORE_KEY_MAX];

                (void) snprintf(key, sizeof(key), "%s", *n);
                if (!path)
                        return error_oom(e);
                if (!store_blob_key_is_valid(key) || is_blob_kept(g, key) ||
                    strv_contains(g->used_blobs, key))
                        continue;
                if (unlinkat(g->store->cas_fd, path, 0) < 0 && errno != ENOENT)
                        return error_setf(e, -errno, "cannot remove '%s/cas/%s': %m", g->store->dir, path);
                if (store_blob_key_is_valid(*n) && !has_key(g->gone, g->n_gone, *n) &&
                    !has_key(g->gone_layers, g->n_gone_layers, *n))
                        report(g, STORE_CHANGE_BLOB, *n);
        }
        return 0;
}

static int sweep_blobs(const Gc *g, const char *top, Error *e) {
        _cleanup_strv_free_ char **folders = NULL;
        int r = dir_list_at(g->store->cas_fd, top, &folders);

        if (r < 0)
                return error_setf(e, r, "cannot list '%s/cas/%s': %s", g->store->dir, top, strerror(-r));
        STRV_FOREACH (f, folders) {
                _cleanup_free_ char *path = strf("%s/%s", top, *f);

                r = path ? sweep_folder(g, path, e) : error_oom(e);
                if (r < 0)
                        return r;
        }
        return 0;
}

static bool keep_remote(void *userdata, const StoreRemote *r) {
        return is_kept(userdata, r->key);
}

/* Files in cas/tmp are what downloads have got so far; who works on one writes to it. */
static int sweep_spools(const Gc *g, Error *e) {
        _cleanup_strv_free_ char **names = NULL;
        int r = dir_list_at(g->store->cas_fd, "tmp", &names);

        if (r < 0)
                return error_setf(e, r, "cannot list '%s/cas/tmp': %s", g->store->dir, strerror(-r));
        STRV_FOREACH (n, names) {
                _cleanup_free_ char *path = strf("tmp/%s", *n);
                struct stat st;

                if (!path)
                        return error_oom(e);
                if (fstatat(g->store->cas_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
                    !is_older((usec_t) MAX(st.st_mtim.tv_sec, 0) * USEC_PER_SEC, STORE_SPOOL_AGE_USEC,
                              g->now))
                        continue;
                if (unlinkat(g->store->cas_fd, path, 0) < 0 && errno != ENOENT)
                        return error_setf(e, -errno, "cannot remove '%s/cas/%s': %m", g->store->dir, path);
                report(g, STORE_CHANGE_SPOOL, *n);
        }
        return 0;
}

static int sweep(Gc *g, Error *e) {
        _cleanup_close_ int commit = -EBADF;
        int r = store_commit_lock(g->store, &commit, e);

        if (r >= 0)
                r = load_used(g, e);
        if (r >= 0)
                r = sweep_images(g, e);
        if (r >= 0)
                r = sweep_trees(g, e);
        if (r >= 0)
                r = sweep_blobs(g, "blob/sha512", e);
        if (r >= 0)
                r = sweep_blobs(g, "blob/sha256", e);
        if (r >= 0)
                r = store_remote_sweep(g->store, keep_remote, g, e);
        return r < 0 ? r : sweep_spools(g, e);
}

/**
 * store_gc() - remove what nobody needs
 * @s:       store, locked exclusively by the caller, who may let go of it before store_tmp_clean()
 * @options: what is needed, and for how long
 * @e:       sentence on failure; may be NULL
 *
 * Images that were not used for long, damaged ones, trees, blobs of no image, layers that no image has had for
 * STORE_LAYER_AGE_USEC, what URLs gave that is gone, and the rests of downloads. The files of trees are removed by store_tmp_clean().
 *
 * Return: 0, -ENOMEM, errno of what could not be removed.
 */
int store_gc(Store *s, const StoreGcOptions *options, Error *e) {
        _cleanup_(gc_done) Gc g = { .store = s, .options = options, .now = options->now_usec };
        struct timespec now;

        if (g.now == 0 && clock_gettime(CLOCK_REALTIME, &now) == 0)
                g.now = (usec_t) now.tv_sec * USEC_PER_SEC;
        return sweep(&g, e);
}
