/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt run: a pod in the foreground, from images and flags. The steps are those of pod@.service; what differs is that the pod is
 * named after its UUID, and that the terminal (or the caller's pipe) gets what the apps print. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/log.h"
#include "basic/strv.h"
#include "config.h"
#include "pod/pod-prepare.h"
#include "run/machine.h"
#include "run/run.h"
#include "verbs/pod-info.h"
#include "verbs/run-foreground.h"
#include "verbs/run-images.h"

/* What cannot be started was never a pod. */
static int detach(const VerbContext *c, const RunArgs *a, Pod *p, const char *name, Error *e) {
        _cleanup_free_ char *uuid = strdup(pod_uuid(p)), *unit = NULL;
        int r;

        if (!uuid)
                return error_oom(e);
        r = run_detached(c, a, "run-prepared", p, name, &unit, e);
        if (r < 0)
                run_remove_pod(c->dir, uuid);
        return r;
}

static int run_now(const VerbContext *c, const RunArgs *a, Store *s, Pod *p, const char *name, Error *e) {
        int r = machine_enter_scope(name, "rkt pod", e);

        if (r >= 0)
                return run_foreground(c, a, s, p, e);
        run_discard(a, p);
        return r;
}

/* Images, then the pod's directory, then its scope; then a child of this process becomes the pod. */
static int run_all(const VerbContext *c, RunArgs *a, Error *e) {
        PodPrepareOptions prepare = {
                .keep_credentials = true,
                .to = a->detach ? POD_DIRECTORY_PREPARED : POD_DIRECTORY_RUN,
                .uuid_file = a->uuid_file_save,
                .name_from_uuid = !a->pod_name,
                .warning = run_print_message,
        };
        _cleanup_(store_freep) Store *s = NULL;
        _cleanup_(pods_closep) Pods *ps = NULL;
        _cleanup_(pod_closep) Pod *p = NULL;
        _cleanup_strv_free_ char **ids = NULL;
        _cleanup_free_ char *name = NULL;
        int r;

        if (a->interactive && a->detach)
                return error_setf(e, -EINVAL, "--interactive and --detach exclude each other");
        if (a->interactive && (a->manifest ? a->manifest->n_apps : a->spec->n_apps) != 1)
                return error_setf(e, -EINVAL, "interactive option only supports one image");
        r = a->interactive ? run_check_terminal(e) : 0;
        if (r >= 0 && a->pod_name)
                r = run_check_name(a->pod_name, e);
        if (r >= 0)
                r = store_open(c->dir, 0, &s, e);
        if (r >= 0)
                r = run_images_get(c, &verb_run, a, s, &ids, e);
        prepare.ids = ids;
        prepare.manifest = a->manifest;
        if (r >= 0)
                r = run_make_pod(c->dir, s, a->spec, &prepare, &ps, &p, &name, e);
        if (r < 0)
                return r;
        return a->detach ? detach(c, a, TAKE_PTR(p), name, e) : run_now(c, a, s, p, name, e);
}

static int run_run(const VerbContext *c, int argc, char **words, void *options, Error *e) {
        return run_verb(c, &verb_run, words, options, run_all, e);
}

const Verb verb_run = {
        .name = "run",
        .flags = VERB_ROOT | VERB_RAW,
        .usage = "IMAGE [FLAGS] [-- ARGS... [---]] [IMAGE2 ...]",
        .section = SECTION_PODS,
        .help = "Run image(s) in a pod in rkt",
        .description =
                "      Fetches what is missing, makes a pod of the images, and runs it in the foreground.\n"
                "      Image options belong to the image before them. \"--\" begins the arguments "
                "of that\n"
                "      image, \"---\" ends them. The exit status is that of the first app that failed.",
        .options = run_options,
        .more_options = { run_image_options, run_new_options, run_how_options },
        .options_size = sizeof(RunArgs),
        .run = run_run,
};
