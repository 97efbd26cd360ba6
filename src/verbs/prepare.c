/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt prepare: all of "rkt run" up to the start. What comes out is the pod's UUID, for "rkt run-prepared". */
#include <stdio.h>

#include "basic/strv.h"
#include "pod/pod-prepare.h"
#include "verbs/pod-info.h"
#include "verbs/run-images.h"

static int prepare(const VerbContext *c, RunArgs *a, Error *e) {
        PodPrepareOptions options = {
                .keep_credentials = true,
                .to = POD_DIRECTORY_PREPARED,
                .name_from_uuid = !a->pod_name,
                .warning = a->quiet ? NULL : run_print_message,
        };
        _cleanup_(store_freep) Store *s = NULL;
        _cleanup_(pods_closep) Pods *ps = NULL;
        _cleanup_(pod_closep) Pod *p = NULL;
        _cleanup_strv_free_ char **ids = NULL;
        int r;

        r = store_open(c->dir, 0, &s, e);
        if (r >= 0)
                r = run_images_get(c, &verb_prepare, a, s, &ids, e);
        options.ids = ids;
        options.manifest = a->manifest;
        if (r >= 0)
                r = pods_open_for(c->dir, &ps, e);
        if (r >= 0)
                r = pod_prepare(ps, s, a->spec, &options, &p, e);
        if (r < 0)
                return r;
        (void) puts(pod_uuid(p));
        return 0;
}

static int prepare_run(const VerbContext *c, int argc, char **words, void *options, Error *e) {
        return run_verb(c, &verb_prepare, words, options, prepare, e);
}

const Verb verb_prepare = {
        .name = "prepare",
        .flags = VERB_ROOT | VERB_RAW,
        .usage = "IMAGE [FLAGS] [-- ARGS... [---]] [IMAGE2 ...]",
        .section = SECTION_PODS,
        .help = "Prepare to run image(s) in a pod in rkt",
        .description = "      Fetches what is missing and makes a pod of the images, as \"rkt run\" does, "
                       "but does not "
                       "run it:\n"
                       "      \"rkt run-prepared\" does. Prints the pod's UUID, and nothing else, on "
                       "standard output.",
        .options = run_prepare_options,
        .more_options = { run_image_options, run_new_options },
        .options_size = sizeof(RunArgs),
        .run = prepare_run,
};
