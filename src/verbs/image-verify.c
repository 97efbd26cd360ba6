/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt image verify: are images still what was fetched, and their trees what is in them? */
#include <stdio.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/strv.h"
#include "image/image-get.h"
#include "image/image-rebuild.h"
#include "image/image-render.h"
#include "store/store-blob.h"
#include "store/store-layer.h"
#include "store/store-verify.h"
#include "verbs/image-lock.h"
#include "verbs/pod-info.h"
#include "verbs/verbs.h"

typedef struct VerifyArgs {
        bool all;
} VerifyArgs;

typedef struct Verifier {
        Store *store;
        PodTrees uses;
        char **layers; /* that were found good already: images share them */
} Verifier;

/* The running pod whose root a tree is; NULL: there is none. */
static const char *find_running(const Verifier *v, const char *tree) {
        FOREACH_ARRAY (t, v->uses.trees, v->uses.n_trees)
                if (t->running && streq(t->tree, tree))
                        return t->pod;
        return NULL;
}

/* What is said of an image: the worst of its trees. */
typedef struct Report {
        const char *asked;
        const char *key;      /* of the image */
        StoreVerdict verdict; /* STORE_VERDICT_GOOD to begin with */
        char *difference;     /* of the tree that it is about */
        const char *pod;      /* that runs from it; NULL: none */
} Report;

/* Takes @difference. In the order of the enumeration, but for damage, which is the worst. */
static void add_verdict(Report *report, StoreVerdict verdict, char *difference, const char *pod) {
        if (report->verdict == STORE_VERDICT_DAMAGED ||
            (verdict != STORE_VERDICT_DAMAGED && verdict <= report->verdict)) {
                free(difference);
                return;
        }
        report->verdict = verdict;
        report->pod = pod;
        free(report->difference);
        report->difference = difference;
}

static int verify_tree(const Verifier *v, Report *report, const char *tree, const StoreTreePart *parts,
                       size_t n_parts, Error *e) {
        const char *pod = find_running(v, tree);
        char *difference = NULL;
        StoreVerdict verdict;
        int r;

        r = store_tree_verify(v->store, tree, parts, n_parts, !pod, &verdict, &difference, e);
        if (r < 0)
                return error_prefixf(e, r, "image \"%s\"", report->asked);
        add_verdict(report, verdict, difference, pod);
        return 0;
}

/* The tree that lies on top of the layers, where there is one. */
static int verify_top(const Verifier *v, Report *report, char *const *layers, Error *e) {
        _cleanup_strv_free_ char **stack = NULL;
        char tree[STORE_TREE_KEY_MAX], *difference = NULL;
        StoreVerdict verdict;
        const char *pod;
        int r = store_layers_top(v->store, layers, tree, &stack, e);

        if (r == 0)
                return 0;
        pod = r > 0 ? find_running(v, tree) : NULL;
        if (r > 0)
                r = store_top_verify(v->store, tree, stack, !pod, &verdict, &difference, e);
        if (r < 0)
                return error_prefixf(e, r, "image \"%s\"", report->asked);
        add_verdict(report, verdict, difference, pod);
        return 0;
}

static int say(const Verifier *v, const Report *x, Error *e) {
        int r;

        switch (x->verdict) {
        case STORE_VERDICT_NO_TREE:
                r = store_blob_verify(v->store, x->key, e);
                if (r < 0)
                        return r;
                (void) printf("image \"%s\" not rendered; no verification needed\n", x->asked);
                return 0;
        case STORE_VERDICT_GOOD:
                (void) printf("successfully verified checksum for image: \"%s\" (\"%s\")\n", x->asked,
                              x->key);
                return 0;
        case STORE_VERDICT_REPAIRED:
                log_info("tree cache verification failed for image %s: %s;  rebuilding...", x->asked,
                         x->difference);
                return 0;
        default:
                return error_setf(
                        e, -EBUSY,
                        "tree cache verification failed for image %s: %s; it is not rebuilt while the "
                        "pod \"%s\" runs from it",
                        x->asked, x->difference, x->pod);
        }
}

static int verify_aci(const Verifier *v, Report *report, Error *e) {
        _cleanup_(image_render_done) ImageRender render = IMAGE_RENDER_INIT;
        int r = image_render_list(v->store, report->key, &render, e);

        /* Without its dependencies it has no tree. */
        if (r == -ENOENT) {
                error_done(e);
                report->verdict = STORE_VERDICT_NO_TREE;
                return 0;
        }
        return r < 0 ? error_prefixf(e, r, "image \"%s\"", report->asked)
                     : verify_tree(v, report, render.tree_key, render.parts, render.n_parts, e);
}

/* Without a tree, its content at least. */
static int verify_layer(Verifier *v, Report *report, const char *layer, Error *e) {
        int r;

        if (strv_contains(v->layers, layer))
                return 0;
        if (store_tree_exists(v->store, layer))
                r = verify_tree(v, report, layer, &(StoreTreePart){ .key = layer }, 1, e);
        else {
                r = store_blob_verify(v->store, layer, e);
                if (r < 0)
                        return error_prefixf(e, r, "image \"%s\"", report->asked);
        }
        /* what is damaged and stays so is to be said of each image */
        if (r < 0 || report->verdict == STORE_VERDICT_DAMAGED)
                return r;
        return strv_extend(&v->layers, layer) < 0 ? error_oom(e) : 0;
}

/* The documents are what their digests say, and each layer what its key says. */
static int verify_oci(Verifier *v, Report *report, const StoreImage *image, Error *e) {
        int r = store_oci_verify(v->store, image, e);

        if (r < 0)
                return error_prefixf(e, r, "image \"%s\"", report->asked);
        STRV_FOREACH (l, image->layers)
                if (r >= 0)
                        r = verify_layer(v, report, *l, e);
        return r < 0 ? r : verify_top(v, report, image->layers, e);
}

static int verify_image(Verifier *v, const char *asked, Error *e) {
        _cleanup_(store_image_done) StoreImage image = STORE_IMAGE_INIT;
        Report report = { .asked = asked, .verdict = STORE_VERDICT_GOOD };
        int r = image_find(v->store, asked, &image, e);

        if (r < 0)
                return r;
        report.key = image.key;
        r = image.layers ? verify_oci(v, &report, &image, e) : verify_aci(v, &report, e);
        if (r >= 0)
                r = say(v, &report, e);
        free(report.difference);
        return r;
}

/* A file that says what an image is called. Return: whether it could be made anew; its key goes to keys. */
static bool rebuild(Store *store, const char *path, const char *error, char ***keys) {
        _cleanup_(store_image_done) StoreImage image = STORE_IMAGE_INIT;
        _cleanup_error_ Error why = ERROR_INIT;
        int r = image_rebuild(store, path, &image, &why);

        if (r < 0) {
                log_warning("%s; it cannot be made anew: %s", error, error_text(&why, r));
                return false;
        }
        log_info("%s; made anew from image \"%s\" (\"%s\"): where that came from and who signed it is lost",
                 error, image.name, image.key);
        return strv_extend(keys, image.key) >= 0;
}

/* Return: how many files are damaged and stay so. */
static int all_keys(Store *store, char ***ret, Error *e) {
        _cleanup_(store_image_list_done) StoreImageList list = {};
        int r = store_image_list(store, &list, e), n_damaged = 0;

        if (r < 0)
                return r;
        for (size_t i = 0; list.damaged && list.damaged[i]; i++)
                n_damaged += rebuild(store, list.damaged[i], list.errors[i], ret) ? 0 : 1;
        FOREACH_ARRAY (i, list.images, list.n_images)
                if (strv_extend(ret, i->key) < 0)
                        return error_oom(e);
        return n_damaged;
}

static int load_uses(const char *dir, PodTrees *ret, Error *e) {
        _cleanup_(pods_closep) Pods *ps = NULL;
        int r = pods_open_for(dir, &ps, e);

        return r < 0 ? r : pod_trees_load(ps, ret, e);
}

/* Pods may begin to use a tree while it is looked at: it is replaced as a whole, so they get the old or the new one. */
static int verify_run(const VerbContext *c, int argc, char **args, void *options, Error *e) {
        _cleanup_(store_freep) Store *store = NULL;
        _cleanup_strv_free_ char **keys = NULL;
        _cleanup_close_ int lock = -EBADF;
        const VerifyArgs *a = options;
        Verifier v = {};
        unsigned failed = 0;
        int r;

        if (a->all == (argc > 0))
                return error_setf(e, -EINVAL, "name images, or give --all");
        r = store_open(c->dir, 0, &store, e);
        if (r >= 0)
                r = store_lock(store, LOCK_MODE_SHARED, 1, &lock, e);
        if (r >= 0)
                r = load_uses(c->dir, &v.uses, e);
        if (r >= 0 && a->all)
                r = all_keys(store, &keys, e);
        v.store = store;
        if (r > 0)
                failed += (unsigned) r;
        for (char **i = a->all ? keys : args; r >= 0 && i && *i; i++) {
                _cleanup_error_ Error sub = ERROR_INIT;
                int k = verify_image(&v, *i, &sub);

                if (k < 0) {
                        log_error("%s", error_text(&sub, k));
                        failed++;
                }
        }
        pod_trees_done(&v.uses);
        strv_free(v.layers);
        if (r >= 0 && failed > 0)
                r = error_setf(e, -EBADMSG, "%u image(s) could not be verified", failed);
        return MIN(r, 0);
}

static const Option verify_options[] = {
        { "all", 0, OPTION_BOOL, offsetof(VerifyArgs, all), .help = "verify every image in the store" },
        {},
};

const Verb verb_image_verify = {
        .group = "image",
        .name = "verify",
        .max_args = VERB_ARGS_ANY,
        .usage = "IMAGE...",
        .help = "Verify one or more rendered images in the local store",
        .description = "The tree of each image is made a second time, and compared with the one that is in "
                       "the store; if they "
                       "differ, the new one takes its place. On the way the image's own content is checked.",
        .prefix = "image",
        .options = verify_options,
        .options_size = sizeof(VerifyArgs),
        .run = verify_run,
};
