/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt logs: what the apps of a pod said, from the journal that has it: the pod's own, which stays where it is until the pod is
 * collected, or the host's (Log=host). journalctl reads and prints; here is where to look, and for what. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/process.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/uuid.h"
#include "pod/pod-compose.h"
#include "run/app-stdio.h"
#include "run/run.h"
#include "verbs/pod-info.h"
#include "verbs/pod-wait.h"
#include "verbs/verbs.h"

#define JOURNALCTL  "/usr/bin/journalctl"
#define STAGE1      "stage1/rootfs"
#define FOLLOW_MSEC 500 /* that the last lines may need once the pod is over */
#define AGAIN_USEC  20000

typedef struct LogsArgs {
        const char *app;
        const char *since;
        const char *until;
        const char *lines;
        const char *output;
        const char *uuid_file;
        bool follow;
} LogsArgs;

static int add_option(char ***argv, const char *name, const char *value) {
        return value ? strv_extendf(argv, "--%s=%s", name, value) : 0;
}

/* It has the pager that rkt would have, and the same conditions. What could command a terminal is shown as so many bytes of data
 * there, but for "cat". */
static int add_options(char ***argv, const LogsArgs *a, bool no_pager) {
        int r = strv_extend(argv, JOURNALCTL);

        if (r >= 0)
                r = strv_extend(argv, "--quiet");
        if (r >= 0 && no_pager)
                r = strv_extend(argv, "--no-pager");
        if (r >= 0 && !isatty(STDOUT_FILENO))
                r = strv_extend(argv, "--all");
        if (r >= 0)
                r = add_option(argv, "output", str_or(a->output, "short"));
        if (r >= 0)
                r = add_option(argv, "until", a->until);
        return r >= 0 ? add_option(argv, "lines", str_or(a->lines, "all")) : r;
}

/* What its programs and hooks print, whatever they claim to be; what is said about it; its last words, whose sender nobody knows. */
static int add_app(char ***argv, const char *app, bool first) {
        static const char *const kinds[] = { "condition", "start-pre", "start-post", "reload",
                                             "stop",      "stop-post", "health" };
        int r = 0;

        if (!first)
                r = strv_extend(argv, "+");
        if (r >= 0)
                r = strv_extendf(argv, "_SYSTEMD_UNIT=%s.service", app);
        if (r >= 0)
                r = strv_extendf(argv, "_SYSTEMD_UNIT=rkt-health@%s.service", app);
        FOREACH_ARRAY (k, kinds, ELEMENTSOF(kinds))
                if (r >= 0)
                        r = strv_extendf(argv, "_SYSTEMD_UNIT=hook-%s@%s.service", app, *k);
        if (r >= 0)
                r = strv_extend(argv, "+");
        if (r >= 0)
                r = strv_extendf(argv, "UNIT=%s.service", app);
        if (r >= 0)
                r = strv_extend(argv, "_PID=1");
        if (r >= 0)
                r = strv_extend(argv, "+");
        if (r >= 0)
                r = strv_extendf(argv, "_SYSTEMD_UNIT=rkt-log@%s.service", app);
        return r < 0 ? r : strv_extend(argv, "_TRANSPORT=stdout");
}

static bool has_app(const PodManifest *m, const char *name) {
        FOREACH_ARRAY (a, m->apps, m->n_apps)
                if (streq(a->name, name))
                        return true;
        return false;
}

/* Of the pod's own journal. */
static int add_apps(char ***argv, const PodManifest *m, const char *app) {
        bool first = true;
        int r = 0;

        FOREACH_ARRAY (a, m->apps, m->n_apps)
                if (r >= 0 && (!app || streq(a->name, app))) {
                        r = add_app(argv, a->name, first);
                        first = false;
                }
        return r;
}

/* In the host's journal all apps of a pod are one unit, and the name that an app logs with is all that tells it. */
static int add_identifier(char ***argv, const PodManifest *m, const char *app) {
        FOREACH_ARRAY (a, m->apps, m->n_apps) {
                _cleanup_free_ char *identifier = NULL;

                if (!streq(a->name, app))
                        continue;
                if (app_stdio_identifier(a, &identifier) < 0)
                        return -ENOMEM;
                return strv_extendf(argv, "SYSLOG_IDENTIFIER=%s", identifier);
        }
        return 0;
}

/* Of the host's: this run of the pod only. */
static int add_host(char ***argv, Pod *p, const PodManifest *m, const LogsArgs *a, Error *e) {
        _cleanup_free_ char *name = NULL;
        usec_t started = 0;
        int r = pod_machine_name(p, &name, e);

        if (r < 0)
                return r;
        if (!a->since && pod_started_usec(p, &started) >= 0)
                r = strv_extendf(argv, "--since=@%" PRIu64, (uint64_t) (started / 1000000));
        if (r >= 0)
                r = strv_extendf(argv, "_SYSTEMD_UNIT=pod@%s.service", name);
        if (r >= 0 && a->app)
                r = add_identifier(argv, m, a->app);
        return r < 0 ? error_oom(e) : 0;
}

/* Where the pod's own journal is: with the host's, or in the pod's root. */
static int find_directory(const char *uuid, Pod *p, char **ret, Error *e) {
        _cleanup_free_ char *host = run_journal_path(uuid), *inside = NULL, *path = NULL;

        if (!host)
                return error_oom(e);
        if (access(host, F_OK) >= 0) {
                *ret = TAKE_PTR(host);
                return 0;
        }
        inside = p ? strf(STAGE1 "%s", host) : NULL;
        if (inside && pod_path(p, inside, &path) >= 0 && access(path, F_OK) >= 0) {
                *ret = TAKE_PTR(path);
                return 0;
        }
        return error_setf(e, -ENOENT, "pod \"%s\" has no journal", uuid);
}

static int add_place(char ***argv, Pod *p, const LogsArgs *a, Error *e) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        _cleanup_free_ char *dir = NULL;
        const char *log;
        int r = pod_read_manifest(p, &m, e);

        if (r < 0)
                return r;
        if (a->app && !has_app(m, a->app))
                return error_setf(e, -ENOENT, "pod \"%s\" has no app \"%s\"", pod_uuid(p), a->app);
        log = pod_manifest_annotation(m, POD_ANNOTATION_LOG);
        if (streq_ptr(log, pod_log_mode_to_string(POD_LOG_HOST)))
                return add_host(argv, p, m, a, e);
        r = find_directory(pod_uuid(p), p, &dir, e);
        if (r < 0)
                return r;
        r = strv_extendf(argv, "--directory=%s", dir);
        return r < 0 || add_apps(argv, m, a->app) < 0 ? error_oom(e) : 0;
}

static void on_alarm(int sig) {
        (void) sig;
}

/* It may come before the waiting begins: so it is said again and again. */
static void on_child(int sig) {
        static const struct itimerval again = { .it_interval = { .tv_usec = AGAIN_USEC },
                                                .it_value = { .tv_usec = AGAIN_USEC } };

        (void) sig;
        (void) setitimer(ITIMER_REAL, &again, NULL);
}

/* Follows until the pod is over and its last lines are out; the end of journalctl itself interrupts the waiting. */
static int follow(char **argv, Pod *p, const char *data_dir, Error *e) {
        const int fds[] = { -EBADF, STDOUT_FILENO, STDERR_FILENO };
        const struct sigaction action = { .sa_handler = on_child, .sa_flags = SA_NOCLDSTOP },
                               alarm_action = { .sa_handler = on_alarm };
        const ProcessSpec spec = { .path = JOURNALCTL,
                                   .argv = argv,
                                   .envp = environ,
                                   .fds = fds,
                                   .n_fds = ELEMENTSOF(fds),
                                   .die_with_parent = true };
        _cleanup_(process_done) Process child = PROCESS_INIT;
        int r, status;

        (void) sigaction(SIGALRM, &alarm_action, NULL);
        (void) sigaction(SIGCHLD, &action, NULL);
        r = process_spawn(&spec, &child, e);
        if (r < 0)
                return r;
        (void) pod_wait_over(p, data_dir, -1, NULL);
        (void) signal(SIGCHLD, SIG_DFL);
        (void) setitimer(ITIMER_REAL, &(struct itimerval){}, NULL);
        if (poll(&(struct pollfd){ .fd = child.pidfd, .events = POLLIN }, 1, FOLLOW_MSEC) <= 0)
                (void) kill(child.pid, SIGTERM);
        r = process_wait(&child, &status, e);
        if (r < 0)
                return r;
        return status != 0 && status != 128 + SIGTERM
                       ? error_setf(e, -EIO, "journalctl failed (exit status %d)", status)
                       : 0;
}

/* A pod that is gone altogether, by its whole UUID. */
static int show_gone(const char *word, char ***argv, Error *e) {
        _cleanup_free_ char *dir = NULL;
        int r;

        if (!uuid_is_valid(word))
                return -ENOENT;
        r = find_directory(word, NULL, &dir, NULL);
        return r < 0 ? r : strv_extendf(argv, "--directory=%s", dir) < 0 ? error_oom(e) : 0;
}

static int logs_run(const VerbContext *c, int argc, char **words, void *options, Error *e) {
        const LogsArgs *args = options;
        _cleanup_(pods_closep) Pods *ps = NULL;
        _cleanup_(pod_closep) Pod *p = NULL;
        _cleanup_strv_free_ char **argv = NULL;
        int r = add_options(&argv, args, c->no_pager || args->follow);

        if (r >= 0)
                r = add_option(&argv, "since", args->since);
        if (r < 0)
                return error_oom(e);
        r = pod_open_named(c->dir, argc, words, args->uuid_file, &ps, &p, e);
        if (r == -ENOENT && argc == 1 && !args->app && show_gone(words[0], &argv, e) >= 0) {
                error_done(e);
                r = 0;
        } else if (r >= 0)
                r = add_place(&argv, p, args, e);
        if (r < 0)
                return r;
        if (args->follow && p && !pod_is_over(pod_state(p)))
                return strv_extend(&argv, "--follow") < 0 ? error_oom(e) : follow(argv, p, c->dir, e);
        execv(JOURNALCTL, argv);
        return error_setf(e, -errno, "cannot execute %s: %s", JOURNALCTL, strerror(errno));
}

static const Option logs_options[] = {
        { "app", 0, OPTION_STRING, offsetof(LogsArgs, app), .value = "NAME", .help = "of this app only" },
        { "follow", 'f', OPTION_BOOL, offsetof(LogsArgs, follow), .help = "go on until the pod ends" },
        { "lines", 'n', OPTION_STRING, offsetof(LogsArgs, lines), .value = "N",
          .help = "the last N lines only" },
        { "output", 'o', OPTION_STRING, offsetof(LogsArgs, output), .value = "FORMAT",
          .help = "a format of journalctl: short (default), cat, json ..." },
        { "since", 0, OPTION_STRING, offsetof(LogsArgs, since), .value = "TIME",
          .help = "not older than this (systemd.time(7))" },
        { "until", 0, OPTION_STRING, offsetof(LogsArgs, until), .value = "TIME",
          .help = "not newer than this" },
        POD_OPTION_UUID_FILE(LogsArgs),
        {},
};

const Verb verb_logs = {
        .name = "logs",
        .max_args = 1,
        .usage = "UUID",
        .section = SECTION_PODS,
        .help = "Show what the apps of a pod said",
        .description = "      Also after the pod's end, until it is collected. A name may stand for a UUID.",
        .options = logs_options,
        .options_size = sizeof(LogsArgs),
        .run = logs_run,
};
