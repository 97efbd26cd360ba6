/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Talks to systemd and machined for the verbs. A pod of pod@NAME.service is stopped by a stop job, so that Restart= does not
 * bring it back and ExecStopPost= has run when we return. A pod in the foreground has no unit that could be stopped in order:
 * its PID 1 gets the signal on which systemd shuts down, or that one and systemd-nspawn are killed: not the processes of ours in
 * the unit, which have the last bytes to copy, the terminal to put right and a pod to remove. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/process.h"
#include "basic/str.h"
#include "pod/pod-stop.h"
#include "run/machine.h"
#include "run/manager-bus.h"
#include "run/manager-job.h"
#include "run/unit-gone.h"

#define MACHINED_NAME  "org.freedesktop.machine1"
#define MACHINED_PATH  "/org/freedesktop/machine1"
#define MACHINED       "org.freedesktop.machine1.Manager"
#define BUS_TIMEOUT_US UINT64_C(25000000)
#define START_MAX_US   UINT64_C(300000000) /* of a unit that has nothing to wait for */
#define KILLED_MSEC    10000               /* by then the kernel has ended all processes of a pod */
#define PROC_FILE_MAX  65536

#define _cleanup_bus_err_ _cleanup_(sd_bus_error_free)

/**
 * machine_done() - free what machine_lookup() filled in
 * @m: machine; empty afterwards
 */
void machine_done(Machine *m) {
        free(m->unit);
        *m = MACHINE_INIT;
}

static int open_bus(sd_bus **ret, Error *e) {
        int r = sd_bus_open_system(ret);

        return r < 0 ? error_setf(e, r, "cannot connect to the system bus: %s", strerror(-r)) : 0;
}

/* The sentence of a failed call: the other side's, if it gave one. */
static int bus_failed(Error *e, int r, const sd_bus_error *err, const char *what) {
        return error_setf(e, r, "%s: %s", what, err->message ? err->message : strerror(-r));
}

static int lookup(sd_bus *bus, const char *name, Machine *ret, Error *e) {
        _cleanup_bus_err_ sd_bus_error err = SD_BUS_ERROR_NULL;
        _cleanup_bus_reply_ sd_bus_message *reply = NULL;
        _cleanup_machine_ Machine m = MACHINE_INIT;
        const char *path;
        uint32_t leader;
        int r;

        r = sd_bus_call_method(bus, MACHINED_NAME, MACHINED_PATH, MACHINED, "GetMachine", &err, &reply, "s",
                               name);
        if (r < 0 && sd_bus_error_has_name(&err, "org.freedesktop.machine1.NoSuchMachine"))
                return error_setf(e, -ENOENT, "no machine \"%s\" is registered", name);
        if (r < 0)
                return bus_failed(e, r, &err, "cannot ask systemd-machined");
        r = sd_bus_message_read(reply, "o", &path);
        if (r < 0)
                return error_setf(e, r, "systemd-machined gave no machine for \"%s\"", name);
        r = sd_bus_get_property_string(bus, MACHINED_NAME, path, "org.freedesktop.machine1.Machine", "Unit",
                                       &err, &m.unit);
        if (r >= 0)
                r = sd_bus_get_property_trivial(bus, MACHINED_NAME, path, "org.freedesktop.machine1.Machine",
                                                "Leader", &err, 'u', &leader);
        if (r < 0 && sd_bus_error_has_name(&err, SD_BUS_ERROR_UNKNOWN_OBJECT)) /* it ended meanwhile */
                return error_setf(e, -ENOENT, "no machine \"%s\" is registered", name);
        if (r < 0)
                return bus_failed(e, r, &err, "cannot read the properties of the machine");
        ret->leader = (pid_t) leader;
        ret->unit = TAKE_PTR(m.unit);
        return 0;
}

/**
 * machine_lookup() - what machined knows about a running pod
 * @name: machine name
 * @ret:  filled in on success; free with machine_done()
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0; -ENOENT: no such machine; errors of the bus.
 */
int machine_lookup(const char *name, Machine *ret, Error *e) {
        _cleanup_bus_ sd_bus *bus = NULL;
        int r = open_bus(&bus, e);

        return r < 0 ? r : lookup(bus, name, ret, e);
}

/**
 * machine_forget() - have machined forget a machine that is over
 * @name: machine name
 *
 * It does so by itself only when the machine's unit is over, too: one that is started again by Restart= is not.
 * Failure means nothing: whoever wants the name sees whether it is free.
 */
void machine_forget(const char *name) {
        _cleanup_bus_ sd_bus *bus = NULL;

        if (open_bus(&bus, NULL) >= 0)
                (void) sd_bus_call_method(bus, MACHINED_NAME, MACHINED_PATH, MACHINED, "UnregisterMachine",
                                          NULL, NULL, "s", name);
}

/* Sends the call, which returns a job, and waits until the job has ended; @usec: no longer than that, 0: as long as the unit's
 * own timeouts let it. */
static int run_job(sd_bus *bus, sd_bus_message *call, const char *what, usec_t usec, Error *e) {
        _cleanup_(manager_job_done) ManagerJob j = MANAGER_JOB_INIT;
        _cleanup_bus_err_ sd_bus_error err = SD_BUS_ERROR_NULL;
        _cleanup_bus_reply_ sd_bus_message *reply = NULL;
        int r;

        r = manager_job_watch(&j, bus, SYSTEMD_NAME);
        if (r < 0)
                return error_setf(e, r, "cannot watch the jobs of systemd: %s", strerror(-r));
        r = sd_bus_call(bus, call, BUS_TIMEOUT_US, &err, &reply);
        if (r < 0)
                return bus_failed(e, r, &err, what);
        if (usec > 0)
                j.deadline = clock_usec(CLOCK_MONOTONIC) + usec;
        r = manager_job_wait(&j, bus, reply);
        if (r == -ETIME)
                return error_setf(
                        e, r,
                        "%s: systemd has not done it in time; systemctl list-jobs says what it waits for",
                        what);
        if (r < 0)
                return error_setf(e, r, "%s: %s", what, strerror(-r));
        return streq_ptr(j.result, "done") ? 0
                                           : error_setf(e, -EIO, "%s: the job ended as \"%s\"", what,
                                                        str_or(j.result, "unknown"));
}

static int kill_unit(sd_bus *bus, const char *unit, Error *e) {
        _cleanup_bus_err_ sd_bus_error err = SD_BUS_ERROR_NULL;
        int r = sd_bus_call_method(bus, SYSTEMD_NAME, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER, "KillUnit", &err,
                                   NULL, "ssi", unit, "all", (int32_t) SIGKILL);

        return r < 0 ? bus_failed(e, r, &err, "cannot kill the pod's processes") : 0;
}

/* As run_job(). */
static int stop_job(sd_bus *bus, const char *unit, const char *what, usec_t usec, Error *e) {
        _cleanup_bus_reply_ sd_bus_message *call = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &call, SYSTEMD_NAME, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER,
                                           "StopUnit");
        if (r >= 0)
                r = sd_bus_message_append(call, "ss", unit, "replace");
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(call, true);
        if (r < 0)
                return error_setf(e, r, "%s: %s", what, strerror(-r));
        return run_job(bus, call, what, usec, e);
}

/* Stop job first, so that Restart= is off, then the kill, if need be: the job ends with the last process. */
static int stop_unit(sd_bus *bus, const char *unit, usec_t patience, Error *e) {
        _cleanup_free_ char *what = strf("cannot stop %s", unit);
        int r = 0;

        if (!what)
                return error_oom(e);
        if (patience == 0) {
                _cleanup_bus_err_ sd_bus_error err = SD_BUS_ERROR_NULL;

                r = sd_bus_call_method(bus, SYSTEMD_NAME, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER, "StopUnit",
                                       &err, NULL, "ss", unit, "replace");
                if (r < 0)
                        return bus_failed(e, r, &err, what);
        } else {
                r = stop_job(bus, unit, what, patience == USEC_INFINITY ? 0 : patience, e);
                if (r != -ETIME || patience == USEC_INFINITY)
                        return r;
                error_done(e);
        }
        r = kill_unit(bus, unit, e);
        return r < 0 ? r : stop_job(bus, unit, what, 0, e);
}

/* A property of a unit, which need not be loaded. */
static int unit_property(sd_bus *bus, const char *unit, const char *property, char **ret, Error *e) {
        _cleanup_bus_err_ sd_bus_error err = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *path = NULL;
        int r = sd_bus_path_encode(SYSTEMD_BUS_PATH "/unit", unit, &path);

        if (r >= 0)
                r = sd_bus_get_property_string(bus, SYSTEMD_NAME, path, "org.freedesktop.systemd1.Unit",
                                               property, &err, ret);
        return r < 0 ? bus_failed(e, r, &err, "cannot ask systemd about the unit") : 0;
}

/* A pod of a service that is just starting has no machine yet, but a unit that can be stopped. 0: there is none. */
static int find_starting(sd_bus *bus, const char *name, char **ret_unit, Error *e) {
        _cleanup_free_ char *unit = strf("pod@%s.service", name), *state = NULL;
        int r;

        if (!unit)
                return error_oom(e);
        r = unit_property(bus, unit, "ActiveState", &state, e);
        if (r < 0 || streq(state, "inactive") || streq(state, "failed"))
                return r < 0 ? r : 0;
        *ret_unit = TAKE_PTR(unit);
        return 1;
}

static int kill_process(int pidfd) {
        return syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) < 0 ? -errno : 0;
}

static pid_t parent_of(pid_t pid) {
        _cleanup_free_ char *path = strf("/proc/%d/status", (int) pid), *text = NULL;
        const char *line;
        size_t size;

        if (!path || file_read_at(AT_FDCWD, path, PROC_FILE_MAX, &text, &size) < 0)
                return 0;
        line = strstr(text, "\nPPid:\t");
        return line ? (pid_t) strtol(line + strlen("\nPPid:\t"), NULL, 10) : 0;
}

/* Kills systemd-nspawn first, so that its parent sees a kill, and the pod's PID 1, with which the kernel ends all of the pod; this
 * is waited for. Returns -ESRCH if the two are not what they should be. */
static int kill_pod(pid_t leader) {
        _cleanup_close_ int init = (int) syscall(SYS_pidfd_open, leader, 0), nspawn = -EBADF;
        pid_t parent;
        int r;

        if (init < 0 || !process_is_init(leader))
                return -ESRCH;
        parent = parent_of(leader);
        nspawn = parent > 1 ? (int) syscall(SYS_pidfd_open, parent, 0) : -EBADF;
        if (nspawn < 0 || !process_has_name(parent, "systemd-nspawn") || parent_of(leader) != parent)
                return -ESRCH;
        r = kill_process(nspawn);
        if (r >= 0)
                r = kill_process(init);
        if (r >= 0)
                (void) poll(&(struct pollfd){ .fd = init, .events = POLLIN }, 1, KILLED_MSEC);
        return r;
}

/* The rest of the unit only if need be. */
static int kill_foreground(sd_bus *bus, const Machine *m, Error *e) {
        return kill_pod(m->leader) < 0 ? kill_unit(bus, m->unit, e) : 0;
}

/* First the marks, and then whoever is there: what comes after them sees them. */
static int stop_foreground(sd_bus *bus, const char *name, const char *dir, bool force, Error *e) {
        _cleanup_machine_ Machine m = MACHINE_INIT;
        int r = pod_stop_ask(dir);

        if (r < 0)
                return error_setf(e, r, "cannot leave the mark of a stop in %s: %s", dir, strerror(-r));
        r = lookup(bus, name, &m, e);
        if (r == -ENOENT) /* it is starting, or has just ended */
                return 1;
        if (r < 0)
                return r;
        if (force)
                r = kill_foreground(bus, &m, e);
        else if (kill(m.leader, SIGNAL_HALT) < 0 && errno != ESRCH)
                r = error_setf(e, -errno, "cannot signal the pod's init, process %d: %s", (int) m.leader,
                               strerror(errno));
        return r < 0 ? r : 1;
}

/**
 * machine_stop() - stop a running pod
 * @name:     machine name
 * @dir:      the pod's directory
 * @patience: microseconds after which a pod of a service that is not down is killed; USEC_INFINITY: never, but systemd's own
 *            timeouts count; 0: kill instead of asking
 * @e:        sentence on failure; may be NULL
 *
 * For a pod of a service the call returns when it is down. For one in the foreground it returns when it has been told, by its
 * init or by the marks in its directory; the pod's lock tells when it is over, and the caller kills it by another call.
 *
 * Return: 0; 1: told, not yet down; errors of the bus and of leaving the marks.
 */
int machine_stop(const char *name, const char *dir, usec_t patience, Error *e) {
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_machine_ Machine m = MACHINE_INIT;
        _cleanup_free_ char *unit = NULL;
        int r;

        r = open_bus(&bus, e);
        if (r >= 0)
                r = lookup(bus, name, &m, e);
        if (r >= 0 && startswith(m.unit, "pod@") && endswith(m.unit, ".service"))
                return stop_unit(bus, m.unit, patience, e);
        if (r == -ENOENT) {
                r = find_starting(bus, name, &unit, e);
                if (r > 0)
                        return stop_unit(bus, unit, patience, e);
        }
        return r < 0 ? r : stop_foreground(bus, name, dir, patience == 0, e);
}

/* A job, and then the unit has to be active. */
static int unit_job(const char *unit, const char *method, const char *verb, Error *e) {
        _cleanup_bus_reply_ sd_bus_message *call = NULL;
        _cleanup_free_ char *what = strf("cannot %s %s", verb, unit), *state = NULL;
        _cleanup_bus_ sd_bus *bus = NULL;
        int r;

        if (!what)
                return error_oom(e);
        r = open_bus(&bus, e);
        if (r < 0)
                return r;
        (void) sd_bus_call_method(bus, SYSTEMD_NAME, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER, "ResetFailedUnit",
                                  NULL, NULL, "s", unit);
        r = sd_bus_message_new_method_call(bus, &call, SYSTEMD_NAME, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER,
                                           method);
        if (r >= 0)
                r = sd_bus_message_append(call, "ss", unit, "replace");
        if (r < 0)
                return error_setf(e, r, "%s: %s", what, strerror(-r));
        r = run_job(bus, call, what, 0, e);
        if (r >= 0)
                r = unit_property(bus, unit, "ActiveState", &state, e);
        if (r >= 0 && !streq(state, "active"))
                r = error_setf(e, -EIO, "%s: it is %s", what, state);
        return r;
}

/**
 * machine_restart_unit() - restart a unit and wait until it is ready, or has failed
 * @unit: "pod@shop.service"
 * @e:    sentence on failure; may be NULL
 *
 * How long that may take says the unit. Restarts of before do not count against its StartLimitBurst=.
 *
 * Return: 0; -EIO: it did not get ready; errors of the bus.
 */
int machine_restart_unit(const char *unit, Error *e) {
        return unit_job(unit, "RestartUnit", "restart", e);
}

/**
 * machine_try_restart_unit() - restart a unit that runs, and wait until it is ready, or has failed
 * @unit: "pod@shop.service"
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0; 1: it does not run, and nothing was done; -EIO: it did not get ready; errors of the bus.
 */
int machine_try_restart_unit(const char *unit, Error *e) {
        _cleanup_free_ char *state = NULL;
        int r = machine_unit_state(unit, &state, e);

        if (r < 0)
                return r;
        return streq(state, "inactive") || streq(state, "failed") || streq(state, "deactivating")
                       ? 1
                       : unit_job(unit, "TryRestartUnit", "restart", e);
}

/**
 * machine_start_unit() - start a unit and wait until it is ready, or has failed
 * @unit: "pod@shop.service"
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0; -EIO: it did not get ready; errors of the bus.
 */
int machine_start_unit(const char *unit, Error *e) {
        return unit_job(unit, "StartUnit", "start", e);
}

/**
 * machine_stop_unit() - stop a unit and wait until it is down
 * @unit: "pod@shop.socket"; need not be loaded
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0; errors of the bus.
 */
int machine_stop_unit(const char *unit, Error *e) {
        _cleanup_free_ char *state = NULL;
        _cleanup_bus_ sd_bus *bus = NULL;
        int r = open_bus(&bus, e);

        if (r >= 0)
                r = unit_property(bus, unit, "ActiveState", &state, e);
        return r < 0 || streq(state, "inactive") ? r : stop_unit(bus, unit, USEC_INFINITY, e);
}

/**
 * machine_unit_state() - ActiveState of a unit
 * @unit: "pod@shop.service"
 * @ret:  "active", "activating", "failed", ...; to free()
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0; errors of the bus.
 */
int machine_unit_state(const char *unit, char **ret, Error *e) {
        _cleanup_bus_ sd_bus *bus = NULL;
        int r = open_bus(&bus, e);

        return r < 0 ? r : unit_property(bus, unit, "ActiveState", ret, e);
}

/* Are we the main process of a service? Then its unit is ours, and the pod belongs there. */
static int is_main_process(sd_bus *bus) {
        _cleanup_free_ char *unit = NULL, *path = NULL;
        uint32_t pid = 0;
        int r;

        r = sd_pid_get_unit(0, &unit);
        if (r < 0 || !endswith(unit, ".service"))
                return 0;
        r = sd_bus_path_encode(SYSTEMD_BUS_PATH "/unit", unit, &path);
        if (r < 0)
                return r;
        r = sd_bus_get_property_trivial(bus, SYSTEMD_NAME, path, "org.freedesktop.systemd1.Service",
                                        "MainPID", NULL, 'u', &pid);
        return r < 0 ? r : pid == (uint32_t) getpid();
}

/* "machine-" and the name as systemd-escape(1) would have it, as machined calls its scopes. */
static int unit_name(const char *name, const char *suffix, char **ret) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        strbuf_add(&b, "machine-");
        for (; *name; name++)
                if (*name == '-' || *name == '\\')
                        strbuf_addf(&b, "\\x%02x", (unsigned) (unsigned char) *name);
                else
                        strbuf_add_n(&b, name, 1);
        strbuf_add(&b, suffix);
        return strbuf_steal(&b, ret);
}

static int append_scope(sd_bus_message *m, const char *scope, const char *description) {
        int r = sd_bus_message_append(m, "ss", scope, "fail");

        if (r >= 0)
                r = sd_bus_message_append(m, "a(sv)", 6, "Description", "s", description, "Slice", "s",
                                          "machine.slice", "PIDs", "au", 1, (uint32_t) getpid(), "Delegate",
                                          "b", 1, "CollectMode", "s", "inactive-or-failed", "TasksMax", "t",
                                          UINT64_C(16384)); /* as pod@.service */
        return r < 0 ? r : sd_bus_message_append(m, "a(sa(sv))", 0);
}

/**
 * machine_enter_scope() - give a pod that is run by hand a unit of its own
 * @name:        machine name
 * @description: of the scope
 * @e:           sentence on failure; may be NULL
 *
 * Moves this process into a new, delegated scope in machine.slice, where limits and "systemctl status" find the pod, and where
 * the end of the user's session does not reach it. The main process of a service stays where it is: "rkt run" as ExecStart= is
 * that service.
 *
 * Return: 0; 1: stayed; errors of the bus, -EIO if systemd refused, -ETIME if it did not do it.
 */
int machine_enter_scope(const char *name, const char *description, Error *e) {
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_bus_reply_ sd_bus_message *call = NULL;
        _cleanup_free_ char *scope = NULL;
        int r;

        r = open_bus(&bus, e);
        if (r < 0)
                return r;
        if (is_main_process(bus) > 0)
                return 1;
        if (unit_name(name, ".scope", &scope) < 0)
                return error_oom(e);
        unit_wait_gone(bus, scope);
        r = sd_bus_message_new_method_call(bus, &call, SYSTEMD_NAME, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER,
                                           "StartTransientUnit");
        if (r >= 0)
                r = append_scope(call, scope, description);
        if (r < 0)
                return error_setf(e, r, "cannot describe the scope: %s", strerror(-r));
        return run_job(bus, call, "cannot start a scope for the pod", START_MAX_US, e);
}

static int append_command(sd_bus_message *m, const char *const *argv) {
        size_t n = 0;
        int r = sd_bus_message_open_container(m, 'r', "sv");

        if (r >= 0)
                r = sd_bus_message_append(m, "s", "ExecStart");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "a(sasb)");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sasb)");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'r', "sasb");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", argv[0]);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "s");
        for (; argv[n] && r >= 0; n++)
                r = sd_bus_message_append(m, "s", argv[n]);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_append(m, "b", 0);
        for (size_t i = 0; i < 4 && r >= 0; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

static int append_service(sd_bus_message *m, const char *unit, const char *description,
                          const char *const *argv) {
        int r = sd_bus_message_append(m, "ss", unit, "fail");

        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sv)");
        if (r >= 0)
                r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)(sv)(sv)", "Description", "s", description,
                                          "Slice", "s", "machine.slice", "Type", "s", "exec", "KillMode", "s",
                                          "mixed", "Delegate", "b", 1, "CollectMode", "s",
                                          "inactive-or-failed", "TasksMax", "t", UINT64_C(16384));
        if (r >= 0)
                r = append_command(m, argv);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_append(m, "a(sa(sv))", 0);
}

/**
 * machine_start_service() - run a command that runs a pod as a service of systemd's
 * @name:        machine name; the unit is called machine-NAME.service
 * @description: of the unit
 * @argv:        NULL-terminated; argv[0] is a path
 * @ret_unit:    the unit's name; to free()
 * @e:           sentence on failure; may be NULL
 *
 * The service is in machine.slice. The call returns when the command has been executed.
 *
 * Return: 0; errors of the bus, -EIO if systemd refused, -ETIME if it did not do it.
 */
int machine_start_service(const char *name, const char *description, const char *const *argv, char **ret_unit,
                          Error *e) {
        _cleanup_bus_reply_ sd_bus_message *call = NULL;
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_free_ char *unit = NULL;
        int r = open_bus(&bus, e);

        if (r < 0)
                return r;
        if (unit_name(name, ".service", &unit) < 0)
                return error_oom(e);
        unit_wait_gone(bus, unit);
        r = sd_bus_message_new_method_call(bus, &call, SYSTEMD_NAME, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER,
                                           "StartTransientUnit");
        if (r >= 0)
                r = append_service(call, unit, description, argv);
        if (r < 0)
                return error_setf(e, r, "cannot describe the service: %s", strerror(-r));
        r = run_job(bus, call, "cannot start a service for the pod", START_MAX_US, e);
        if (r >= 0)
                *ret_unit = TAKE_PTR(unit);
        return r;
}
