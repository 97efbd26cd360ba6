/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt rm: remove pods that do not run, without the grace period of gc. */
#include <stdio.h>

#include "pod/pod-gc.h"
#include "pod/pod-settle.h"
#include "run/run.h"
#include "verbs/pod-info.h"
#include "verbs/run-images.h"
#include "verbs/verbs.h"

typedef struct RmArgs {
        const char *uuid_file;
} RmArgs;

/* Why a pod cannot go; NULL if it can. An embryo is at work or half-made: its lock tells. */
static const char *why_not(PodState s) {
        switch (s) {
        case POD_RUNNING: return "is currently running";
        case POD_PREPARING: return "is currently being prepared";
        case POD_DELETING:
        case POD_EXITED_DELETING: return "is currently being deleted";
        default: return NULL;
        }
}

static int remove_pod(Pod *p, void *userdata, Error *e) {
        RunRelease release = { .warning = run_print_message };
        const PodGcOptions options = { .release = run_release, .userdata = &release };
        int r;

        pod_settle(p);
        if (why_not(pod_state(p)))
                return error_setf(e, -EBUSY, "pod \"%s\" %s", pod_uuid(p), why_not(pod_state(p)));
        r = pod_remove(p, &options, e);
        if (r < 0)
                return error_prefixf(e, r, "unable to remove pod \"%s\"", pod_uuid(p));
        (void) printf("\"%s\"\n", pod_uuid(p));
        return 0;
}

static int rm_run(const VerbContext *c, int argc, char **words, void *options, Error *e) {
        const RmArgs *args = options;
        int failed, r;

        r = pods_for_each_named(c->dir, argc, words, args->uuid_file, remove_pod, NULL, &failed, e);
        if (r < 0)
                return r;
        return failed == 0 ? 0 : error_setf(e, -EIO, "failed to remove one or more pods");
}

static const Option rm_options[] = {
        POD_OPTION_UUID_FILE(RmArgs),
        {},
};

const Verb verb_rm = {
        .name = "rm",
        .max_args = VERB_ARGS_ANY,
        .flags = VERB_ROOT,
        .usage = "UUID...",
        .section = SECTION_PODS,
        .help = "Remove all files and resources associated with an exited pod",
        .options = rm_options,
        .options_size = sizeof(RmArgs),
        .run = rm_run,
};
