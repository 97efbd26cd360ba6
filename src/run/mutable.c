/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order that makes this safe to kill at any moment: files and mounts of an app come before its entry in the manifest, and go
 * after it (pod/pod-apps.h). Whoever opens the pod next removes what the manifest does not know. */
#include "run/mutable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/clock.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "pod/pod-apps.h"
#include "pod/pod-compose.h"
#include "run/kubernetes-log.h"
#include "run/manager-job.h"
#include "run/metadata.h"
#include "run/pod-bus.h"
#include "run/pod-mount.h"
#include "run/run-nspawn.h"
#include "run/run.h"
#include "run/stage1-root.h"

#define DATABASE_MAX      (4U * 1024 * 1024)
#define JOB_MAX_USEC      (3600 * USEC_PER_SEC) /* of what a unit may ask for */
#define JOB_MORE_USEC     (90 * USEC_PER_SEC)
#define _cleanup_bus_err_ _cleanup_(sd_bus_error_free)

/* Where an app has mounts in the pod. */
static int mounts_of(Pod *p, const char *app, char ***ret) {
        _cleanup_strv_free_ char **paths = NULL, **detours = NULL;
        int r = strv_extendf(&paths, "/opt/stage2/%s/rootfs", app);

        if (r >= 0)
                r = pod_app_detours(p, app, &detours);
        for (char **d = detours; r >= 0 && d && *d; d++)
                r = strv_extendf(&paths, "/rkt/volumes/%s", *d);
        if (r >= 0)
                *ret = TAKE_PTR(paths);
        return r;
}

/* All that is left of an app that is not in the manifest. */
static int forget(MutablePod *x, const char *app, Error *e) {
        _cleanup_strv_free_ char **paths = NULL;
        int r = mounts_of(x->pod, app, &paths);

        if (r < 0)
                return error_setf(e, r, "cannot list the mounts of app \"%s\": %s", app, strerror(-r));
        r = x->leader > 0 ? pod_mount_remove(x->leader, paths, e) : 0;
        return r < 0 ? r : pod_app_forget(x->pod, app, e);
}

static int unit_of(const char *app, char **ret, Error *e) {
        *ret = strf("%s.service", app);
        return *ret ? 0 : error_oom(e);
}

/* What copies the app's output, if anything does: after the app, which may have said something at its end. */
static void stop_log(MutablePod *x, const char *app) {
        static const char *const kinds[] = { "socket", "service" };
        _cleanup_bus_ sd_bus *bus = NULL;

        if (pod_bus_open(x->leader, &bus, NULL) < 0)
                return;
        FOREACH_ARRAY (kind, kinds, ELEMENTSOF(kinds)) {
                _cleanup_free_ char *unit = strf("rkt-log@%s.%s", app, *kind);

                if (unit)
                        (void) sd_bus_call_method(bus, NULL, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER,
                                                  "StopUnit", NULL, NULL, "ss", unit, "replace");
        }
}

/* When its job must be done, whatever the pod's systemd does: others wait for the apps' lock. */
static usec_t deadline_of(sd_bus *bus, const char *unit) {
        static const char *const names[] = { "TimeoutStopUSec", "TimeoutStartUSec" };
        _cleanup_free_ char *path = NULL;
        usec_t sum = JOB_MORE_USEC;

        if (sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit, &path) >= 0)
                FOREACH_ARRAY (name, names, ELEMENTSOF(names)) {
                        uint64_t usec = 0;

                        (void) sd_bus_get_property_trivial(
                                bus, NULL, path, "org.freedesktop.systemd1.Service", *name, NULL, 't', &usec);
                        sum += MIN(usec, JOB_MAX_USEC);
                }
        return clock_usec(CLOCK_MONOTONIC) + sum;
}

/* The unit of an app, and who knows about it. */
static int open_unit(MutablePod *x, const char *app, char **ret_unit, sd_bus **ret_bus, Error *e) {
        int r = unit_of(app, ret_unit, e);

        return r < 0 ? r : pod_bus_open(x->leader, ret_bus, e);
}

/* "StartUnit" or "StopUnit", until its job is done. */
static int run_job(MutablePod *x, const char *method, const char *app, const char *what, Error *e) {
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_(manager_job_done) ManagerJob j = MANAGER_JOB_INIT;
        _cleanup_bus_err_ sd_bus_error err = SD_BUS_ERROR_NULL;
        _cleanup_bus_reply_ sd_bus_message *reply = NULL;
        _cleanup_free_ char *unit = NULL;
        int r = open_unit(x, app, &unit, &bus, e);

        if (r < 0)
                return r;
        j.deadline = deadline_of(bus, unit);
        r = manager_job_watch(&j, bus, NULL);
        if (r >= 0)
                r = sd_bus_call_method(bus, NULL, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER, method, &err, &reply,
                                       "ss", unit, "replace");
        if (r >= 0)
                r = manager_job_wait(&j, bus, reply);
        if (r == -ETIME)
                return error_setf(e, r, "%s app \"%s\": the pod's systemd has not done it in time", what,
                                  app);
        if (r < 0)
                return error_setf(e, r, "%s app \"%s\": %s", what, app, str_or(err.message, strerror(-r)));
        return streq_ptr(j.result, "done")
                       ? 0
                       : error_setf(e, -EIO,
                                    "%s app \"%s\": the job ended as \"%s\"; the pod's journal says why",
                                    what, app, str_or(j.result, "unknown"));
}

static int reload(MutablePod *x, Error *e) {
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_bus_err_ sd_bus_error err = SD_BUS_ERROR_NULL;
        int r = pod_bus_open(x->leader, &bus, e);

        if (r < 0)
                return r;
        r = sd_bus_call_method(bus, NULL, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER, "Reload", &err, NULL, "");
        return r < 0 ? error_setf(e, r, "cannot make the pod's systemd read its units: %s",
                                  str_or(err.message, strerror(-r)))
                     : 0;
}

/* ActiveState; a unit that is not loaded is inactive. */
static int unit_state(MutablePod *x, const char *app, char **ret, Error *e) {
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_free_ char *unit = NULL;
        int r = open_unit(x, app, &unit, &bus, e);

        if (r < 0)
                return r;
        r = manager_bus_unit_property(bus, unit, "Unit", "ActiveState", ret);
        return r < 0 ? error_setf(e, r, "cannot ask the pod's systemd about app \"%s\": %s", app,
                                  strerror(-r))
                     : 0;
}

/* What somebody who was killed left behind. */
static int tidy(MutablePod *x, Error *e) {
        _cleanup_strv_free_ char **unknown = NULL;
        int r = pod_apps_unknown(x->pod, x->manifest, &unknown, e);

        for (char **a = unknown; r >= 0 && a && *a; a++)
                r = forget(x, *a, e);
        return r < 0 || !unknown ? r : pod_volumes_forget(x->pod, x->manifest, e);
}

/**
 * mutable_pod_open() - begin to change the apps of a pod
 * @p:   pod; outlives @ret
 * @ret: mutable_pod_done() it
 * @e:   sentence on failure; may be NULL
 *
 * Waits until nobody else changes them. This process has one thread and is root.
 *
 * Return: 0; -EINVAL: not a pod whose apps come and go; errors of the file system.
 */
int mutable_pod_open(Pod *p, MutablePod *ret, Error *e) {
        _cleanup_mutable_pod_ MutablePod x = MUTABLE_POD_INIT;
        int r = pod_read_manifest(p, &x.manifest, e);

        if (r >= 0 && !pod_manifest_is_mutable(x.manifest))
                r = error_setf(
                        e, -EINVAL,
                        "pod \"%s\" is immutable: apps come and go in pods of \"rkt app sandbox\" only",
                        pod_uuid(p));
        if (r >= 0)
                r = pod_apps_lock(p, &x.lock_fd, e);
        if (r < 0)
                return r;
        x.pod = p;
        x.manifest = pod_manifest_free(x.manifest); /* it may be another one by now */
        r = pod_read_manifest(p, &x.manifest, e);
        if (r >= 0 && pod_refresh(p) < 0)
                r = error_setf(e, -ENOENT, "pod \"%s\" is gone", pod_uuid(p));
        if (r < 0)
                return r;
        if (pod_get_pid(p, &x.leader) < 0)
                x.leader = 0;
        r = tidy(&x, e);
        if (r < 0)
                return r;
        *ret = x;
        x = MUTABLE_POD_INIT;
        return 0;
}

/**
 * mutable_pod_done() - let others change the apps
 * @x: is MUTABLE_POD_INIT afterwards
 */
void mutable_pod_done(MutablePod *x) {
        pod_manifest_free(x->manifest);
        (void) fd_close(x->lock_fd);
        *x = MUTABLE_POD_INIT;
}

/* The pod's manifest with this app alone. */
static int manifest_of(const PodManifest *m, const char *app, PodManifest **ret, Error *e) {
        _cleanup_(pod_manifest_freep) PodManifest *one = NULL;
        _cleanup_free_ char *text = NULL;
        int r;

        if (pod_manifest_to_string(m, &text) < 0)
                return error_oom(e);
        r = pod_manifest_parse(text, strlen(text), &one, e);
        if (r < 0)
                return r;
        FOREACH_ARRAY (a, m->apps, m->n_apps)
                if (!streq(a->name, app))
                        pod_manifest_remove_app(one, a->name);
        pod_manifest_remove_unused_volumes(one);
        *ret = TAKE_PTR(one);
        return 0;
}

/* Without the lines of this name, and with these. */
static int add_lines(int dir_fd, const char *file, const char *name, const char *lines) {
        _cleanup_free_ char *old = NULL, *prefix = strf("%s:", name);
        _cleanup_strv_free_ char **all = NULL;
        _cleanup_close_ int fd = openat(dir_fd, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        size_t size;
        int r = fd < 0 ? -errno : fd_read_to_end(fd, DATABASE_MAX, &old, &size);

        if (r >= 0)
                r = prefix ? strv_split(old, "\n", &all) : -ENOMEM;
        if (r < 0)
                return r;
        STRV_FOREACH (l, all)
                if (!startswith(*l, prefix))
                        strbuf_addf(&b, "%s\n", *l);
        strbuf_add(&b, lines);
        return b.failed ? -ENOMEM : file_write_at(dir_fd, file, b.data, b.size, 0644, FILE_WRITE_NO_SYNC);
}

static bool has_line(const char *text, const char *line, size_t size) {
        for (const char *p = text; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
                if (strncmp(p, line, size) == 0)
                        return true;
        return false;
}

/* The app's user, so that systemd takes its number; groups that are there already stay. */
static int add_user(int stage1_fd, const PodApp *a, const AppFacts *f, Error *e) {
        _cleanup_close_ int etc = root_open(stage1_fd, "/etc", O_RDONLY | O_DIRECTORY);
        _cleanup_strbuf_ StrBuf passwd = STRBUF_INIT, group = STRBUF_INIT, fresh = STRBUF_INIT;
        _cleanup_free_ char *old = NULL;
        size_t size;
        int r = etc < 0 ? etc : file_read_at(etc, "group", DATABASE_MAX, &old, &size);

        stage1_user_lines(a, f, &passwd, &group);
        if (r >= 0 && (passwd.failed || group.failed))
                r = -ENOMEM;
        for (const char *p = group.data; r >= 0 && p && *p;) {
                size_t n = strcspn(p, "\n") + 1;

                if (!has_line(old, p, n) && !has_line(fresh.data, p, n))
                        strbuf_add_n(&fresh, p, n);
                p += n;
        }
        if (r >= 0)
                r = add_lines(etc, "passwd", a->name, passwd.data);
        if (r >= 0 && fresh.size > 0)
                r = add_lines(etc, "group", "", fresh.data);
        return r < 0 ? error_setf(e, r, "cannot write the app's user into the pod: %s", strerror(-r)) : 0;
}

static int copy_mounts(MutablePod *x, const char *app, const RunApp *a, Error *e) {
        _cleanup_strv_free_ char **paths = NULL;
        int r = strv_extendf(&paths, "/opt/stage2/%s/rootfs", app);

        FOREACH_ARRAY (b, a->facts.binds, a->facts.n_binds)
                if (r >= 0)
                        r = strv_extend(&paths, b->source);
        return r < 0 ? error_oom(e) : pod_mount_copy(x->leader, a->stage1_fd, paths, e);
}

/* Root, mounts, units, user; what run_pod() does before the pod's systemd runs. */
static int build(MutablePod *x, Store *s, const char *app, Error *e) {
        _cleanup_run_app_ RunApp a = RUN_APP_INIT;
        PodManifest *one = NULL;
        int r = manifest_of(x->manifest, app, &one, e);

        if (r >= 0)
                r = run_build_app(x->pod, s, one, &a, e);
        if (r >= 0)
                r = copy_mounts(x, app, &a, e);
        if (r >= 0)
                r = add_user(a.stage1_fd, pod_manifest_find_app(x->manifest, app), &a.facts, e);
        if (r >= 0)
                r = root_files_write(&a.files, a.stage1_fd, e);
        return r < 0 ? r : reload(x, e);
}

static int check_capabilities(const MutablePod *x, const PodApp *a, Error *e) {
        _cleanup_free_ char *missing = NULL;
        const PodManifest bare = { .annotations = x->manifest->annotations,
                                   .n_annotations = x->manifest->n_annotations };
        int r = nspawn_missing_capability(&bare, a, &missing);

        if (r < 0)
                return error_oom(e);
        return missing ? error_setf(e, -EPERM,
                                    "app '%s': the pod has no %s to give: start it by \"rkt app sandbox "
                                    "--insecure-options=capabilities\"",
                                    a->name, missing)
                       : 0;
}

static int check_running(const MutablePod *x, Error *e) {
        return x->leader > 0 ? 0 : error_setf(e, -EBUSY, "pod \"%s\" is not running", pod_uuid(x->pod));
}

/**
 * mutable_pod_add() - add an app to a running pod
 * @x:       open; its manifest gets the app
 * @s:       store of the same data directory, opened for writing
 * @spec:    one app
 * @options: of its image; as for pod_prepare()
 * @e:       sentence on failure; may be NULL
 *
 * It is not started. On failure nothing is left of it. This process is in another mount namespace afterwards.
 *
 * Return: 0; -EBUSY: the pod does not run; -EEXIST: it has such an app; -EPERM: it lacks a capability; what pod_prepare() and
 * run_pod() return.
 */
int mutable_pod_add(MutablePod *x, Store *s, const PodSpec *spec, const PodPrepareOptions *options,
                    Error *e) {
        const char *app = spec->apps[0].name;
        int r = check_running(x, e);

        if (r >= 0)
                r = pod_prepare_app(x->pod, s, spec, options, x->manifest, e);
        if (r == -EEXIST && pod_manifest_find_app(x->manifest, app))
                return r;
        if (r >= 0)
                r = kubernetes_log_check(pod_manifest_find_app(x->manifest, app), e);
        if (r >= 0)
                r = check_capabilities(x, pod_manifest_find_app(x->manifest, app), e);
        if (r >= 0)
                r = kubernetes_log_create(x->manifest, pod_manifest_find_app(x->manifest, app), e);
        if (r >= 0)
                r = build(x, s, app, e);
        if (r >= 0)
                r = pod_app_set_mark(x->pod, app, POD_APP_CREATED, e);
        if (r >= 0)
                r = metadata_update(x->pod, x->manifest, s, e);
        if (r >= 0)
                r = pod_write_manifest(x->pod, x->manifest, e);
        if (r >= 0)
                return 0;
        pod_manifest_remove_app(x->manifest, app);
        pod_manifest_remove_unused_volumes(x->manifest);
        (void) forget(x, app, NULL);
        (void) pod_volumes_forget(x->pod, x->manifest, NULL);
        if (x->leader > 0) /* it may know the app's units already */
                (void) reload(x, NULL);
        return r;
}

static int check_app(const MutablePod *x, const char *app, Error *e) {
        return pod_manifest_find_app(x->manifest, app)
                       ? 0
                       : error_setf(e, -ENOENT, "app \"%s\" not found in pod \"%s\"", app, pod_uuid(x->pod));
}

/**
 * mutable_pod_start() - start an app, again if it has ended
 * @x:   open
 * @app: its name
 * @e:   sentence on failure; may be NULL
 *
 * It is one of those that start with the pod from then on, if the pod is started once more, until mutable_pod_stop().
 *
 * Return: 0, also if it runs; -ENOENT, -EBUSY (the pod does not run), -EIO (it did not start), -ETIME.
 */
int mutable_pod_start(MutablePod *x, const char *app, Error *e) {
        _cleanup_free_ char *state = NULL;
        int r = check_app(x, app, e);

        if (r >= 0)
                r = check_running(x, e);
        if (r >= 0)
                r = unit_state(x, app, &state, e);
        if (r < 0 || streq_ptr(state, "active"))
                return r;
        r = pod_app_clear_status(x->pod, app, e);
        if (r >= 0)
                r = pod_app_set_mark(x->pod, app, POD_APP_STARTED, e);
        if (r >= 0)
                r = pod_app_set_wanted(x->pod, app, true, e);
        return r < 0 ? r : run_job(x, "StartUnit", app, "cannot start", e);
}

/**
 * mutable_pod_stop() - stop an app
 * @x:   open
 * @app: its name
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, also if it does not run; -ENOENT, -EBUSY (the pod does not run), -EIO, -ETIME.
 */
int mutable_pod_stop(MutablePod *x, const char *app, Error *e) {
        int r = check_app(x, app, e);

        if (r >= 0)
                r = check_running(x, e);
        if (r >= 0)
                r = pod_app_set_wanted(x->pod, app, false, e);
        return r < 0 ? r : run_job(x, "StopUnit", app, "cannot stop", e);
}

/**
 * mutable_pod_remove() - stop an app and remove all of it
 * @x:   open; the pod may be over
 * @app: its name
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0; -ENOENT; -EIO; -ETIME; errors of the file system.
 */
int mutable_pod_remove(MutablePod *x, const char *app, Error *e) {
        int r = check_app(x, app, e);

        if (r >= 0 && x->leader > 0)
                r = run_job(x, "StopUnit", app, "cannot stop", e);
        if (r < 0)
                return r;
        if (x->leader > 0)
                stop_log(x, app);
        pod_manifest_remove_app(x->manifest, app);
        pod_manifest_remove_unused_volumes(x->manifest);
        r = pod_write_manifest(x->pod, x->manifest, e);
        if (r >= 0)
                r = forget(x, app, e);
        if (r >= 0)
                r = pod_volumes_forget(x->pod, x->manifest, e);
        return r < 0 || x->leader == 0 ? r : reload(x, e);
}
