/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt image rm: images out of the store. */
#include <stdio.h>

#include "basic/log.h"
#include "basic/strv.h"
#include "image/image-get.h"
#include "store/store-gc.h"
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

static int rm_run(const VerbContext *c, int argc, char **args, void *options, Error *e) {
        _cleanup_(store_freep) Store *store = NULL;
        _cleanup_strv_free_ char **keys = NULL;
        unsigned done = 0, failed = 0;
        int r;

        r = store_open(c->dir, 0, &store, e);
        if (r >= 0)
                r = find_keys(store, args, &keys, &failed, e);
        if (r < 0)
                return r;
        STRV_FOREACH (k, keys) {
                _cleanup_error_ Error sub = ERROR_INIT;

                r = store_image_remove(store, *k, &sub);
                if (r < 0) {
                        log_error("%s", error_text(&sub, r));
                        failed++;
                        continue;
                }
                (void) printf("successfully removed aci for image: \"%s\"\n", *k);
                done++;
        }
        if (done > 0)
                log_info("%u image(s) successfully removed", done);
        if (failed > 0)
                return error_setf(e, -ENOENT, "%u image(s) cannot be removed", failed);
        return 0;
}

const Verb verb_image_rm = {
        .group = "image",
        .name = "rm",
        .min_args = 1,
        .max_args = VERB_ARGS_ANY,
        .usage = "IMAGE...",
        .help = "Remove images from the local store",
        .description = "Running pods keep what they run.",
        .prefix = "rm",
        .run = rm_run,
};
