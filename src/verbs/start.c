/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt start: a pod that has ended, once more. It is the same pod: UUID, name, networks by name, what its apps wrote. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "basic/str.h"
#include "pod/pod-compose.h"
#include "pod/pod-settle.h"
#include "run/machine.h"
#include "run/run.h"
#include "verbs/pod-info.h"
#include "verbs/run-foreground.h"

#define STEPS     1000
#define STEP_NSEC 10000000

static int not_exited(const Pod *p, Error *e) {
        switch (pod_state(p)) {
        case POD_RUNNING: return error_setf(e, -EBUSY, "pod \"%s\" is already running", pod_uuid(p));
        case POD_PREPARED:
                return error_setf(e, -EINVAL,
                                  "pod \"%s\" has not run yet: \"rkt run-prepared\" runs it the first time",
                                  pod_uuid(p));
        case POD_EXITED_GARBAGE:
                return error_setf(e, -EINVAL, "pod \"%s\" is marked for removal, and cannot be started again",
                                  pod_uuid(p));
        default:
                return error_setf(e, -EINVAL, "pod \"%s\" is %s: only exited pods can be started again",
                                  pod_uuid(p), pod_state_to_string(pod_state(p)));
        }
}

/* What the pod file says of limits, order and restarts, systemd alone does. */
static int check_file(Pod *p, const char *name, Error *e) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        const char *file;
        int r = pod_read_manifest(p, &m, e);

        if (r < 0)
                return r;
        file = pod_manifest_annotation(m, POD_ANNOTATION_FILE);
        return !file || !*file ? 0
                               : error_setf(e, -EINVAL,
                                            "pod \"%s\" is one of %s: \"systemctl start pod@%s\" makes a new "
                                            "one and starts it",
                                            pod_uuid(p), file, name);
}

/* Ours, and still what it was. From here on it counts as running, so what is left of the last run goes at once. */
static int take(Pod *p, Error *e) {
        int r = pod_settle_lock(p, e);

        if (r < 0)
                return r;
        if (pod_directory(p) != POD_DIRECTORY_RUN)
                return error_setf(e, -EBUSY, "pod \"%s\" is being removed", pod_uuid(p));
        return run_reset(p, e);
}

static int start_here(const VerbContext *c, const RunArgs *a, Pod *p, const char *name, Error *e) {
        _cleanup_(store_freep) Store *s = NULL;
        int r = store_open(c->dir, 0, &s, e);

        if (r >= 0)
                r = run_check_name(name, e);
        if (r >= 0)
                r = take(p, e);
        if (r >= 0)
                r = machine_enter_scope(name, "rkt pod", e);
        return r < 0 ? r : run_foreground(c, a, s, p, e);
}

/* Until the service has the pod's lock, the pod is still one that has exited for who waits for it to be ready. A service that
 * has ended had its reasons, or was quick. */
static void wait_taken(Pods *ps, const char *uuid, const char *unit) {
        static const struct timespec step = { .tv_nsec = STEP_NSEC };

        for (unsigned i = 0; i < STEPS; i++) {
                _cleanup_(pod_closep) Pod *p = NULL;
                _cleanup_free_ char *state = NULL;

                if (pod_open_uuid(ps, uuid, &p, NULL) < 0)
                        return;
                pod_settle(p);
                if (pod_state(p) != POD_EXITED || machine_unit_state(unit, &state, NULL) < 0 ||
                    (!streq(state, "active") && !streq(state, "activating")))
                        return;
                (void) nanosleep(&step, NULL);
        }
}

static int start_detached(const VerbContext *c, const RunArgs *a, Pods *ps, Pod *p, const char *name,
                          Error *e) {
        _cleanup_free_ char *uuid = strdup(pod_uuid(p)), *unit = NULL;
        /* or machined would take the new unit for that of the old machine, and never forget this one */
        int r = run_check_name(name, e);

        if (!uuid)
                return error_oom(e);
        if (r >= 0)
                r = run_detached(c, a, "start", p, name, &unit, e);
        if (r >= 0)
                wait_taken(ps, uuid, unit);
        return r;
}

static int start_run(const VerbContext *c, int argc, char **words, void *options, Error *e) {
        const RunArgs *a = options;
        _cleanup_(pods_closep) Pods *ps = NULL;
        _cleanup_(pod_closep) Pod *p = NULL;
        _cleanup_free_ char *name = NULL;
        int r;

        if (a->interactive && a->detach)
                return error_setf(e, -EINVAL, "--interactive and --detach exclude each other");
        r = a->interactive ? run_check_terminal(e) : 0;
        if (r >= 0)
                r = pod_open_named(c->dir, argc, words, a->uuid_file, &ps, &p, e);
        if (r >= 0)
                r = pod_machine_name(p, &name, e);
        if (r < 0)
                return r;
        pod_settle(p);
        if (pod_state(p) != POD_RUNNING)
                r = check_file(p, name, e);
        if (r < 0)
                return r;
        if (pod_state(p) != POD_EXITED)
                return not_exited(p, e);
        return a->detach ? start_detached(c, a, ps, TAKE_PTR(p), name, e) : start_here(c, a, p, name, e);
}

const Verb verb_start = {
        .name = "start",
        .max_args = 1,
        .flags = VERB_ROOT,
        .usage = "UUID",
        .section = SECTION_PODS,
        .help = "Start a pod again that has exited",
        .description =
                "      It keeps its UUID, its name, its volumes and what its apps wrote. It runs in the "
                "foreground, as\n"
                "      \"rkt run\" does; the exit status is that of the first app that failed.",
        .options = run_start_options,
        .options_size = sizeof(RunArgs),
        .run = start_run,
};
