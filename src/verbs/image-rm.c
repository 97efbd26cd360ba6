/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt image rm: images out of the store. */
#include <stdio.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/strv.h"
#include "image/image-get.h"
#include "store/store-gc.h"
#include "verbs/image-lock.h"
#include "verbs/verbs.h"

/* A name and an ID may mean the same image; it counts once (IRM-03). What cannot be found is said at once. */
static int find_keys(Store *store, char **args, char ***ret, unsigned *ret_failed, Error *e) {
        _cleanup_strv_free_ char **keys = NULL;

        for (; *args; args++) {
                _cleanup_(store_image_done) StoreImage image = STORE_IMAGE_INIT;
                _cleanup_error_ Error sub = ERROR_INIT;
                int r;

                r = image_find(store, *args, &image, &sub);
                if (r < 0) {
                        log_error("%s", error_text(&sub, r));
                        (*ret_failed)++;
                } else if (!strv_contains(keys, image.key) && strv_extend(&keys, image.key) < 0)
                        return error_oom(e);
        }
        *ret = TAKE_PTR(keys);
        return 0;
}

typedef struct Remove {
        Store *store;
        PodTrees uses;
        unsigned n_done, n_failed;
} Remove;

/* The first pod that needs an image, a running one before the others; NULL: none does. */
static const PodTree *find_use(const Remove *x, const char *key) {
        _cleanup_(store_image_done) StoreImage image = STORE_IMAGE_INIT;
        const PodTree *found = NULL;

        (void) store_image_load(x->store, key, &image, NULL);
        FOREACH_ARRAY (t, x->uses.trees, x->uses.n_trees)
                if ((!found || (t->running && !found->running)) &&
                    (image.layers ? pod_trees_are_stacked(&x->uses, t, image.layers)
                                  : store_tree_needs(x->store, t->tree, key)))
                        found = t;
        return found;
}

static int remove_one(const Remove *x, const char *key, Error *e) {
        const PodTree *use = find_use(x, key);
        int r;

        if (use && use->running)
                return error_setf(e, -EBUSY,
                                  "image \"%s\" is in use by the running pod \"%s\"; stop it first", key,
                                  use->pod);
        r = store_image_take(x->store, key, x->uses.keys, e);
        if (r < 0)
                return r;
        (void) printf("successfully removed aci for image: \"%s\"\n", key);
        if (r > 0 && use)
                log_info("pod \"%s\" still refers to image \"%s\": rkt image gc removes its files after the "
                         "pod",
                         use->pod, key);
        return 0;
}

/* What has lost its name is removed from the disk after the lock is let go of. */
static int remove_all(Remove *x, const char *dir, char **keys, Error *e) {
        _cleanup_close_ int lock = -EBADF;
        int r = strv_length(keys) == 0 ? 0 : image_lock(x->store, dir, &lock, &x->uses, e);

        if (r < 0)
                return r;
        STRV_FOREACH (k, keys) {
                _cleanup_error_ Error sub = ERROR_INIT;

                r = remove_one(x, *k, &sub);
                if (r < 0)
                        log_error("%s", error_text(&sub, r));
                (*(r < 0 ? &x->n_failed : &x->n_done))++;
        }
        return 0;
}

static int rm_run(const VerbContext *c, int argc, char **args, void *options, Error *e) {
        _cleanup_(store_freep) Store *store = NULL;
        _cleanup_strv_free_ char **keys = NULL;
        _cleanup_error_ Error stale = ERROR_INIT;
        Remove x = {};
        int r, k;

        r = store_open(c->dir, 0, &store, e);
        if (r >= 0)
                r = find_keys(store, args, &keys, &x.n_failed, e);
        if (r < 0)
                return r;
        x.store = store;
        r = remove_all(&x, c->dir, keys, e);
        pod_trees_done(&x.uses);
        if (r < 0)
                return r;
        k = store_tmp_clean(store, &stale);
        if (x.n_done > 0 && k < 0)
                log_warning("%u image(s) removed but left some stale files: %s", x.n_done,
                            error_text(&stale, k));
        else if (x.n_done > 0)
                log_info("%u image(s) successfully removed", x.n_done);
        if (x.n_failed > 0)
                return error_setf(e, -ENOENT, "%u image(s) cannot be removed", x.n_failed);
        return 0;
}

const Verb verb_image_rm = {
        .group = "image",
        .name = "rm",
        .min_args = 1,
        .max_args = VERB_ARGS_ANY,
        .usage = "IMAGE...",
        .help = "Remove images from the local store",
        .description = "An image goes with its tree. One that a running pod uses is not removed. What other "
                       "pods refer to is "
                       "kept for them until rkt image gc finds it unused.",
        .prefix = "rm",
        .run = rm_run,
};
