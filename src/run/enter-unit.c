/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What ties the unit to who asked for it is a second one: enter-hold-APP-INSTANCE.service reads from a pipe until the last
 * writer has gone, however that came about, and the first unit is bound to it. */
#include "run/enter-unit.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "basic/str.h"
#include "run/manager-bus.h"
#include "run/start-failure.h"

#define HOLD_PROGRAM  "/rkt/bin/rkt-enter"
#define STOP_MAX_USEC UINT64_C(10000000) /* of what does not care for SIGTERM */
#define STATUS_KILLED 128                /* and the signal, as a shell has it */
#define SERVICE       "org.freedesktop.systemd1.Service"

static int append_words(sd_bus_message *m, char *const *words) {
        int r = sd_bus_message_open_container(m, 'a', "s");

        for (; words && *words && r >= 0; words++)
                r = sd_bus_message_append(m, "s", *words);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* A property "(sv)" of a transient unit whose value is an array of strings; NULL or empty: left out. */
static int append_strv(sd_bus_message *m, const char *name, char *const *words) {
        int r;

        if (!words || !*words)
                return 0;
        r = sd_bus_message_open_container(m, 'r', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", name);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "as");
        if (r >= 0)
                r = append_words(m, words);
        for (int i = 0; i < 2 && r >= 0; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

/* ExecStart= with a ":": no variables. */
static int append_command(sd_bus_message *m, const char *path, char *const *argv) {
        int r = sd_bus_message_open_container(m, 'r', "sv");

        if (r >= 0)
                r = sd_bus_message_append(m, "s", "ExecStartEx");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "a(sasas)");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sasas)");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'r', "sasas");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", path);
        if (r >= 0)
                r = append_words(m, argv);
        if (r >= 0)
                r = sd_bus_message_append(m, "as", 1, "no-env-expand");
        for (int i = 0; i < 4 && r >= 0; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

static int append_stdio(sd_bus_message *m, const EnterUnit *u) {
        if (u->tty)
                return sd_bus_message_append(m, "(sv)(sv)(sv)(sv)", "StandardInput", "s", "tty-force",
                                             "StandardOutput", "s", "tty", "StandardError", "s", "tty",
                                             "TTYPath", "s", u->tty);
        return sd_bus_message_append(m, "(sv)(sv)(sv)", "StandardInputFileDescriptor", "h", u->fds[0],
                                     "StandardOutputFileDescriptor", "h", u->fds[1],
                                     "StandardErrorFileDescriptor", "h", u->fds[2]);
}

static int append_properties(sd_bus_message *m, const EnterUnit *u, const char *hold) {
        int r = sd_bus_message_open_container(m, 'a', "(sv)");

        if (r >= 0)
                r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)", "Description", "s", u->description,
                                          "Type", "s", "exec", "SendSIGHUP", "b", 1, "CollectMode", "s",
                                          "inactive-or-failed", "TimeoutStopUSec", "t", STOP_MAX_USEC);
        if (r >= 0 && u->whole)
                r = sd_bus_message_append(m, "(sv)", "ExitType", "s", "cgroup");
        if (r >= 0 && hold)
                r = sd_bus_message_append(m, "(sv)(sv)", "BindsTo", "as", 1, hold, "After", "as", 1, hold);
        if (r >= 0)
                r = append_stdio(m, u);
        if (r >= 0)
                r = append_strv(m, "Environment", u->environment);
        if (r >= 0)
                r = append_command(m, u->path, u->argv);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_hold_properties(sd_bus_message *m, int fd) {
        char program[] = HOLD_PROGRAM, word[] = "hold", *argv[] = { program, word, NULL };
        int r = sd_bus_message_open_container(m, 'a', "(sv)");

        if (r >= 0)
                r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)(sv)", "Description", "s",
                                          "Whoever has entered", "DefaultDependencies", "b", 0, "Conflicts",
                                          "as", 1, "shutdown.target", "Before", "as", 1, "shutdown.target",
                                          "CollectMode", "s", "inactive-or-failed",
                                          "StandardInputFileDescriptor", "h", fd);
        if (r >= 0)
                r = append_command(m, HOLD_PROGRAM, argv);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* The list of units besides. */
static int append_hold(sd_bus_message *m, const char *hold, int fd) {
        int r = sd_bus_message_open_container(m, 'a', "(sa(sv))");

        if (hold) {
                if (r >= 0)
                        r = sd_bus_message_open_container(m, 'r', "sa(sv)");
                if (r >= 0)
                        r = sd_bus_message_append(m, "s", hold);
                if (r >= 0)
                        r = append_hold_properties(m, fd);
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* Of the service: how its main process ended. Of the unit: "failed" is the end also of what never ran. */
static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        EnterWatch *w = userdata;
        const char *interface, *key;

        if (sd_bus_message_read(m, "s", &interface) < 0 || sd_bus_message_enter_container(m, 'a', "{sv}") < 0)
                return 0;
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                const char *state;
                int32_t n;

                if (sd_bus_message_read(m, "s", &key) < 0)
                        break;
                if (streq(key, "ActiveState") && sd_bus_message_read(m, "v", "s", &state) >= 0)
                        w->ended = w->ended || streq(state, "failed");
                else if (streq(key, "ExecMainStatus") && sd_bus_message_read(m, "v", "i", &n) >= 0)
                        w->status = n;
                else if (streq(key, "ExecMainCode") && sd_bus_message_read(m, "v", "i", &n) >= 0) {
                        w->code = n;
                        w->ended = w->ended || n != 0;
                } else if (sd_bus_message_skip(m, "v") < 0)
                        break;
                if (sd_bus_message_exit_container(m) < 0)
                        break;
        }
        return 0;
}

static int on_removed(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        EnterWatch *w = userdata;
        const char *path, *unit, *result;
        uint32_t id;

        if (sd_bus_message_read(m, "uoss", &id, &path, &unit, &result) < 0 || w->job_result ||
            !streq(unit, w->unit))
                return 0;
        return str_replace(&w->job_result, result);
}

static int watch(EnterWatch *w, sd_bus *bus, const EnterUnit *u) {
        int r;

        w->bus = bus;
        w->unit = strf("enter-%s@%s.service", u->app, u->instance);
        r = w->unit ? sd_bus_path_encode("/org/freedesktop/systemd1/unit", w->unit, &w->unit_path) : -ENOMEM;
        if (r >= 0)
                r = sd_bus_match_signal(bus, &w->changed, NULL, w->unit_path,
                                        "org.freedesktop.DBus.Properties", "PropertiesChanged", on_changed,
                                        w);
        if (r >= 0)
                r = sd_bus_match_signal(bus, &w->removed, NULL, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER,
                                        "JobRemoved", on_removed, w);
        if (r >= 0)
                r = sd_bus_call_method(bus, NULL, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER, "Subscribe", NULL,
                                       NULL, "");
        return r;
}

/**
 * enter_unit_start() - start a program in an app of a running pod
 * @bus: to the pod's systemd: manager_bus_open() or pod_bus_open()
 * @u:   what; its descriptors are sent, and stay the caller's
 * @w:   ENTER_WATCH_INIT; stays where it is until enter_watch_done()
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0: it is being started; -EEXIST: the instance is taken; errors of the bus.
 */
int enter_unit_start(sd_bus *bus, const EnterUnit *u, EnterWatch *w, Error *e) {
        _cleanup_(sd_bus_error_free) sd_bus_error err = SD_BUS_ERROR_NULL;
        _cleanup_bus_reply_ sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_free_ char *hold = NULL;
        int r = watch(w, bus, u);

        if (r < 0)
                return error_setf(e, r, "cannot watch the pod's systemd: %s", strerror(-r));
        if (u->hold_fd >= 0) {
                hold = strf("enter-hold-%s-%s.service", u->app, u->instance);
                if (!hold)
                        return error_oom(e);
        }
        r = sd_bus_message_new_method_call(bus, &m, NULL, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER,
                                           "StartTransientUnit");
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", w->unit, "fail");
        if (r >= 0)
                r = append_properties(m, u, hold);
        if (r >= 0)
                r = append_hold(m, hold, u->hold_fd);
        if (r >= 0)
                r = sd_bus_call(bus, m, 0, &err, &reply);
        return r < 0 ? error_setf(e, r, "cannot enter app '%s': %s", u->app,
                                  err.message ? err.message : strerror(-r))
                     : 0;
}

/**
 * enter_watch_process() - read what the pod's systemd has said
 * @w: watching
 *
 * Return: 0; 1: the program has ended, or could not be started, or the pod has ended.
 */
int enter_watch_process(EnterWatch *w) {
        int r;

        do
                r = sd_bus_process(w->bus, NULL);
        while (r > 0);
        if (r < 0) {
                w->lost = true;
                return 1;
        }
        /* the job of a unit that has ended is removed, too: then its result is known */
        return w->ended && w->job_result;
}

/**
 * enter_watch_has_run() - did the program begin?
 * @w: it has ended
 *
 * A job of Type=exec fails, too, when the program was faster than its news.
 *
 * Return: false: nothing ran, or enter_watch_status() is systemd's (run/start-failure.h).
 */
bool enter_watch_has_run(const EnterWatch *w) {
        if (w->lost || streq_ptr(w->job_result, "done"))
                return true;
        return w->code != 0 && !(w->code == CLD_EXITED && start_failure(w->status));
}

/**
 * enter_watch_status() - how it ended
 * @w: it has
 *
 * Return: an exit status; of a killed one 128 and the signal, and so of one that ended with its pod.
 */
int enter_watch_status(const EnterWatch *w) {
        if (w->code == CLD_KILLED || w->code == CLD_DUMPED)
                return STATUS_KILLED + w->status;
        if (w->code == CLD_EXITED)
                return w->status;
        return w->lost ? STATUS_KILLED + SIGKILL : 255;
}

/**
 * enter_watch_signal() - send a signal to the program
 * @w:   watching
 * @sig: number
 *
 * Does not wait; a program that has just ended is no error.
 */
void enter_watch_signal(EnterWatch *w, int sig) {
        (void) sd_bus_call_method_async(w->bus, NULL, NULL, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER, "KillUnit",
                                        NULL, NULL, "ssi", w->unit, "main", (int32_t) sig);
        (void) sd_bus_flush(w->bus);
}

/**
 * enter_watch_done() - free what it holds
 * @w: before the bus is closed
 */
void enter_watch_done(EnterWatch *w) {
        sd_bus_slot_unref(w->changed);
        sd_bus_slot_unref(w->removed);
        free(w->unit);
        free(w->unit_path);
        free(w->job_result);
        *w = ENTER_WATCH_INIT;
}
