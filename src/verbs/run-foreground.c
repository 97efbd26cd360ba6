/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pod in the foreground; with --rm, nothing is left of it afterwards. */
#include "verbs/run-foreground.h"
#include "verbs/run-images.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/log.h"
#include "basic/str.h"
#include "config.h"
#include "pod/pod-gc.h"
#include "run/machine.h"
#include "run/network.h"
#include "run/run.h"
#include "verbs/pod-info.h"

/* What is left to do at the end. */
typedef struct End {
        const char *data_dir;
        const char *uuid;
        bool remove;
} End;

static int remove_open(Pod *p, Error *e) {
        RunRelease release = { .warning = run_print_message };
        const PodGcOptions options = { .release = run_release, .userdata = &release };

        return pod_remove(p, &options, e);
}

/**
 * run_discard() - a pod could not be started: with --rm nothing is left of it
 * @a: --rm
 * @p: locked
 *
 * What does not go, gc takes; a warning says so.
 */
void run_discard(const RunArgs *a, Pod *p) {
        _cleanup_error_ Error e = ERROR_INIT;
        int r = a->remove ? remove_open(p, &e) : 0;

        if (r < 0)
                log_warning("cannot remove the pod: %s, ignoring", error_text(&e, r));
}

/**
 * run_remove_pod() - remove a pod that has ended, or did not start
 * @data_dir: --dir
 * @uuid:     its UUID
 *
 * What does not go, gc takes; a warning says so.
 */
void run_remove_pod(const char *data_dir, const char *uuid) {
        _cleanup_(pods_closep) Pods *ps = NULL;
        _cleanup_(pod_closep) Pod *p = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        int r = pods_open_for(data_dir, &ps, &e);

        if (r >= 0)
                r = pod_open_uuid(ps, uuid, &p, &e);
        if (r >= 0)
                r = remove_open(p, &e);
        if (r < 0)
                log_warning("cannot remove the pod: %s, ignoring", error_text(&e, r));
}

/* The pod stays for "rkt status" and gc; its addresses and ports are free at once. */
static void leave_networks(const End *x) {
        _cleanup_error_ Error e = ERROR_INIT;
        int r = network_leave(x->data_dir, x->uuid, &e);

        if (r < 0)
                log_warning("%s; gc will try again", error_text(&e, r));
}

static void explain(const End *x, int status) {
        _cleanup_(pods_closep) Pods *ps = NULL;
        _cleanup_(pod_closep) Pod *p = NULL;

        if (status == 0 || pods_open_for(x->data_dir, &ps, NULL) < 0 ||
            pod_open_uuid(ps, x->uuid, &p, NULL) < 0 || !run_ended_unready(p))
                return;
        log_error("the pod ended before it was ready: its systemd is gone (%s %d); with --detach, what it "
                  "says is in "
                  "the host's journal",
                  WIFEXITED(status) ? "exit status" : "signal",
                  WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

static void on_end(int status, void *userdata) {
        const End *x = userdata;

        explain(x, status);
        if (x->remove)
                run_remove_pod(x->data_dir, x->uuid);
        else
                leave_networks(x);
}

/**
 * run_foreground() - run a pod as a child of this process, which ends with it
 * @c: global flags
 * @a: --rm, --interactive, --quiet
 * @s: store with the pod's images
 * @p: pod in run/, locked
 * @e: sentence on failure; may be NULL
 *
 * Return: what run_pod() returns; never on success.
 */
int run_foreground(const VerbContext *c, const RunArgs *a, Store *s, Pod *p, Error *e) {
        End end = { .data_dir = c->dir, .uuid = pod_uuid(p), .remove = a->remove };
        const RunOptions run = {
                .console = !a->detached,
                .stay = true,
                .interactive = a->interactive,
                .keep_unit = true,
                .ended = on_end,
                .message = a->quiet ? NULL : run_print_message,
                .userdata = &end,
        };

        pid_t self = getpid();
        int r = run_pod(p, s, &run, e);

        if (getpid() == self) /* else there is a parent, which removes it when this process has ended */
                run_discard(a, p);
        return r;
}

/**
 * run_detached() - run a pod as a service of systemd's
 * @c:    global flags
 * @a:    --rm
 * @verb: that runs it there
 * @p:    pod; is closed, and with it the lock
 * @name: of its machine
 * @ret_unit: name of the service; to free()
 * @e:    sentence on failure; may be NULL
 *
 * Prints its UUID.
 *
 * Return: 0; what machine_start_service() returns.
 */
int run_detached(const VerbContext *c, const RunArgs *a, const char *verb, Pod *p, const char *name,
                 char **ret_unit, Error *e) {
        _cleanup_free_ char *uuid = strdup(pod_uuid(p)), *dir = strf("--dir=%s", c->dir), *unit = NULL;
        static const char program[] = RKT_BIN_DIR "/rkt";
        const char *argv[] = {
                program, dir, verb, "--detached", a->remove ? "--rm" : "--rm=false", uuid, NULL
        };
        int r;

        (void) pod_close(p);
        if (!uuid || !dir)
                return error_oom(e);
        r = machine_start_service(name, "rkt pod", argv, &unit, e);
        if (r < 0)
                return r;
        (void) puts(uuid);
        log_info("Running as unit: %s", unit);
        *ret_unit = TAKE_PTR(unit);
        return 0;
}

/**
 * run_make_pod() - a pod on disk, and what its machine will be called
 * @data_dir: --dir
 * @s:        store with the images
 * @spec:     what was asked for
 * @prepare:  how
 * @ret_pods: for pods_close(), after @ret
 * @ret:      locked; for pod_close()
 * @ret_name: for free()
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0; what pod_prepare() returns.
 */
int run_make_pod(const char *data_dir, Store *s, const PodSpec *spec, const PodPrepareOptions *prepare,
                 Pods **ret_pods, Pod **ret, char **ret_name, Error *e) {
        int r = pods_open_for(data_dir, ret_pods, e);

        if (r >= 0)
                r = pod_prepare(*ret_pods, s, spec, prepare, ret, e);
        return r < 0 ? r : pod_machine_name(*ret, ret_name, e);
}
