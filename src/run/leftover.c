/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* After a pod: what a killed nspawn leaves behind is put away, so that the name is free again, and the pod's directory goes
 * to where exited pods lie. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "pod/pod-gc.h"
#include "pod/pod-list.h"
#include "pod/pod-reset.h"
#include "run/machine.h"
#include "run/metadata.h"
#include "run/network.h"
#include "run/run.h"
#include "run/start-failure.h"
#include "run/userns.h"

#define REFUSED_FILE "stage1/rootfs/rkt/refused"
#define BORN_FILE    "stage1/rootfs/rkt/born"
#define READY_LINK   "stage1/rootfs/rkt/supervisor-status"
#define REFUSED_MAX  256U

/* machined forgets a machine when its unit ends; the unit does not end before we do. */
static void unregister(const char *name) {
        _cleanup_machine_ Machine machine = MACHINE_INIT;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_free_ char *unit = strf("pod@%s.service", name),
                            *state = strf("/run/systemd/machines/%s", name);

        if (!unit || !state || access(state, F_OK) < 0 || machine_lookup(name, &machine, NULL) < 0 ||
            !streq_ptr(machine.unit, unit))
                return;
        if (sd_bus_open_system(&bus) >= 0)
                (void) sd_bus_call_method(bus, "org.freedesktop.machine1", "/org/freedesktop/machine1",
                                          "org.freedesktop.machine1.Manager", "UnregisterMachine", NULL, NULL,
                                          "s", name);
}

/* Directories of nspawn for this machine: 257 mounts on the first. */
static void remove_runtime(const char *name) {
        _cleanup_free_ char *unix_export = strf("/run/systemd/nspawn/unix-export/%s", name),
                            *propagate = strf("/run/systemd/nspawn/propagate/%s", name);

        if (!unix_export || !propagate)
                return;
        (void) umount2(unix_export, MNT_DETACH | UMOUNT_NOFOLLOW);
        (void) rmdir(unix_export);
        (void) rmdir(propagate);
}

/**
 * run_journal_path() - where a pod's journal lies on a host that keeps journals
 * @uuid: of the pod
 *
 * Return: path, for free(); NULL: out of memory.
 */
char *run_journal_path(const char *uuid) {
        char *path = strf("/var/log/journal/%s", uuid), *to = path;

        for (const char *from = path; from && *from; from++)
                if (*from != '-' || from < path + strlen("/var/log/journal/"))
                        *to++ = *from;
        if (path)
                *to = '\0';
        return path;
}

static void warn_of_network(const RunRelease *x, const Pod *p, const char *warning) {
        _cleanup_free_ char *sentence = NULL;

        if (!x || !warning || !*warning)
                return;
        sentence = strf("pod \"%s\": a network was not left as it should be, and is forgotten now: %s",
                        pod_uuid(p), warning);
        if (sentence)
                x->warning(NULL, sentence);
}

/**
 * run_release() - give back what a pod holds outside of its directory; a PodRelease
 * @p:        exited pod, locked
 * @userdata: RunRelease *; may be NULL
 * @e:        sentence on failure; may be NULL
 *
 * That is its networks and its journal.
 *
 * Return: 0, errors of removing.
 */
int run_release(Pod *p, void *userdata, Error *e) {
        _cleanup_free_ char *path = run_journal_path(pod_uuid(p));
        _cleanup_close_ int dir = open("/var/log/journal", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_free_ char *warning = NULL;
        int r = network_forget(p, &warning, e);

        if (r < 0)
                return r;
        if (warning)
                warn_of_network(userdata, p, str_strip(warning));
        if (!path)
                return error_oom(e);
        if (dir < 0)
                return 0;
        r = remove_tree_at(dir, path_basename(path));
        return r < 0 ? error_setf(e, r, "cannot remove %s: %s", path, strerror(-r)) : 0;
}

/**
 * run_reset() - make a pod that has ended ready for run_pod() once more
 * @p: exited, locked; run_check_name() found its name free
 * @e: sentence on failure; may be NULL
 *
 * What its apps wrote stays, and its journal; its networks are made anew.
 *
 * Return: 0; what network_down() and pod_reset() return: then it can be tried again.
 */
int run_reset(Pod *p, Error *e) {
        _cleanup_free_ char *name = NULL;
        int r;

        if (pod_get_name(p, &name) < 0)
                name = strf("rkt-%s", pod_uuid(p));
        if (!name)
                return error_oom(e);
        r = network_down(p, e);
        if (r >= 0) /* how its apps ended is known until nothing can fail any more */
                r = pod_reset(p, e);
        if (r >= 0) {
                userns_forget(pod_fd(p));
                remove_runtime(name);
        }
        return r;
}

/* What rkt-enter wrote of an app whose unit systemd did not take: "APP STATE". */
static int explain_refused(Pod *p, char ***ret, Error *e) {
        _cleanup_free_ char *text = NULL;
        size_t size, n;

        if (file_read_at(pod_fd(p), REFUSED_FILE, REFUSED_MAX, &text, &size) < 0)
                return 0;
        n = strcspn(text, " ");
        if (strv_extendf(ret,
                         "app '%.*s' could not be started: systemd did not take its settings (%s); the pod's "
                         "journal "
                         "says which",
                         (int) n, text, text[n] ? str_strip(text + n + 1) : "") < 0)
                return error_oom(e);
        return 0;
}

static bool is_in(Pod *p, const char *path) {
        return faccessat(pod_fd(p), path, F_OK, AT_SYMLINK_NOFOLLOW) >= 0;
}

/**
 * run_ended_unready() - did the pod's systemd end before anything of the pod was there?
 * @p: pod; its processes are gone
 *
 * What nspawn has to say, of what comes before, it says itself. Nobody says this: systemd's own words go to its console, which is
 * there for a unit only.
 *
 * Return: true if PID 1 had begun, the pod was never ready, and no app has ended.
 */
bool run_ended_unready(Pod *p) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        int status;

        if (!is_in(p, BORN_FILE) || is_in(p, READY_LINK) || is_in(p, REFUSED_FILE) ||
            pod_read_manifest(p, &m, NULL) < 0)
                return false;
        FOREACH_ARRAY (a, m->apps, m->n_apps)
                if (pod_get_app_status(p, a->name, &status) >= 0)
                        return false;
        return true;
}

/* As systemd tells a control process how the main one ended. */
static int explain_unready(Pod *p, char ***ret, Error *e) {
        const char *result = getenv("SERVICE_RESULT"), *code = getenv("EXIT_CODE"),
                   *status = getenv("EXIT_STATUS");

        if (!result || streq(result, "success") || streq(result, "timeout") || !code || !status ||
            !run_ended_unready(p))
                return 0;
        return strv_extendf(
                       ret,
                       "the pod ended before it was ready: its systemd is gone (%s %s); what it said last "
                       "stands above",
                       streq(code, "exited") ? "exit status" : "signal", status) < 0
                       ? error_oom(e)
                       : 0;
}

static int explain_pod(Pod *p, char ***ret, Error *e) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        int status, r = pod_read_manifest(p, &m, e);

        if (r >= 0)
                r = explain_refused(p, ret, e);
        if (r >= 0)
                r = explain_unready(p, ret, e);
        if (r < 0)
                return r;
        FOREACH_ARRAY (a, m->apps, m->n_apps) {
                const char *why = pod_get_app_status(p, a->name, &status) >= 0 ? start_failure(status) : NULL;
                char *sentence;

                if (!why)
                        continue;
                sentence = strf("app '%s' could not be started as '%s': %s", a->name,
                                a->app && a->app->exec && a->app->exec[0] ? a->app->exec[0] : "", why);
                if (strv_consume(ret, sentence) < 0)
                        return error_oom(e);
        }
        return 0;
}

/**
 * run_explain() - why a pod of a unit, or which of its apps, could not be started
 * @pods: all pods
 * @name: machine name; its processes are gone, and run_stop_post() was not called yet
 * @ret:  one sentence for each, for strv_free(); NULL: none
 * @e:    sentence on failure; may be NULL
 *
 * systemd says the same in the pod's journal, but the process that says so is gone before journald can tell to which unit
 * it belonged: the unit's status on the host often lacks it.
 *
 * Return: 0, errors of the pods' directories, -ENOMEM.
 */
int run_explain(Pods *pods, const char *name, char ***ret, Error *e) {
        _cleanup_pod_list_ PodList l = POD_LIST_INIT;
        int r = pod_list_load(pods, &l, e);

        if (r < 0)
                return r;
        for (size_t i = l.n_pods; i-- > 0;) { /* the list has the oldest first */
                _cleanup_free_ char *have = NULL;

                if (pod_directory(l.pods[i]) == POD_DIRECTORY_RUN && pod_get_name(l.pods[i], &have) >= 0 &&
                    streq(have, name))
                        return explain_pod(l.pods[i], ret, e);
        }
        return 0;
}

/**
 * run_stop_post() - put away what a pod of a unit left behind
 * @pods:     all pods
 * @data_dir: where they are
 * @name: machine name; its processes are gone
 * @e:    sentence on failure; may be NULL
 *
 * Of the exited pods of that name, the newest is kept.
 *
 * Return: 0, errors of the pods' directories.
 */
int run_stop_post(Pods *pods, const char *data_dir, const char *name, Error *e) {
        _cleanup_pod_changes_ PodChanges changes = POD_CHANGES_INIT;
        PodGcOptions options = { .grace_usec = POD_GC_GRACE_USEC,
                                 .expire_prepared_usec = USEC_INFINITY,
                                 .release = run_release };

        int r;

        metadata_clean();
        unregister(name);
        remove_runtime(name);
        r = network_sweep(data_dir, NETWORK_SWEEP_OLD, e);
        (void) RET_GATHER(r, pod_gc_name(pods, name, &options, &changes, r < 0 ? NULL : e));
        return r;
}
