/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt image gc: out of the store what nobody used for a while. */
#include <stdio.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/strv.h"
#include "store/store-gc.h"
#include "verbs/image-lock.h"
#include "verbs/verbs.h"

typedef struct GcArgs {
        int64_t grace;
        int64_t tree_grace;
} GcArgs;

/* What was done, told after the store's lock was let go of: a terminal may be slow. */
typedef struct Done {
        char **names[_STORE_CHANGE_TYPE_MAX];
        bool failed;
} Done;

static void done_done(Done *d) {
        FOREACH_ARRAY (n, d->names, ELEMENTSOF(d->names))
                strv_free(*n);
}

static void on_change(void *userdata, StoreChangeType type, const char *name) {
        Done *d = userdata;

        if (strv_extend(&d->names[type], name) < 0)
                d->failed = true;
}

static void tell(const Done *d) {
        size_t n = strv_length(d->names[STORE_CHANGE_IMAGE]);

        STRV_FOREACH (i, d->names[STORE_CHANGE_TREE])
                log_info("removed treestore \"%s\"", *i);
        STRV_FOREACH (i, d->names[STORE_CHANGE_IMAGE])
                (void) printf("successfully removed aci for image: \"%s\"\n", *i);
        STRV_FOREACH (i, d->names[STORE_CHANGE_BROKEN])
                log_warning("removed image \"%s\": it was damaged; fetch it again if it is needed", *i);
        STRV_FOREACH (i, d->names[STORE_CHANGE_BLOB])
                log_info("removed what was left of image \"%s\"", *i);
        STRV_FOREACH (i, d->names[STORE_CHANGE_SPOOL])
                log_info("removed the rest of a download, \"%s\"", *i);
        if (n > 0)
                log_info("%zu image(s) successfully removed", n);
}

static int collect(Store *store, const char *dir, const GcArgs *a, Done *d, Error *e) {
        _cleanup_pod_trees_ PodTrees uses = POD_TREES_INIT;
        _cleanup_close_ int lock = -EBADF;
        StoreGcOptions o = {
                .grace_usec = (usec_t) MAX(a->grace, 0),
                .tree_grace_usec = (usec_t) MAX(a->tree_grace, 0),
                .change = on_change,
                .userdata = d,
        };
        int r = image_lock(store, dir, &lock, &uses, e);

        o.used_trees = uses.keys;
        return r < 0 ? r : store_gc(store, &o, e);
}

static int gc_run(const VerbContext *c, int argc, char **args, void *options, Error *e) {
        _cleanup_(store_freep) Store *store = NULL;
        _cleanup_(done_done) Done d = {};
        int r, k;

        r = store_open(c->dir, 0, &store, e);
        if (r == -EACCES && geteuid() != 0)
                return error_setf(e, r, "permission denied: only root collects images");
        if (r >= 0)
                r = collect(store, c->dir, options, &d, e);
        tell(&d);
        if (r < 0)
                return r;
        k = store_tmp_clean(store, e);
        return k < 0 ? k : d.failed ? error_oom(e) : 0;
}

static const Option gc_options[] = {
        { "grace-period", 0, OPTION_DURATION, offsetof(GcArgs, grace), .fallback = "24h0m0s",
          .value = "DURATION", .help = "duration to wait since an image was last used before removing it" },
        { "tree-grace-period", 0, OPTION_DURATION, offsetof(GcArgs, tree_grace), .fallback = "0s",
          .value = "DURATION",
          .help = "duration to wait since an image was last used before removing its tree" },
        {},
};

const Verb verb_image_gc = {
        .group = "image",
        .name = "gc",
        .help = "Garbage collect images that are no longer in use",
        .description =
                "First the trees that no pod refers to go, then the images that were not used for the grace "
                "period. A tree is made anew when a pod needs it.",
        .options = gc_options,
        .options_size = sizeof(GcArgs),
        .run = gc_run,
};
