/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A hook is a unit with the app's sandbox (run/app-hook.c). What systemd tells the command line of APP.service about it, and a
 * hook may want, goes there by a file of variables. */
#include "helper/app-hook-run.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/log.h"
#include "basic/str.h"
#include "basic/tmpfile.h"
#include "run/manager-bus.h"
#include "run/manager-job.h"

#define HOOK_DIR "/run/rkt"

/* systemd starts us with the bind mounts of the app: /run is the app's. What we need is the pod's, and nothing of what an app
 * may have made is to be followed. */
static int enter_pod(void) {
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

static int start_and_wait(const char *unit, char **ret_result) {
        _cleanup_bus_reply_ sd_bus_message *reply = NULL;
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_(manager_job_done) ManagerJob j = MANAGER_JOB_INIT;
        int r = manager_bus_open(&bus);

        if (r >= 0)
                r = manager_job_watch(&j, bus, NULL);
        if (r >= 0)
                r = sd_bus_call_method(bus, NULL, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER, "StartUnit", NULL,
                                       &reply, "ss", unit, "replace");
        if (r >= 0)
                r = manager_job_wait(&j, bus, reply);
        if (r < 0)
                return r;
        *ret_result = TAKE_PTR(j.result);
        return 0;
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
        int r = unit ? enter_pod() : -ENOMEM;

        if (r >= 0)
                r = write_variables(app, kind);
        if (r >= 0)
                r = start_and_wait(unit, &result);
        if (r >= 0)
                r = !streq_ptr(result, "done");
        else
                r = log_error_errno(r, "cannot run %s of app '%s': %m", kind, app);
        if (r > 0)
                log_error("%s of app '%s' failed (%s)", kind, app, str_or(result, "unknown"));
        return r;
}
