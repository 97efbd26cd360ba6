/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt run-prepared: a pod that "rkt prepare" made, in the foreground. What can still be chosen is where it runs, not what. */
#include "pod/pod-compose.h"
#include "run/machine.h"
#include "run/network.h"
#include "run/run.h"
#include "verbs/pod-info.h"
#include "verbs/run-foreground.h"
#include "verbs/run-network.h"

static int not_prepared(const Pod *p, Error *e) {
        return error_setf(e, -EINVAL, "pod \"%s\" is not prepared", pod_uuid(p));
}

/* Ours, and still what it was. Of two that want the same pod one comes too late. */
static int take(Pod *p, Error *e) {
        int r;

        if (pod_state(p) != POD_PREPARED)
                return not_prepared(p, e);
        r = pod_lock(p, e);
        if (r < 0)
                return r;
        return pod_directory(p) == POD_DIRECTORY_PREPARED ? 0 : not_prepared(p, e);
}

/* The flags go into the manifest, so that who looks at the pod sees what runs. Returns 1 if there are any. */
static int set_up(PodManifest *m, const RunArgs *a, Error *e) {
        bool host_ipc = false;
        int changed, r = run_ipc_parse(a->ipc, &host_ipc, e);

        changed = r < 0 ? r : run_network_change(a, m, e);
        if (changed < 0)
                return changed;
        if ((host_ipc && pod_manifest_set_annotation(m, POD_ANNOTATION_IPC, "parent") < 0) ||
            (a->mds_register && pod_manifest_set_annotation(m, POD_ANNOTATION_METADATA, "yes") < 0) ||
            (a->hostname && pod_manifest_set_annotation(m, POD_ANNOTATION_HOSTNAME, a->hostname) < 0))
                return error_oom(e);
        return changed || a->hostname || a->mds_register || host_ipc;
}

/* Flags that no pod could have. */
static int check_flags(const RunArgs *a, Error *e) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        int r = pod_manifest_new(&m);

        r = r < 0 ? error_oom(e) : set_up(m, a, e);
        return MIN(r, 0);
}

/* What there is to say against the pod as it would run, before anything is changed. Returns 1 if its manifest is another. */
static int check(Pod *p, const RunArgs *a, PodManifest **ret, Error *e) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        int changed = pod_read_manifest(p, &m, e), r;

        if (changed >= 0 && a->interactive && m->n_apps != 1)
                changed = error_setf(e, -EINVAL, "interactive option only supports one app");
        if (changed >= 0)
                changed = set_up(m, a, e);
        if (changed < 0)
                return changed;
        r = network_check(p, m, e);
        if (r < 0)
                return error_prefixf(e, r, "stage1: failed to setup network");
        *ret = TAKE_PTR(m);
        return changed;
}

/* As long as nothing is changed, it stays prepared. */
static int run_prepared_run(const VerbContext *c, int argc, char **words, void *options, Error *e) {
        const RunArgs *a = options;
        _cleanup_(store_freep) Store *s = NULL;
        _cleanup_(pods_closep) Pods *ps = NULL;
        _cleanup_(pod_closep) Pod *p = NULL;
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        _cleanup_free_ char *name = NULL;
        int changed, r = check_flags(a, e);

        if (r >= 0 && a->interactive)
                r = run_check_terminal(e);
        if (r >= 0)
                r = pod_open_named(c->dir, argc, words, a->uuid_file, &ps, &p, e);
        if (r >= 0)
                r = take(p, e);
        changed = r < 0 ? r : check(p, a, &m, e);
        if (r >= 0)
                r = changed;
        if (r >= 0)
                r = store_open(c->dir, 0, &s, e);
        if (r >= 0)
                r = pod_machine_name(p, &name, e);
        if (r >= 0)
                r = run_check_name(name, e);
        if (r >= 0)
                r = machine_enter_scope(name, "rkt pod", e);
        if (r >= 0)
                r = pod_move(p, POD_DIRECTORY_RUN, e);
        if (r >= 0 && changed > 0)
                r = pod_write_manifest(p, m, e);
        return r < 0 ? r : run_foreground(c, a, s, p, e);
}

const Verb verb_run_prepared = {
        .name = "run-prepared",
        .max_args = 1,
        .flags = VERB_ROOT,
        .usage = "UUID",
        .section = SECTION_PODS,
        .help = "Run a prepared application pod in rkt",
        .description = "      The pod must have been made by \"rkt prepare\". It runs in the foreground, "
                       "once; the exit "
                       "status is\n"
                       "      that of the first app that failed.",
        .options = run_prepared_options,
        .more_options = { run_how_options },
        .options_size = sizeof(RunArgs),
        .run = run_prepared_run,
};
