/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt run: a pod in the foreground, from images and flags. The steps are those of pod@.service; what differs is that the pod is
 * named after its UUID, and that the terminal (or the caller's pipe) gets what the apps print. */
#include <stdio.h>
#include <string.h>

#include "basic/log.h"
#include "basic/strv.h"
#include "image/image-get.h"
#include "image/image-status.h"
#include "pod/pod-prepare.h"
#include "run/machine.h"
#include "run/run.h"
#include "store/store-blob.h"
#include "verbs/pod-info.h"
#include "verbs/run-args.h"
#include "verbs/verbs.h"

static void print_message(void *userdata, const char *message) {
        log_info("%s", message);
}

static void on_message(void *userdata, const char *message) {
        image_status_done(userdata);
        print_message(NULL, message);
}

/* The image of one app into the store; what its manifest says is taken over. */
static int get_image(const VerbContext *c, RunArgs *a, size_t i, Store *s, char ***ids, Error *e) {
        ImageLimits limits = IMAGE_LIMITS_DEFAULT;
        ImageStatus status;
        const ImageGetOptions options = {
                .pull = a->spec->pull,
                .insecure = c->insecure,
                .signature = *a->signatures[i] ? a->signatures[i] : NULL,
                .system_config = c->system_config,
                .local_config = c->local_config,
                .user_config = c->user_config,
                .limits = &limits,
                .trust_keys_from_https = c->trust_keys_from_https,
                .progress = image_status_progress,
                .message = on_message,
                .userdata = &status,
        };
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL;
        _cleanup_free_ char *text = NULL;
        char key[STORE_KEY_MAX], *id = NULL;
        size_t size;
        int r;

        image_status_init(&status);
        r = image_limits_parse_all(&limits, a->limits, e);
        log_set_prefix("image"); /* as rkt has it */
        if (r >= 0)
                r = image_get(s, a->spec->apps[i].image, &options, &id, e);
        image_status_done(&status);
        log_set_prefix("run");
        if (r < 0)
                return r;
        r = store_key_from_id(id, key);
        if (strv_consume(ids, id) < 0)
                return error_oom(e);
        if (r >= 0)
                r = store_manifest_read(s, key, &text, &size, e);
        if (r >= 0)
                r = image_manifest_parse(text, size, &m, e);
        return r < 0 ? r : run_args_set_image(a, i, m, e);
}

/* Images, then the pod's directory, then its scope; then this process becomes the pod. */
static int run_foreground(const VerbContext *c, RunArgs *a, Error *e) {
        const RunOptions run = { .console = true, .keep_unit = true };
        PodPrepareOptions prepare = {
                .to = POD_DIRECTORY_RUN,
                .uuid_file = a->uuid_file_save,
                .name_from_uuid = true,
                .warning = print_message,
        };
        _cleanup_(store_freep) Store *s = NULL;
        _cleanup_(pods_closep) Pods *ps = NULL;
        _cleanup_(pod_closep) Pod *p = NULL;
        _cleanup_strv_free_ char **ids = NULL;
        _cleanup_free_ char *name = NULL;
        int r;

        r = store_open(c->dir, 0, &s, e);
        for (size_t i = 0; i < a->spec->n_apps && r >= 0; i++)
                r = get_image(c, a, i, s, &ids, e);
        prepare.ids = ids;
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
        RunArgs *a = options;
        int r;

        if (pod_spec_new("rkt", &a->spec) < 0)
                return error_oom(e);
        r = run_args_parse(c, &verb_run, words, a, e);
        log_set_debug(c->debug);
        if (r == 1)
                r = verb_print_help(c, &verb_run, stdout);
        else if (r == 0) {
                r = verb_ready(c, e);
                if (r >= 0)
                        r = run_foreground(c, a, e);
        }
        run_args_done(a);
        return r;
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
        .options_size = sizeof(RunArgs),
        .run = run_run,
};
