/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt stop: end running pods, in order or by force. */
#include <inttypes.h>
#include <stdio.h>

#include "run/machine.h"
#include "verbs/pod-info.h"
#include "verbs/pod-wait.h"
#include "verbs/verbs.h"

#define KILLED_USEC (10 * INT64_C(1000000)) /* by then the kernel has ended all of it */

typedef struct StopArgs {
        bool force, has_timeout;
        usec_t patience; /* microseconds until what does not end is killed; USEC_INFINITY: it is not */
        const char *uuid_file;
        const char *data_dir;
} StopArgs;

static int set_timeout(const Option *o, const char *value, void *data, Error *e) {
        int64_t usec;

        if (parse_go_duration(value, &usec) < 0 || usec < 0)
                return error_setf(e, -EINVAL,
                                  "invalid argument \"%s\" for --timeout: it must be a duration such as 10s",
                                  value);
        ((StopArgs *) data)->patience = (usec_t) usec;
        ((StopArgs *) data)->has_timeout = true;
        return 0;
}

/* A pod in the foreground is told, and watched by whoever wants it to be down. */
static int stop_machine(Pod *p, const StopArgs *args, Error *e) {
        _cleanup_free_ char *name = NULL, *dir = NULL;
        int r = pod_path(p, NULL, &dir) < 0 ? error_oom(e) : 0;

        if (r >= 0)
                r = pod_machine_name(p, &name, e);
        if (r >= 0)
                r = machine_stop(name, dir, args->patience, e);
        if (r < 0 || args->patience == USEC_INFINITY)
                return r;
        if (r > 0 && args->patience > 0) {
                r = pod_wait_over(p, args->data_dir, (int64_t) args->patience, e);
                if (r != -ETIMEDOUT)
                        return r;
                error_done(e);
                r = machine_stop(name, dir, 0, e);
        }
        if (r >= 0) { /* so that it can be removed at once */
                r = pod_wait_over(p, args->data_dir, KILLED_USEC, e);
                if (r == -ETIMEDOUT && args->patience == 0) /* --force: it has been told */
                        r = (error_done(e), 0);
        }
        return r;
}

/* Prints the UUID when the pod has been stopped, or told to. */
static int stop_pod(Pod *p, void *userdata, Error *e) {
        int r;

        if (pod_state(p) == POD_EXITED || pod_state(p) == POD_EXITED_GARBAGE) {
                (void) printf("pod \"%s\" is already stopped\n", pod_uuid(p));
                return 0;
        }
        if (pod_state(p) != POD_RUNNING)
                return error_setf(e, -EBUSY, "pod \"%s\" is not running", pod_uuid(p));
        r = stop_machine(p, userdata, e);
        if (r < 0)
                return error_prefixf(e, r, "error stopping pod \"%s\"", pod_uuid(p));
        (void) printf("\"%s\"\n", pod_uuid(p));
        return 0;
}

static int stop_run(const VerbContext *c, int argc, char **words, void *options, Error *e) {
        StopArgs *args = options;
        int failed, r;

        args->data_dir = c->dir;
        if (args->force || !args->has_timeout)
                args->patience = args->force ? 0 : USEC_INFINITY;
        r = pods_for_each_named(c->dir, argc, words, args->uuid_file, stop_pod, args, &failed, e);
        if (r < 0)
                return r;
        return failed == 0 ? 0 : error_setf(e, -EIO, "failed to stop %d pod(s)", failed);
}

static const Option stop_options[] = {
        { "force", 0, OPTION_BOOL, offsetof(StopArgs, force),
          .help = "kill the pod instead of asking it to end" },
        { "timeout", 0, OPTION_SET, .set = set_timeout, .value = "DURATION",
          .help = "wait until it is down, and kill it after this time" },
        POD_OPTION_UUID_FILE(StopArgs),
        {},
};

const Verb verb_stop = {
        .name = "stop",
        .max_args = VERB_ARGS_ANY,
        .usage = "UUID...",
        .section = SECTION_PODS,
        .help = "Stop a pod",
        .description =
                "      Pods of pod files are stopped with their unit pod@NAME.service and are down "
                "when the command returns.\n"
                "      A pod of \"rkt run\" is told to shut down; with --timeout it is down, too. A name may "
                "stand for a UUID.",
        .options = stop_options,
        .options_size = sizeof(StopArgs),
        .run = stop_run,
};
