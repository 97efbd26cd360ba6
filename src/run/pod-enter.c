/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Nothing of ours gets into the pod but the ends of pipes, or a name of a terminal that the pod has made: who has a file of the
 * host open could reopen it, for writing, too. The program is a child of the pod's systemd, in a unit with the app's sandbox
 * (run/enter-unit.h); it ends with us. */
#include "run/pod-enter.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "run/app-root.h"
#include "run/enter-unit.h"
#include "run/relay.h"
#include "run/start-failure.h"
#include "run/terminal.h"

#define EXIT_NO_PROGRAM  127 /* as a shell has it */
#define EXIT_NOT_STARTED 254
#define STATUS_EXEC      203 /* systemd.exec(5) */
#define PROCS_MAX        65536

typedef struct Entering {
        const PodEnter *what; /* with words */
        char *program;
        EnterWatch watch;
        ino_t pipes[2]; /* output and error */
        char *tty;
        int master, peer; /* of the terminal; @peer keeps it from being hung up before the program has it */
        int ours[3], app[3]; /* ends of the pipes */
        int hold[2];
} Entering;

static void entering_done(Entering *x) {
        enter_watch_done(&x->watch);
        free(x->program);
        free(x->tty);
        (void) fd_close(x->master);
        (void) fd_close(x->peer);
        for (int i = 0; i < 3; i++) {
                (void) fd_close(x->ours[i]);
                (void) fd_close(x->app[i]);
        }
        (void) fd_close(x->hold[0]);
        (void) fd_close(x->hold[1]);
}

/* Its root as the pod has it, with its volumes. */
static int open_root(const PodEnter *x, int *ret, Error *e) {
        _cleanup_free_ char *path = strf("/proc/%d/root", (int) x->leader),
                            *app = strf("/opt/stage2/%s/rootfs", x->app->name);
        _cleanup_close_ int pod = -EBADF;
        int r;

        if (!path || !app)
                return error_oom(e);
        pod = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        r = pod < 0 ? -errno : root_open(pod, app, O_PATH | O_DIRECTORY);
        if (r < 0)
                return error_setf(e, r, "cannot open the root of app '%s': %s", x->app->name, strerror(-r));
        *ret = r;
        return 0;
}

/* The first word as the app's own exec would be looked up. */
static int find_program(const PodEnter *x, int root, char **ret, Error *e) {
        _cleanup_(app_facts_done) AppFacts facts = APP_FACTS_INIT;
        AcApp object = *x->app->app;
        PodApp app = *x->app;
        int r;

        app.app = &object;
        object.exec = x->words;
        r = app_root_find_program(&app, root, &facts, e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(facts.exec_path);
        return 0;
}

static int make_terminal(const PodEnter *x, Entering *s, Error *e) {
        int r = terminal_open(x->leader, &s->master, &s->tty, e);

        if (r < 0)
                return r;
        s->peer = ioctl(s->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        return s->peer < 0 ? error_setf(e, -errno, "cannot open the pod's terminal: %s", strerror(errno)) : 0;
}

/* The app's user may open them by /dev/stdout and the like. */
static int make_pipes(Entering *s, Error *e) {
        for (int i = 0; i < 3; i++) {
                struct stat st;
                int fds[2];

                if (pipe2(fds, O_CLOEXEC) < 0)
                        return error_setf(e, -errno, "cannot make a pipe: %s", strerror(errno));
                s->app[i] = fds[i == 0 ? 0 : 1];
                s->ours[i] = fds[i == 0 ? 1 : 0];
                if (fchmod(fds[0], i == 0 ? 0644 : 0622) < 0 || fstat(fds[0], &st) < 0)
                        return error_setf(e, -errno, "cannot make a pipe for all: %s", strerror(errno));
                if (i > 0)
                        s->pipes[i - 1] = st.st_ino;
        }
        return fcntl(s->ours[0], F_SETFL, O_NONBLOCK) < 0
                       ? error_setf(e, -errno, "cannot set up a pipe: %s", strerror(errno))
                       : 0;
}

static int on_watch(void *userdata) {
        Entering *s = userdata;

        return enter_watch_process(&s->watch);
}

/* What ends a terminal ends us, and with us what we have started; the rest is for the program. */
static int on_signal(int sig, void *userdata) {
        Entering *s = userdata;

        if (sig == SIGHUP)
                return 1;
        enter_watch_signal(&s->watch, sig);
        return 0;
}

static bool holds_pipe(unsigned pid, const ino_t pipes[2]) {
        _cleanup_free_ char *path = strf("/proc/%u/fd", pid);
        DIR *d = path ? opendir(path) : NULL;
        bool held = false;

        for (struct dirent *f; d && !held && (f = readdir(d));) {
                struct stat st;

                held = fstatat(dirfd(d), f->d_name, &st, 0) == 0 && S_ISFIFO(st.st_mode) &&
                       (st.st_ino == pipes[0] || st.st_ino == pipes[1]);
        }
        if (d)
                (void) closedir(d);
        return held;
}

/* What the program left behind, and what still may write: as behind a pipe of a shell, that counts. The pod's PID 1 has the
 * pipes open, too, so there is no end of file to wait for. */
static bool is_held(void *userdata) {
        const Entering *s = userdata;
        _cleanup_free_ char *pod_path = strf("/proc/%d/root", (int) s->what->leader), *text = NULL,
                            *path = strf("/sys/fs/cgroup/system.slice/%s/cgroup.procs", s->watch.unit);
        _cleanup_close_ int pod = -EBADF, procs = -EBADF;
        _cleanup_strv_free_ char **pids = NULL;
        unsigned pid;
        size_t size;

        if (!pod_path || !path)
                return false;
        pod = open(pod_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        procs = pod < 0 ? -EBADF : root_open(pod, path, O_RDONLY);
        if (procs < 0 || fd_read_to_end(procs, PROCS_MAX, &text, &size) < 0 ||
            strv_split(text, "\n", &pids) < 0)
                return false;
        STRV_FOREACH (p, pids)
                if (parse_uint(*p, INT_MAX, &pid) >= 0 && holds_pipe(pid, s->pipes))
                        return true;
        return false;
}

static int start(void *userdata, Error *e) {
        Entering *s = userdata;
        const PodEnter *x = s->what;
        _cleanup_free_ char *instance = NULL;
        uint32_t n = 0;
        EnterUnit u = { .app = x->app->name,
                        .description = "Entered by rkt enter",
                        .path = s->program,
                        .argv = x->words,
                        .environment = x->environment,
                        .tty = s->tty,
                        .whole = !s->tty };
        int r;

        if (getrandom(&n, sizeof(n), 0) != (ssize_t) sizeof(n))
                return error_setf(e, -errno, "cannot get random bytes: %s", strerror(errno));
        instance = strf("%d.%08x", (int) getpid(), n);
        if (!instance)
                return error_oom(e);
        if (pipe2(s->hold, O_CLOEXEC) < 0)
                return error_setf(e, -errno, "cannot make a pipe: %s", strerror(errno));
        u.instance = instance;
        u.hold_fd = s->hold[0];
        memcpy(u.fds, s->app, sizeof(u.fds));
        r = enter_unit_start(x->bus, &u, &s->watch, e);
        for (int i = 0; i < 3; i++)
                (void) fd_close(TAKE_FD(s->app[i]));
        (void) fd_close(TAKE_FD(s->hold[0]));
        return r;
}

static int forward_terminal(Entering *s, RelayEnd *ret, Error *e) {
        const TerminalForward f = {
                .master = s->master,
                .peer = s->peer,
                .begin = start,
                .in = STDIN_FILENO,
                .out = STDOUT_FILENO,
                .watch_fd = sd_bus_get_fd(s->what->bus),
                .watch = on_watch,
                .on_signal = on_signal,
                .userdata = s,
                .stays_after_hangup = true,
        };

        return terminal_forward(&f, ret, e);
}

/* What is closed here is closed for the program, too: without an input of ours it meets the end at once. */
static int forward_pipes(Entering *s, RelayEnd *ret, Error *e) {
        RelayStream streams[] = {
                { .from = STDIN_FILENO,
                  .to = s->ours[0],
                  .is_input = true,
                  .non_blocking = true,
                  .close_to = true },
                { .from = s->ours[1], .to = STDOUT_FILENO, .close_from = true },
                { .from = s->ours[2], .to = STDERR_FILENO, .close_from = true },
        };
        Relay relay = { .streams = streams,
                        .n_streams = ELEMENTSOF(streams),
                        .watch_fd = sd_bus_get_fd(s->what->bus),
                        .watch = on_watch,
                        .on_signal = on_signal,
                        .userdata = s,
                        .stays_after_hangup = true,
                        .lingers = is_held };

        for (int i = 0; i < 3; i++)
                s->ours[i] = -EBADF; /* the relay's from now on */
        return relay_run(&relay, ret, e);
}

/* Why it was not started, in a sentence, or how it ended, as a number. */
static int finish(const Entering *s, RelayEnd end, int *ret_status, Error *e) {
        const char *why;
        int status;

        if (end != RELAY_DONE) {
                *ret_status = 128 + SIGHUP;
                return 0;
        }
        status = enter_watch_status(&s->watch);
        if (enter_watch_has_run(&s->watch)) {
                *ret_status = status;
                return 0;
        }
        why = start_failure(status);
        *ret_status = status == STATUS_EXEC ? EXIT_NO_PROGRAM : EXIT_NOT_STARTED;
        return error_setf(e, -ENOEXEC, "cannot start \"%s\" in app \"%s\": %s", s->program,
                          s->what->app->name, str_or(why, "the pod's journal says why"));
}

/**
 * pod_enter() - run a program in an app, and wait for its end
 * @x:          what and where
 * @ret_status: its exit status, 128 and the signal if it was killed; on failure what to exit with
 * @e:          sentence on failure; may be NULL
 *
 * Standard input and output are joined with a terminal of the pod if they are one themselves, otherwise all three streams are
 * passed on, each by itself: then what the program leaves behind is waited for, as long as it holds the output. SIGINT, SIGTERM, SIGQUIT, SIGUSR1 and SIGUSR2 go to the program; however this process ends, the
 * program ends, too.
 *
 * Return: 0; -ENOENT: no such program in the app's PATH; -ENOEXEC: it was not started; errors of the bus.
 */
int pod_enter(const PodEnter *x, int *ret_status, Error *e) {
        PodEnter y = *x;
        _cleanup_(entering_done) Entering s = { .what = &y,
                                                .master = -EBADF,
                                                .peer = -EBADF,
                                                .ours = { -EBADF, -EBADF, -EBADF },
                                                .app = { -EBADF, -EBADF, -EBADF },
                                                .hold = { -EBADF, -EBADF } };
        char bash[] = "/bin/bash", sh[] = "/bin/sh", *shell[] = { NULL, NULL };
        _cleanup_close_ int root = -EBADF, has_bash = -EBADF;
        RelayEnd end = RELAY_DONE;
        int r;

        *ret_status = EXIT_NOT_STARTED;
        r = open_root(x, &root, e);
        if (r < 0)
                return r;
        if (!x->words) {
                has_bash = root_open(root, bash, O_PATH);
                shell[0] = has_bash >= 0 ? bash : sh;
                y.words = shell;
        }
        r = find_program(&y, root, &s.program, e);
        if (r < 0) {
                *ret_status = EXIT_NO_PROGRAM;
                return r;
        }
        r = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) ? make_terminal(x, &s, e) : make_pipes(&s, e);
        if (r >= 0 && !s.tty)
                r = start(&s, e);
        if (r >= 0)
                r = s.tty ? forward_terminal(&s, &end, e) : forward_pipes(&s, &end, e);
        return r < 0 ? r : finish(&s, end, ret_status, e);
}
