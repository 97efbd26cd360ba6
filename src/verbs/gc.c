/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt gc: remove pods that are over, once their grace period is. */
#include <stdio.h>

#include "basic/log.h"
#include "basic/table.h"
#include "pod/pod-gc.h"
#include "run/network.h"
#include "run/run.h"
#include "verbs/pod-info.h"
#include "verbs/run-images.h"
#include "verbs/verbs.h"

typedef struct GcArgs {
        int64_t grace;
        int64_t expire;
        bool mark_only;
} GcArgs;

/* What was done, in rkt's words; 1 if it failed. */
static int report(const PodChange *c, const char *grace) {
        switch (c->type) {
        case POD_CHANGE_MARKED_EXITED: log_info("moving pod \"%s\" to garbage", c->id); break;
        case POD_CHANGE_MARKED_ABORTED: log_info("moving failed prepare \"%s\" to garbage", c->id); break;
        case POD_CHANGE_MARKED_EXPIRED:
                log_info("moving expired prepared pod \"%s\" to garbage", c->id);
                break;
        case POD_CHANGE_KEPT:
                log_info("pod \"%s\" not removed: still within grace period (%s)", c->id, grace);
                break;
        case POD_CHANGE_REMOVED: (void) printf("Garbage collecting pod \"%s\"\n", c->id); break;
        default: log_error("%s", str_or(c->error, "unknown failure")); return 1;
        }
        return 0;
}

/* A span as Go writes it: 30m0s, 24h0m0s, 10s. */
static char *format_go_duration(int64_t usec) {
        long long s = usec / 1000000;

        if (s >= 3600)
                return strf("%lldh%lldm%llds", s / 3600, s / 60 % 60, s % 60);
        return s >= 60 ? strf("%lldm%llds", s / 60, s % 60) : strf("%llds", s);
}

static int gc_run(const VerbContext *c, int argc, char **words, void *options, Error *e) {
        RunRelease release = { .warning = run_print_message };
        const GcArgs *args = options;
        const PodGcOptions gc = {
                .grace_usec = (usec_t) MAX(args->grace, 0),
                .expire_prepared_usec = (usec_t) MAX(args->expire, 0),
                .mark_only = args->mark_only,
                .release = run_release,
                .userdata = &release,
        };
        _cleanup_(pods_closep) Pods *ps = NULL;
        _cleanup_pod_changes_ PodChanges changes = POD_CHANGES_INIT;
        _cleanup_free_ char *grace = format_go_duration(args->grace);
        _cleanup_error_ Error why = ERROR_INIT;
        int failed = 0, r;

        if (!grace)
                return error_oom(e);
        r = network_sweep(c->dir, NETWORK_SWEEP_OLD | NETWORK_SWEEP_AGAIN, &why);
        if (r < 0) { /* their pods are looked at again below, one by one */
                log_warning("%s", error_text(&why, r));
        }
        r = pods_open_for(c->dir, &ps, e);
        if (r >= 0)
                r = pod_gc(ps, &gc, &changes, e);
        if (r < 0)
                return r;
        FOREACH_ARRAY (change, changes.changes, changes.n_changes)
                failed += report(change, grace);
        return failed == 0
                       ? 0
                       : error_setf(e, -EIO, "%d pod(s) could not be collected; they stay for the next run",
                                    failed);
}

static const Option gc_options[] = {
        { "grace-period", 0, OPTION_DURATION, offsetof(GcArgs, grace), .fallback = "30m0s",
          .value = "DURATION", .help = "duration to wait before discarding inactive pods from garbage" },
        { "expire-prepared", 0, OPTION_DURATION, offsetof(GcArgs, expire), .fallback = "24h0m0s",
          .value = "DURATION", .help = "duration to wait before expiring prepared pods" },
        { "mark-only", 0, OPTION_BOOL, offsetof(GcArgs, mark_only),
          .help = "if set to true, only the \"mark\" phase of the garbage collection process will be run" },
        {},
};

const Verb verb_gc = {
        .name = "gc",
        .flags = VERB_ROOT,
        .section = SECTION_PODS,
        .help = "Garbage collect rkt pods no longer in use",
        .options = gc_options,
        .options_size = sizeof(GcArgs),
        .run = gc_run,
};
