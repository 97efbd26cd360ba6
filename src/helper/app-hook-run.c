/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A hook is a unit with the app's sandbox (run/app-hook.c). What systemd tells the command line of APP.service about it, and a
 * hook may want, goes there by a file of variables. */
#include "helper/app-hook-run.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/log.h"
#include "basic/str.h"
#include "basic/tmpfile.h"
#include "run/manager-bus.h"
#include "run/manager-job.h"

#define HOOK_DIR "/run/rkt"

/**
 * app_hook_enter_pod() - leave the mounts of an app for those of its pod
 *
 * systemd starts us with the bind mounts of the app: /run is the app's. What we need is the pod's, and nothing of what an app
 * may have made is to be followed.
 *
 * Return: 0, or a negative errno.
 */
int app_hook_enter_pod(void) {
        _cleanup_close_ int root = open("/proc/1/root", O_PATH | O_DIRECTORY | O_CLOEXEC),
                            ns = open("/proc/1/ns/mnt", O_RDONLY | O_CLOEXEC);

        if (root < 0 || ns < 0 || setns(ns, CLONE_NEWNS) < 0 || fchdir(root) < 0 || chroot(".") < 0)
                return -errno;
        return 0;
}

static int write_variables(const char *app, const char *kind) {
        static const char *const names[] = { "MAINPID", "SERVICE_RESULT", "EXIT_CODE", "EXIT_STATUS" };
        _cleanup_free_ char *path = strf(HOOK_DIR "/hook-%s-%s", app, kind), *text = NULL;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        int r;

        FOREACH_ARRAY (n, names, ELEMENTSOF(names))
                if (getenv(*n))
                        strbuf_addf(&b, "%s=%s\n", *n, getenv(*n));
        r = strbuf_steal(&b, &text);
        if (r < 0 || !path)
                return -ENOMEM;
        r = mkdir_parents_at(AT_FDCWD, HOOK_DIR, 0755);
        return r < 0 ? r : file_write_at(AT_FDCWD, path, text, strlen(text), 0644, FILE_WRITE_NO_SYNC);
}

/* SIGTERM becomes readable. */
static int catch_term(void) {
        sigset_t set;
        int fd;

        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGTERM);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        fd = signalfd(-1, &set, SFD_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int do_job(sd_bus *bus, const char *verb, const char *unit, int stop_fd, char **ret_result) {
        _cleanup_(manager_job_done) ManagerJob j = MANAGER_JOB_INIT;
        _cleanup_bus_reply_ sd_bus_message *reply = NULL;
        int r = manager_job_watch(&j, bus, NULL);

        if (r >= 0)
                r = sd_bus_call_method(bus, NULL, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER, verb, NULL, &reply,
                                       "ss", unit, "replace");
        if (r >= 0)
                r = manager_job_wait_unless(&j, bus, reply, stop_fd);
        if (r < 0)
                return r;
        *ret_result = TAKE_PTR(j.result);
        return 0;
}

/**
 * app_hook_start() - start a unit of the pod, and wait until it is done
 * @unit:       of Type=oneshot
 * @ret_result: of the job, "done" is good; to free()
 *
 * SIGTERM, with which systemd ends us when the app's time is up, ends the unit, too.
 *
 * Return: 0; -EINTR: by SIGTERM; errors of the bus.
 */
int app_hook_start(const char *unit, char **ret_result) {
        _cleanup_close_ int stop_fd = catch_term();
        _cleanup_free_ char *stopped = NULL;
        _cleanup_bus_ sd_bus *bus = NULL;
        int r = stop_fd < 0 ? stop_fd : manager_bus_open(&bus);

        if (r >= 0)
                r = do_job(bus, "StartUnit", unit, stop_fd, ret_result);
        if (r == -EINTR)
                (void) do_job(bus, "StopUnit", unit, -EBADF, &stopped);
        return r;
}

/**
 * app_hook_run() - run what an app has for an occasion, and wait for its end
 * @app:  its name
 * @kind: "start-pre", "start-post", "reload", "stop", "stop-post" or "condition"
 *
 * Return: 0; 1: it failed; a negative errno, logged.
 */
int app_hook_run(const char *app, const char *kind) {
        _cleanup_free_ char *unit = strf("hook-%s@%s.service", app, kind);
        _cleanup_free_ char *result = NULL;
        int r = unit ? app_hook_enter_pod() : -ENOMEM;

        if (r >= 0)
                r = write_variables(app, kind);
        if (r >= 0)
                r = app_hook_start(unit, &result);
        if (r >= 0)
                r = !streq_ptr(result, "done");
        else
                r = log_error_errno(r, "cannot run %s of app '%s': %m", kind, app);
        if (r > 0)
                log_error("%s of app '%s' failed (%s)", kind, app, str_or(result, "unknown"));
        return r;
}
