/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt rm: remove pods that do not run, without the grace period of gc. */
#include <stdio.h>

#include "basic/log.h"
#include "pod/pod-gc.h"
#include "run/run.h"
#include "verbs/pod-info.h"
#include "verbs/verbs.h"

typedef struct RmArgs {
        const char *uuid_file;
} RmArgs;

/* Why a pod cannot go; NULL if it can. */
static const char *why_not(PodState s) {
        switch (s) {
        case POD_RUNNING: return "is currently running";
        case POD_PREPARING:
        case POD_EMBRYO: return "is currently being prepared";
        case POD_DELETING:
        case POD_EXITED_DELETING: return "is currently being deleted";
        default: return NULL;
        }
}

static int remove_pod(Pods *ps, const char *id, Error *e) {
        const PodGcOptions options = { .release = run_release };
        _cleanup_(pod_closep) Pod *p = NULL;
        int r = pod_open_argument(ps, id, &p, e);

        if (r < 0)
                return r;
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
        _cleanup_(pods_closep) Pods *ps = NULL;
        _cleanup_free_ char *from_file = NULL;
        int failed = 0, r = 0;

        if ((argc > 0) == (args->uuid_file != NULL))
                return error_setf(e, -EINVAL, "name pods, or a file with a UUID by --uuid-file");
        if (args->uuid_file)
                r = pod_id_from_file(args->uuid_file, &from_file, e);
        if (r >= 0)
                r = pods_open_for(c->dir, &ps, e);
        if (r < 0)
                return r;
        for (int i = 0; i < MAX(argc, 1); i++) {
                _cleanup_error_ Error one = ERROR_INIT;

                r = remove_pod(ps, from_file ? from_file : words[i], &one);
                if (r < 0) {
                        log_error("%s", error_text(&one, r));
                        failed++;
                }
        }
        return failed == 0 ? 0 : error_setf(e, -EIO, "failed to remove one or more pods");
}

static const Option rm_options[] = {
        { "uuid-file", 0, OPTION_STRING, offsetof(RmArgs, uuid_file), .value = "FILE",
          .help = "read the pod's UUID from there" },
        {},
};

const Verb verb_rm = {
        .name = "rm",
        .max_args = VERB_ARGS_ANY,
        .flags = VERB_ROOT,
        .usage = "UUID...",
        .help = "Remove all files and resources associated with an exited pod",
        .options = rm_options,
        .options_size = sizeof(RmArgs),
        .run = rm_run,
};
