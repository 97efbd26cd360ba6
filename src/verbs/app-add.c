/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt app add: one more app for a pod of "rkt app sandbox". Its image is in the store already; "rkt app start" starts it. */
#include <stdlib.h>
#include <string.h>

#include "basic/strv.h"
#include "manifest/ac-volume.h"
#include "run/mutable.h"
#include "verbs/pod-info.h"
#include "verbs/pod-wait.h"
#include "verbs/run-images.h"
#include "verbs/run-isolators.h"

/* "name=NAME,kind=KIND,target=PATH,..." without name= and target= is a --volume. */
static int split_volume(const char *value, char **ret_volume, char **ret_target, Error *e) {
        _cleanup_strv_free_ char **words = NULL;
        _cleanup_free_ char *name = NULL, *target = NULL;
        _cleanup_strbuf_ StrBuf rest = STRBUF_INIT;
        const char *v;
        int r = strv_split(value, ",", &words);

        for (char **w = words; r >= 0 && w && *w; w++)
                if ((v = startswith(*w, "name=")))
                        r = str_replace(&name, v);
                else if ((v = startswith(*w, "target="))) {
                        free(TAKE_PTR(target));
                        r = *v ? run_clean_path(v, &target) : 0;
                } else
                        strbuf_addf(&rest, ",%s", *w);
        if (r < 0 || rest.failed)
                return error_oom(e);
        if (!name || !target)
                return error_setf(e, -EINVAL,
                                  "invalid argument \"%s\" for --mnt-volume: it must be "
                                  "name=NAME,kind=KIND,source=PATH,target=PATH",
                                  value);
        *ret_volume = strf("%s%s", name, str_or(rest.data, ""));
        if (!*ret_volume)
                return error_oom(e);
        *ret_target = TAKE_PTR(target);
        return 0;
}

static int set_mnt_volume(const Option *o, const char *value, void *data, Error *e) {
        _cleanup_free_ char *volume = NULL, *target = NULL;
        RunArgs *a = data;
        AppSpec *app = run_current_app(o, a, e);
        MountSpec *m;
        int r = app ? split_volume(value, &volume, &target, e) : -EINVAL;

        if (r >= 0)
                r = run_add_volume(a, volume, o->name, e);
        if (r < 0 || run_find_mount(app, target))
                return r;
        volume[strcspn(volume, ",")] = '\0';
        return app_spec_add_mount(app, volume, target, &m) < 0 ? error_oom(e) : 0;
}

/* What a pod has from its start, or what is there to fetch images. */
static int refuse(const Option *o, const char *value, void *data, Error *e) {
        return error_setf(e, -EOPNOTSUPP, "--%s is not for an app of a pod that runs: %s", o->name, o->help);
}

static int check_ready(Pod *p, Error *e) {
        if (pod_state(p) != POD_RUNNING)
                return error_setf(e, -EBUSY, "pod \"%s\" is not running", pod_uuid(p));
        return pod_wait_ready(p, 0, NULL) < 0
                       ? error_setf(e, -EAGAIN, "supervisor for pod \"%s\" is not yet ready", pod_uuid(p))
                       : 0;
}

static int add(const VerbContext *c, RunArgs *a, Error *e) {
        PodPrepareOptions prepare = { .warning = run_print_message };
        _cleanup_(store_freep) Store *s = NULL;
        _cleanup_(pods_closep) Pods *ps = NULL;
        _cleanup_(pod_closep) Pod *p = NULL;
        _cleanup_strv_free_ char **ids = NULL;
        _cleanup_mutable_pod_ MutablePod x = MUTABLE_POD_INIT;
        _cleanup_free_ char *pod = strdup(a->pod);
        char *words[] = { pod, NULL };
        int r;

        if (!pod)
                return error_oom(e);
        r = pod_open_named(c->dir, 1, words, NULL, &ps, &p, e);
        if (r >= 0)
                r = check_ready(p, e);
        if (r >= 0)
                r = store_open(c->dir, 0, &s, e);
        a->spec->pull = PULL_NEVER;
        if (r >= 0)
                r = run_images_get(c, &verb_app_add, a, s, &ids, e);
        prepare.ids = ids;
        if (r >= 0)
                r = mutable_pod_open(p, &x, e);
        return r < 0 ? r : mutable_pod_add(&x, s, a->spec, &prepare, e);
}

static int add_run(const VerbContext *c, int argc, char **words, void *options, Error *e) {
        ((RunArgs *) options)->kind = RUN_APP_ADD;
        return run_verb(c, &verb_app_add, words, options, add, e);
}

#define SANDBOX     "give it to \"rkt app sandbox\""
#define STORE       "its image is in the store already (see \"rkt fetch\")"
#define CREDENTIALS "a pod gets its credentials when it starts"

/* Flags of "rkt run" that would do nothing here are refused, with the reason in place of a help. */
static const Option add_options[] = {
        { "mnt-volume", 0, OPTION_SET, .set = set_mnt_volume, .value = "name=NAME,kind=KIND,target=PATH",
          .help = "image: a volume with source= or mode=, as --volume says it, mounted there" },
        { "load-credential", 0, OPTION_SET, .set = refuse, .help = CREDENTIALS, .flags = OPTION_HIDDEN },
        { "no-overlay", 0, OPTION_SET, .set = refuse, .bare = "true", .help = SANDBOX,
          .flags = OPTION_HIDDEN },
        { "no-store", 0, OPTION_SET, .set = refuse, .bare = "true", .help = STORE, .flags = OPTION_HIDDEN },
        { "pod-manifest", 0, OPTION_SET, .set = refuse, .help = "give the image, and flags after it",
          .flags = OPTION_HIDDEN },
        { "pod-name", 0, OPTION_SET, .set = refuse, .help = "the pod has its name already",
          .flags = OPTION_HIDDEN },
        { "port", 0, OPTION_SET, .set = refuse, .help = SANDBOX, .flags = OPTION_HIDDEN },
        { "private-users", 0, OPTION_SET, .set = refuse, .bare = "true", .help = SANDBOX,
          .flags = OPTION_HIDDEN },
        { "pull-policy", 0, OPTION_SET, .set = refuse, .help = STORE, .flags = OPTION_HIDDEN },
        { "set-credential", 0, OPTION_SET, .set = refuse, .help = CREDENTIALS, .flags = OPTION_HIDDEN },
        { "store-only", 0, OPTION_BOOL, offsetof(RunArgs, store_only), .flags = OPTION_HIDDEN },
        {},
};

const Verb verb_app_add = {
        .group = "app",
        .name = "add",
        .flags = VERB_ROOT | VERB_RAW,
        .usage = "UUID IMAGE [FLAGS] [-- ARGS... [---]]",
        .section = SECTION_PODS,
        .help = "Add an app to a running pod",
        .description = "      The pod must be one of \"rkt app sandbox\", and the image in the store. Flags "
                       "come after the\n"
                       "      image. \"rkt app start\" starts the app.",
        .options = add_options,
        .more_options = { run_image_options },
        .options_size = sizeof(RunArgs),
        .run = add_run,
};
