/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ExecStopPost= of an app. What systemd tells us of the end in our environment, an image can say in its place: its own variables
 * come after those. So the pod's systemd is asked. */
#include "helper/app-status.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "basic/tmpfile.h"
#include "helper/app-hook-run.h"
#include "helper/app-output.h"
#include "run/console.h"
#include "run/manager-bus.h"
#include "run/start-failure.h"

#define STATUS_DIR "/rkt/status/"
#define UNKNOWN    255U

static const struct {
        int code;
        const char *word;
} codes[] = { { CLD_EXITED, "exited" }, { CLD_KILLED, "killed" }, { CLD_DUMPED, "dumped" } };

static const char *code_word(int code) {
        FOREACH_ARRAY (c, codes, ELEMENTSOF(codes))
                if (c->code == code)
                        return c->word;
        return "none";
}

/**
 * app_end_done() - free what is known of an end
 * @end: empty afterwards
 */
void app_end_done(AppEnd *end) {
        free(end->result);
        *end = APP_END_INIT;
}

/**
 * app_end_number() - an end as one number
 * @end: what is known
 *
 * A signal that the app was sent to stop it counts as 0, another one as 128 and its number, as in a shell.
 *
 * Return: 0...255; 255 also for what is not known.
 */
unsigned app_end_number(const AppEnd *end) {
        if (end->code == CLD_EXITED)
                return end->status >= 0 && end->status <= 255 ? (unsigned) end->status : UNKNOWN;
        if (streq_ptr(end->result, "success"))
                return 0;
        return end->code != 0 && end->status > 0 && end->status <= SIGRTMAX ? 128 + (unsigned) end->status
                                                                            : UNKNOWN;
}

/**
 * app_end_to_string() - the line of /rkt/status/APP.end
 * @end: what is known
 * @ret: "RESULT CODE NUMBER", as "oom-kill killed 9"; to free()
 *
 * Return: 0, -ENOMEM.
 */
int app_end_to_string(const AppEnd *end, char **ret) {
        *ret = strf("%s %s %d\n", str_or(end->result, "unknown"), code_word(end->code), end->status);
        return *ret ? 0 : -ENOMEM;
}

static int ask(const char *app, AppEnd *ret) {
        _cleanup_free_ char *unit = strf("%s.service", app), *path = NULL;
        _cleanup_(app_end_done) AppEnd end = APP_END_INIT;
        _cleanup_bus_ sd_bus *bus = NULL;
        int r = unit ? app_hook_enter_pod() : -ENOMEM; /* /run is the app's here */

        if (r >= 0)
                r = manager_bus_open(&bus);
        if (r >= 0)
                r = manager_bus_unit_property(bus, unit, "Service", "Result", &end.result);
        if (r >= 0)
                r = sd_bus_path_encode(SYSTEMD_BUS_PATH "/unit", unit, &path);
        if (r >= 0)
                r = sd_bus_get_property_trivial(bus, NULL, path, "org.freedesktop.systemd1.Service",
                                                "ExecMainCode", NULL, 'i', &end.code);
        if (r >= 0)
                r = sd_bus_get_property_trivial(bus, NULL, path, "org.freedesktop.systemd1.Service",
                                                "ExecMainStatus", NULL, 'i', &end.status);
        if (r < 0)
                return r;
        *ret = end;
        end.result = NULL; /* the caller's now */
        return 0;
}

/* systemd says it in the pod's journal alone. */
static void explain(const char *app, const char *program, const AppEnd *end) {
        const char *why = end->code == CLD_EXITED ? start_failure(end->status) : NULL;
        _cleanup_close_ int fd = -EBADF;

        if (!why)
                return;
        fd = open(CONSOLE_STDERR, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd >= 0)
                (void) dprintf(fd, "rkt: app '%s' could not be started as '%s': %s\n", app, program, why);
}

static int write_status(const char *app, const char *suffix, const char *text) {
        _cleanup_free_ char *path = strf(STATUS_DIR "%s%s", app, suffix);

        return path ? file_write_at(AT_FDCWD, path, text, strlen(text), 0644, FILE_WRITE_NO_SYNC) : -ENOMEM;
}

static void tell_host(const char *app, const AppEnd *end) {
        const char *name = end->code == CLD_EXITED ? NULL : sigabbrev_np(end->status);
        char number[16];

        (void) snprintf(number, sizeof(number), "%d", end->status);
        app_output_tell_host(app, end->result, end->code ? code_word(end->code) : NULL,
                             end->code ? str_or(name, number) : NULL);
}

/**
 * app_status_record() - keep how an app has ended
 * @app:     its name
 * @program: say on the console why that could not be started; NULL: not in the foreground
 *
 * Also sees to it that its last words are in the journals, and that the host knows of a failure.
 *
 * Return: 0; a negative errno, logged.
 */
int app_status_record(const char *app, const char *program) {
        _cleanup_(app_end_done) AppEnd end = APP_END_INIT;
        _cleanup_free_ char *text = NULL;
        char number[16];
        int r = ask(app, &end);

        if (r < 0) /* then it is not known: 255 */
                (void) log_error_errno(r, "app '%s': the pod's systemd does not say how it ended: %m", app);
        if (program)
                explain(app, program, &end);
        (void) snprintf(number, sizeof(number), "%u\n", app_end_number(&end));
        r = app_end_to_string(&end, &text);
        if (r >= 0)
                r = write_status(app, ".end", text);
        if (r >= 0)
                r = write_status(app, "", number);
        tell_host(app, &end);
        app_output_sync(app);
        return r < 0 ? log_error_errno(r, "cannot keep the status of app '%s': %m", app) : 0;
}

/**
 * app_status_read() - the number that was kept
 * @app: its name
 * @ret: 0...255
 *
 * Return: 0; -ENOENT: it has not ended; other errno.
 */
int app_status_read(const char *app, unsigned *ret) {
        _cleanup_free_ char *path = strf(STATUS_DIR "%s", app), *text = NULL;
        size_t size;
        int r = path ? file_read_at(AT_FDCWD, path, 64, &text, &size) : -ENOMEM;

        return r < 0 ? r : parse_uint(str_strip(text), 255, ret);
}
