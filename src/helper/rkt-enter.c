/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt's hand inside a pod. A copy of it lies in each pod, so that a running pod never needs a file of another version.
 *
 *   rkt-enter status APP [PROGRAM]
 *                               ExecStopPost= of an app: keeps how it ended (app-status.h); with PROGRAM says on the
 *                               console why it could not be started
 *   rkt-enter ended POLICY APP  rkt-ended@APP.service: the pod's exit status, and its end if POLICY says so
 *   rkt-enter ready APP...      rkt-ready.service: leaves the mark of readiness; ends the pod if an app has no unit
 *   rkt-enter hook APP KIND     ExecStartPre= and the like of an app: runs hook-APP@KIND.service
 *   rkt-enter health APP RETRIES START ACTION
 *                               rkt-health@APP.service: checks once, and notes what came of it
 *   rkt-enter healthy APP INTERVAL
 *                               Notify=healthy: ExecStartPost= of an app, which waits for the first success
 *   rkt-enter port NUMBER       a proxy's ExecStartPre=: until somebody listens on this TCP port of 127.0.0.1
 *   rkt-enter hold              waits for the end of its input: of whoever has entered an app (run/enter-unit.c)
 *   rkt-enter kubernetes-log PATH
 *                               rkt-log@APP.service of an app with a log file for a kubelet
 *   rkt-enter shell UNIT        container-shell@N.service, as machined made it: "User=" says which app
 *
 * Whoever enters an app becomes a unit of the pod, enter-APP@N.service, with the app's own sandbox. It is started over the
 * private socket of the pod's systemd, which is root's alone, with the terminal that machined made. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/clock.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/hex.h"
#include "basic/log.h"
#include "basic/parse.h"
#include "basic/sanitizer.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "helper/app-health-run.h"
#include "helper/app-hook-run.h"
#include "helper/app-port.h"
#include "helper/app-status.h"
#include "helper/kubernetes-log.h"
#include "run/console.h"
#include "run/enter-unit.h"
#include "run/manager-bus.h"
#include "run/start-failure.h"

/* Most of what it does is behind the filters of an app or of a proxy. */
NO_LEAK_CHECK

#define STATUS_DIR        "/rkt/status/"
#define READY_MARK        "/rkt/supervisor-status"
#define REFUSED_FILE      "/rkt/refused" /* read by run_explain() */
#define NOT_STARTED       254            /* of a pod that rkt could not start */
#define TRANSIENT         "/run/systemd/transient/"
#define MANAGER_PATH      SYSTEMD_BUS_PATH
#define MANAGER           SYSTEMD_BUS_MANAGER
#define UNIT_MAX          (1024U * 1024)
#define APPS_TARGET       "default.target"   /* comes after the apps */
#define FINISHED_MAX_USEC UINT64_C(30000000) /* then the pod may end, ready or not */

static int manager_open(sd_bus **ret) {
        int r = manager_bus_open(ret);

        return r < 0 ? log_error_errno(r, "cannot connect to the pod's systemd: %m") : 0;
}

/* 257 triggers OnFailure= also for a service that is about to be restarted, 252 does not. */
static bool is_over(sd_bus *bus, const char *app) {
        _cleanup_free_ char *unit = strf("%s.service", app), *state = NULL;

        return !unit || manager_bus_unit_property(bus, unit, "Unit", "ActiveState", &state) < 0 ||
               streq(state, "failed") || streq(state, "inactive");
}

/* The first failure decides; what fails while the pod is being stopped does not. */
static int verb_ended(const char *policy, const char *app) {
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_free_ char *state = NULL;
        uint8_t code = 0;
        unsigned status;
        int r = manager_open(&bus);

        if (r < 0)
                return r;
        r = sd_bus_get_property_string(bus, NULL, MANAGER_PATH, MANAGER, "SystemState", NULL, &state);
        if (r < 0 || streq(state, "stopping"))
                return r < 0 ? log_error_errno(r, "cannot ask the pod's systemd: %m") : 0;
        if (!is_over(bus, app))
                return 0;
        if (app_status_read(app, &status) < 0)
                status = 255;
        r = sd_bus_get_property_trivial(bus, NULL, MANAGER_PATH, MANAGER, "ExitCode", NULL, 'y', &code);
        if (r >= 0 && code == 0 && status != 0)
                r = sd_bus_call_method(bus, NULL, MANAGER_PATH, MANAGER, "SetExitCode", NULL, NULL, "y",
                                       (uint8_t) status);
        if (r >= 0 && !streq(policy, "all"))
                r = sd_bus_call_method(bus, NULL, MANAGER_PATH, MANAGER, "StartUnit", NULL, NULL, "ss",
                                       "exit.target", "replace-irreversibly");
        return r < 0 ? log_error_errno(r, "cannot end the pod: %m") : 0;
}

/* An app whose unit systemd refused never starts and never fails: nothing would end the pod. */
static int refuse(sd_bus *bus, const char *app, const char *state) {
        _cleanup_free_ char *path = strf(STATUS_DIR "%s", app), *text = strf("%s %s\n", app, state);
        int r = path && text ? file_write_at(AT_FDCWD, path, "254\n", 4, 0644, FILE_WRITE_NO_SYNC) : -ENOMEM;

        if (r >= 0)
                r = file_write_at(AT_FDCWD, REFUSED_FILE, text, strlen(text), 0644, FILE_WRITE_NO_SYNC);

        (void) log_error_errno(
                -EINVAL,
                "app '%s' could not be started: systemd did not take its settings (%s); the pod's "
                "journal says which",
                app, state);
        if (r >= 0)
                r = sd_bus_call_method(bus, NULL, MANAGER_PATH, MANAGER, "SetExitCode", NULL, NULL, "y",
                                       (uint8_t) NOT_STARTED);
        if (r >= 0)
                r = sd_bus_call_method(bus, NULL, MANAGER_PATH, MANAGER, "StartUnit", NULL, NULL, "ss",
                                       "exit.target", "replace-irreversibly");
        return r < 0 ? log_error_errno(r, "cannot end the pod: %m") : -EINVAL;
}

/* What systemd has done of the pod's start. */
typedef struct Progress {
        bool apps;     /* their start jobs are over, one way or another */
        bool finished; /* all jobs are */
} Progress;

static int on_finished(sd_bus_message *m _unused_, void *userdata, sd_bus_error *e _unused_) {
        ((Progress *) userdata)->finished = true;
        return 0;
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *e _unused_) {
        const char *path, *unit, *result;
        uint32_t id;

        if (sd_bus_message_read(m, "uoss", &id, &path, &unit, &result) >= 0 && streq(unit, APPS_TARGET))
                ((Progress *) userdata)->apps = true;
        return 0;
}

/* A failed app, or a stop, takes the target's job away, too. */
static int apps_are_ready(sd_bus *bus) {
        _cleanup_free_ char *state = NULL;
        int r = manager_bus_unit_property(bus, APPS_TARGET, "Unit", "ActiveState", &state);

        return r < 0 ? log_error_errno(r, "cannot ask the pod's systemd about its apps: %m")
                     : streq(state, "active");
}

static int watch_progress(sd_bus *bus, Progress *p) {
        int r = sd_bus_match_signal(bus, NULL, NULL, MANAGER_PATH, MANAGER, "StartupFinished", on_finished,
                                    p);

        if (r >= 0)
                r = sd_bus_match_signal(bus, NULL, NULL, MANAGER_PATH, MANAGER, "JobRemoved", on_job_removed,
                                        p);
        if (r >= 0)
                r = sd_bus_call_method(bus, NULL, MANAGER_PATH, MANAGER, "Subscribe", NULL, NULL, "");
        if (r < 0)
                return log_error_errno(r, "cannot listen to the pod's systemd: %m");
        r = apps_are_ready(bus);
        p->apps = p->apps || r > 0;
        return r < 0 ? r : 0;
}

/* @usec: no longer; 0: for ever. */
static int wait_for_progress(sd_bus *bus, const bool *done, usec_t usec) {
        const usec_t until = usec > 0 ? clock_usec(CLOCK_MONOTONIC) + usec : USEC_INFINITY;
        int r = 0;

        while (r >= 0 && !*done && clock_usec(CLOCK_MONOTONIC) < until) {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, usec > 0 ? usec : UINT64_MAX);
        }
        return r < 0 ? log_error_errno(r, "cannot wait for the pod's systemd: %m") : 0;
}

/* It starts beside the apps, so that nobody waits for a process to start when they are ready.
 * It keeps the pod from ending (rkt-running.target): an app that was done at once must not end it before systemd has said that the
 * pod was ready, which it does when there is no job left. */
static int verb_ready(char **apps) {
        _cleanup_bus_ sd_bus *bus = NULL;
        Progress progress = {};
        int r = manager_open(&bus);

        if (r >= 0)
                r = watch_progress(bus, &progress);
        for (; *apps && r >= 0; apps++) {
                _cleanup_free_ char *unit = strf("%s.service", *apps), *state = NULL;

                r = unit ? manager_bus_unit_property(bus, unit, "Unit", "LoadState", &state) : -ENOMEM;
                if (r < 0)
                        return log_error_errno(r, "cannot ask the pod's systemd about app '%s': %m", *apps);
                if (!streq(state, "loaded"))
                        return refuse(bus, *apps, state);
        }
        if (r >= 0)
                r = wait_for_progress(bus, &progress.apps, 0);
        if (r >= 0)
                r = apps_are_ready(bus);
        if (r > 0 && symlink("ready", READY_MARK) < 0 && errno != EEXIST)
                return log_error_errno(-errno, "cannot leave the mark of readiness: %m");
        if (r == 0) /* the pod ends before it was ready */
                return sd_notify(0, "READY=1") < 0 ? -EIO : 0;
        if (r > 0)
                r = sd_notify(0, "READY=1");
        return r < 0 ? r : wait_for_progress(bus, &progress.finished, FINISHED_MAX_USEC);
}

/* What machined asked for. */
typedef struct Shell {
        char *user;
        char **argv;
        char **environment;
        char *path; /* of the program */
} Shell;

static void shell_done(Shell *s) {
        free(s->user);
        free(s->path);
        strv_free(s->argv);
        strv_free(s->environment);
}

/* One escape of a transient unit file behind its backslash; moves *p. */
static int unescape(const char **p, StrBuf *b) {
        static const char from[] = "abfnrtvs\\\"';$", to[] = "\a\b\f\n\r\t\v \\\"';$";
        const char *q = strchr(from, **p);

        if (**p && q) {
                strbuf_add_n(b, &to[q - from], 1);
                (*p)++;
                return 0;
        }
        if (**p == 'x' && hex_digit((*p)[1]) >= 0 && hex_digit((*p)[2]) >= 0) {
                char c = (char) (hex_digit((*p)[1]) * 16 + hex_digit((*p)[2]));

                strbuf_add_n(b, &c, 1);
                *p += 3;
                return 0;
        }
        return -EINVAL;
}

/* Splits a setting as systemd wrote it (252: "\$", 257: "$$"; both: "%%"). */
static int split_words(const char *p, char ***ret) {
        _cleanup_strv_free_ char **words = NULL;
        int r = 0;

        for (;;) {
                StrBuf b = STRBUF_INIT;
                bool quoted = false;
                char *word;

                p += strspn(p, " \t");
                if (!*p)
                        break;
                while (*p && (quoted || (*p != ' ' && *p != '\t')) && r >= 0) {
                        if (*p == '"') {
                                quoted = !quoted;
                                p++;
                        } else if (*p == '\\') {
                                p++;
                                r = unescape(&p, &b);
                        } else {
                                strbuf_add_n(&b, p, 1);
                                p += (*p == '%' || *p == '$') && p[1] == *p ? 2 : 1;
                        }
                }
                if (r < 0 || quoted) {
                        strbuf_done(&b);
                        return -EINVAL;
                }
                r = strbuf_steal(&b, &word);
                if (r >= 0)
                        r = strv_consume(&words, word);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(words);
        return 0;
}

/* "-@/bin/sh" "sh" "-c" ...: prefixes, the path, and with "@" the name it is called by. */
static int set_command(Shell *s, char **words) {
        bool named = false;
        const char *p;
        int r = 0;

        if (!words || !*words)
                return 0; /* an empty assignment resets the list */
        for (p = *words; *p && strchr("-@:+!|", *p); p++)
                named = named || *p == '@';
        if (*p != '/')
                return -EINVAL;
        strv_free(s->argv);
        s->argv = NULL;
        r = str_replace(&s->path, p);
        if (r >= 0 && !named)
                r = strv_extend(&s->argv, p);
        for (char **w = words + 1; *w && r >= 0; w++)
                r = strv_extend(&s->argv, *w);
        return r;
}

static int read_shell(const char *unit, Shell *ret) {
        _cleanup_free_ char *path = strf(TRANSIENT "%s", unit), *text = NULL;
        _cleanup_strv_free_ char **lines = NULL;
        size_t size;
        int r = path ? file_read_at(AT_FDCWD, path, UNIT_MAX, &text, &size) : -ENOMEM;

        if (r >= 0)
                r = strv_split(text, "\n", &lines);
        for (char **l = lines; r >= 0 && l && *l; l++) {
                _cleanup_strv_free_ char **words = NULL;
                const char *v;

                if ((v = startswith(*l, "User=")))
                        r = str_replace(&ret->user, v);
                else if ((v = startswith(*l, "ExecStart="))) {
                        r = split_words(v, &words);
                        if (r >= 0)
                                r = set_command(ret, words);
                } else if ((v = startswith(*l, "Environment="))) {
                        r = split_words(v, &words);
                        for (char **w = words; r >= 0 && w && *w; w++)
                                r = strv_extend(&ret->environment, *w);
                }
        }
        if (r >= 0 && (!ret->user || !ret->path || !ret->argv))
                r = -ENODATA;
        return r < 0 ? log_error_errno(r, "cannot read what %s is to run: %m", unit) : 0;
}

/* machined's default is "the login shell of that user", found by getent; the user it means is the pod's, not one of the app's
 * own, who often has no shell. In an app it is bash or sh. */
static int default_shell(Shell *s) {
        _cleanup_free_ char *root = strf("/opt/stage2/%s/rootfs", s->user);
        _cleanup_close_ int root_fd = -EBADF, fd = -EBADF;
        int r;

        if (strv_length(s->argv) != 3 || !startswith(s->argv[2], "shell=$(getent passwd "))
                return 0;
        root_fd = root ? open(root, O_PATH | O_DIRECTORY | O_CLOEXEC) : -ENOMEM;
        if (root_fd >= 0)
                fd = root_open(root_fd, "/bin/bash", O_PATH);
        r = str_replace(&s->path, fd >= 0 ? "/bin/bash" : "/bin/sh");
        strv_free(s->argv);
        s->argv = NULL;
        if (r >= 0)
                r = strv_extend(&s->argv, fd >= 0 ? "-bash" : "-sh");
        return r;
}

/* In the pod itself. */
static int exec_here(const Shell *s) {
        (void) setenv("HOME", "/root", 1);
        (void) setenv("USER", "root", 1);
        (void) setenv("LOGNAME", "root", 1);
        (void) setenv("SHELL", "/bin/sh", 1);
        for (char **v = s->environment; v && *v; v++)
                (void) putenv(*v);
        if (chdir("/root") < 0)
                log_warning_errno(-errno, "cannot change to /root: %m, ignoring");
        execv(s->path, s->argv);
        return log_error_errno(-errno, "cannot execute %s: %m", s->path);
}

/* Runs the command as a unit of the pod, with the sandbox of its app; returns its exit status. */
static int run_in_app(const char *instance, const Shell *s) {
        _cleanup_enter_watch_ EnterWatch w = ENTER_WATCH_INIT;
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_bus_ sd_bus *bus = NULL;
        char tty[64] = "";
        EnterUnit u = { .app = s->user,
                        .instance = instance,
                        .description = "Shell in an app",
                        .path = s->path,
                        .argv = s->argv,
                        .environment = s->environment,
                        .fds = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO },
                        .hold_fd = -EBADF };
        int r = manager_open(&bus);

        if (r < 0)
                return r;
        /* the terminal changes hands: the new unit takes it as its controlling one */
        if (isatty(STDIN_FILENO) && ttyname_r(STDIN_FILENO, tty, sizeof(tty)) == 0)
                u.tty = tty;
        r = enter_unit_start(bus, &u, &w, &e);
        if (r < 0)
                return log_error_errno(r, "%s", error_text(&e, r));
        while (enter_watch_process(&w) == 0) {
                r = sd_bus_wait(bus, UINT64_MAX);
                if (r < 0 && r != -EINTR)
                        return log_error_errno(r, "lost the pod's systemd: %m");
        }
        r = enter_watch_status(&w);
        if (!enter_watch_has_run(&w))
                fprintf(stderr, "rkt-enter: cannot start %s in app '%s': %s\r\n", s->path, s->user,
                        str_or(start_failure(r), "the pod's journal says why"));
        return r;
}

static int verb_shell(const char *unit) {
        _cleanup_(shell_done) Shell s = {};
        _cleanup_free_ char *instance = NULL, *root = NULL;
        const char *at = strchr(unit, '@');
        int r = read_shell(unit, &s);

        if (r < 0)
                return r;
        if (streq(s.user, "root"))
                return exec_here(&s);
        root = strf("/opt/stage2/%s/rootfs", s.user);
        instance = at ? strndup(at + 1, strcspn(at + 1, ".")) : strdup("0");
        if (!root || !instance)
                return log_error_errno(-ENOMEM, "out of memory");
        if (strchr(s.user, '/') || access(root, F_OK) < 0)
                return log_error_errno(-ENOENT, "this pod has no app '%s'", s.user);
        r = default_shell(&s);
        if (r < 0)
                return log_error_errno(-ENOMEM, "out of memory");
        (void) signal(SIGHUP, SIG_IGN);
        /* the unit takes the terminal; from another session only the host's root could */
        (void) ioctl(STDIN_FILENO, TIOCNOTTY);
        return run_in_app(instance, &s);
}

static int verb_health(char **words) {
        uint64_t retries, start;

        if (parse_uint64(words[1], &retries) < 0 || parse_uint64(words[2], &start) < 0)
                return log_error_errno(-EINVAL, "health: bad number");
        return app_health_run(words[0], retries, start, words[3]);
}

static int verb_healthy(char **words) {
        uint64_t interval;

        if (parse_uint64(words[1], &interval) < 0)
                return log_error_errno(-EINVAL, "healthy: bad number");
        return app_health_wait(words[0], interval);
}

static int verb_hold(void) {
        ssize_t n;
        char byte;

        do
                n = read(STDIN_FILENO, &byte, sizeof(byte));
        while (n > 0 || (n < 0 && errno == EINTR));
        return 0;
}

int main(int argc, char **argv) {
        int r = -EINVAL;

        if ((argc == 3 || argc == 4) && streq(argv[1], "status"))
                r = app_status_record(argv[2], argv[3]);
        else if (argc == 4 && streq(argv[1], "ended"))
                r = verb_ended(argv[2], argv[3]);
        else if (argc >= 2 && streq(argv[1], "ready"))
                r = verb_ready(argv + 2);
        else if (argc == 4 && streq(argv[1], "hook"))
                r = app_hook_run(argv[2], argv[3]);
        else if (argc == 6 && streq(argv[1], "health"))
                r = verb_health(argv + 2);
        else if (argc == 4 && streq(argv[1], "healthy"))
                r = verb_healthy(argv + 2);
        else if (argc == 3 && streq(argv[1], "port"))
                r = app_port_wait(argv[2]);
        else if (argc == 2 && streq(argv[1], "hold"))
                r = verb_hold();
        else if (argc == 3 && streq(argv[1], "kubernetes-log"))
                r = kubernetes_log_run(argv[2]);
        else if (argc == 3 && streq(argv[1], "shell"))
                r = verb_shell(argv[2]);
        else
                fputs("Usage: rkt-enter status APP [PROGRAM] | ended POLICY APP | ready APP... | hook APP "
                      "KIND | hold | kubernetes-log PATH | shell UNIT\n",
                      stderr);
        return r < 0 ? 255 : r;
}
