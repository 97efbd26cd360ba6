/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt run: a pod in the foreground, from images and flags. The steps are those of pod@.service; what differs is that the pod is
 * named after its UUID, and that the terminal (or the caller's pipe) gets what the apps print. */
#include "run/run.h"
#include "basic/strv.h"
#include "pod/pod-prepare.h"
#include "run/machine.h"
#include "verbs/pod-info.h"
#include "verbs/run-images.h"

/* Images, then the pod's directory, then its scope; then this process becomes the pod. */
static int run_foreground(const VerbContext *c, RunArgs *a, Error *e) {
        const RunOptions run = { .console = true, .keep_unit = true };
        PodPrepareOptions prepare = {
                .to = POD_DIRECTORY_RUN,
                .uuid_file = a->uuid_file_save,
                .name_from_uuid = true,
                .warning = run_print_message,
        };
        _cleanup_(store_freep) Store *s = NULL;
        _cleanup_(pods_closep) Pods *ps = NULL;
        _cleanup_(pod_closep) Pod *p = NULL;
        _cleanup_strv_free_ char **ids = NULL;
        _cleanup_free_ char *name = NULL;
        int r;

        r = store_open(c->dir, 0, &s, e);
        if (r >= 0)
                r = run_images_get(c, &verb_run, a, s, &ids, e);
        prepare.ids = ids;
        prepare.manifest = a->manifest;
        if (r >= 0)
                r = pods_open_for(c->dir, &ps, e);
        if (r >= 0)
                r = pod_prepare(ps, s, a->spec, &prepare, &p, e);
        if (r >= 0)
                r = pod_machine_name(p, &name, e);
        if (r >= 0)
                r = machine_enter_scope(name, "rkt pod", e);
        return r < 0 ? r : run_pod(p, s, &run, e);
}

static int run_run(const VerbContext *c, int argc, char **words, void *options, Error *e) {
        return run_verb(c, &verb_run, words, options, run_foreground, e);
}

const Verb verb_run = {
        .name = "run",
        .flags = VERB_ROOT | VERB_RAW,
        .usage = "IMAGE [FLAGS] [-- ARGS... [---]] [IMAGE2 ...]",
        .help = "Run image(s) in a pod in rkt",
        .description =
                "      Fetches what is missing, makes a pod of the images, and runs it in the foreground.\n"
                "      Flags marked \"image:\" belong to the image before them. \"--\" begins the arguments "
                "of that\n"
                "      image, \"---\" ends them. The exit status is that of the first app that failed.",
        .options = run_options,
        .more_options = { run_image_options, run_how_options },
        .options_size = sizeof(RunArgs),
        .run = run_run,
};
