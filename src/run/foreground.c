/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A shell, a service manager or a cluster's driver knows the process that it started, and nothing of what is behind it. So that
 * process does not become systemd-nspawn, which has its own idea of signals, but is its parent:
 *
 *   SIGTERM, SIGINT   stop the pod in order, or what makes it ready; then this process dies of the same signal, as who sent it expects
 *   SIGHUP            the same, where the terminal has gone; else it is for the apps
 *   most others       are for the apps: their main processes get them
 *   SIGKILL           takes nspawn along (PR_SET_PDEATHSIG), and with it the pod
 *
 * When nspawn ends, so does this process, with its exit status or by its signal. "rkt stop" of a pod that is starting tells this
 * process, by a mark (pod/pod-stop.h); then the exit status is 0, as that of apps that were stopped. What nspawn says to the service manager
 * (readiness above all) is passed on, since the manager listens to its main process only. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/process.h"
#include "basic/str.h"
#include "pod/pod-stop.h"
#include "pod/pod.h"
#include "run/foreground.h"
#include "run/machine.h"
#include "run/manager-bus.h"
#include "run/own-cgroup.h"
#include "run/pod-bus.h"

#define NOTIFY_MAX     4096
#define NOTIFY_AT_ONCE 64
#define DRAIN_MSEC     5000
#define STEP_MSEC      100
#define LOOK_MSEC      1000 /* where the kernel does not tell of a mark */
#define AGAIN_MSEC     1000
#define AGAIN_MAX      5

/* Those that are not blocked do what they always do. */
static const int blocked[] = { SIGCHLD, SIGTERM,  SIGINT, SIGHUP, SIGQUIT, SIGUSR1,   SIGUSR2,
                               SIGALRM, SIGWINCH, SIGIO,  SIGPWR, SIGURG,  SIGVTALRM, SIGPROF };

typedef struct Parent {
        const Foreground *f;
        pid_t child; /* systemd-nspawn */
        bool ended;  /* that one */
        int signals;
        int notify; /* nspawn's words; -EBADF: nobody wants them */
        int marks;  /* readable: perhaps somebody asks for a stop; negative: to be looked for now and then */
        bool asked; /* somebody did */
        unsigned again; /* so often the pod's PID 1 has been told once more */
        int stopped_by;
        int status; /* as of waitpid() */
} Parent;

static bool is_terminal(void) {
        return isatty(STDIN_FILENO) > 0 || isatty(STDOUT_FILENO) > 0;
}

static void fill_mask(sigset_t *mask) {
        (void) sigemptyset(mask);
        FOREACH_ARRAY (s, blocked, ELEMENTSOF(blocked))
                (void) sigaddset(mask, *s);
        for (int s = SIGRTMIN; s <= SIGRTMAX; s++)
                (void) sigaddset(mask, s);
}

static int kill_apps(const Foreground *f, int number, Error *e) {
        _cleanup_machine_ Machine machine = MACHINE_INIT;
        _cleanup_bus_ sd_bus *bus = NULL;
        int r = machine_lookup(f->machine, &machine, e);

        if (r >= 0)
                r = pod_bus_open(machine.leader, &bus, e);
        if (r < 0)
                return r;
        FOREACH_ARRAY (a, f->manifest->apps, f->manifest->n_apps) {
                _cleanup_free_ char *unit = strf("%s.service", a->name);

                if (!unit)
                        return error_oom(e);
                r = sd_bus_call_method(bus, NULL, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER, "KillUnit", NULL,
                                       NULL, "ssi", unit, "main", (int32_t) number);
                if (r < 0) /* of several, one may have ended */
                        log_debug("cannot pass signal %d on to app '%s': %s, ignoring", number, a->name,
                                  strerror(-r));
        }
        return 0;
}

/* In a process of its own: it may take a moment, and more signals may come. */
static void forward(Parent *p, int number) {
        _cleanup_error_ Error e = ERROR_INIT;
        pid_t pid = fork();
        sigset_t none;
        int r;

        if (pid != 0)
                return;
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        r = kill_apps(p->f, number, &e);
        if (r < 0)
                log_debug("cannot pass signal %d on to the apps: %s", number, error_text(&e, r));
        _exit(r < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

static void on_signal(Parent *p) {
        struct signalfd_siginfo info;
        int number;

        if (read(p->signals, &info, sizeof(info)) != (ssize_t) sizeof(info))
                return;
        number = (int) info.ssi_signo;
        if (number == SIGCHLD) {
                int status;

                for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
                        if (pid == p->child && !p->ended) {
                                p->ended = true;
                                p->status = status;
                        }
                return;
        }
        if (number == SIGTERM || number == SIGINT || (number == SIGHUP && is_terminal())) {
                p->stopped_by = number;
                (void) pod_stop_ask(p->f->dir); /* nspawn passes it on before the pod's PID 1 can keep it */
                /* Not the same one: a terminal, or a service manager, may have sent that to nspawn, too, and of two of one
                 * kind nspawn takes the second for "at once". */
                if (!p->ended)
                        (void) kill(p->child, number == SIGTERM ? SIGINT : SIGTERM);
        } else if (number != SIGWINCH || !is_terminal())
                forward(p, number);
}

/* What nspawn alone may say, and only of the pod's state. Returns whether there was anything. */
static bool pass_notification(const Parent *p) {
        union {
                struct cmsghdr head;
                char space[CMSG_SPACE(sizeof(struct ucred))];
        } control;
        char text[NOTIFY_MAX];
        struct iovec part = { text, sizeof(text) - 1 };
        struct msghdr m = {
                .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };
        struct sockaddr_un to = { .sun_family = AF_UNIX };
        const char *path = getenv("NOTIFY_SOCKET");
        _cleanup_close_ int fd = -EBADF;
        const struct ucred *sender;
        size_t size;
        ssize_t n = recvmsg(p->notify, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

        if (n < 0)
                return false;
        if (n == 0 || !path || strlen(path) >= sizeof(to.sun_path) || !CMSG_FIRSTHDR(&m) ||
            CMSG_FIRSTHDR(&m)->cmsg_type != SCM_CREDENTIALS)
                return true;
        sender = (const struct ucred *) (const void *) CMSG_DATA(CMSG_FIRSTHDR(&m));
        text[n] = '\0';
        if (sender->pid != p->child || strstr(text, "MAINPID=") || strstr(text, "FDSTORE="))
                return true;
        size = strlen(path);
        memcpy(to.sun_path, path, size);
        if (*path == '@')
                to.sun_path[0] = '\0';
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd >= 0)
                (void) sendto(fd, text, (size_t) n, MSG_NOSIGNAL, (const struct sockaddr *) &to,
                              (socklen_t) (offsetof(struct sockaddr_un, sun_path) + size));
        return true;
}

/* All there is: words of readiness and of the end may come at once. Others could go on writing for ever. */
static void on_notify(const Parent *p) {
        for (int left = NOTIFY_AT_ONCE; left > 0 && pass_notification(p); left--)
                ;
}

/* Until systemd-nspawn is there, nothing of the pod runs. Then its PID 1 sees the mark, or gets the signal of who left it. */
static void on_mark(Parent *p) {
        char buffer[4096];

        while (p->marks >= 0 && read(p->marks, buffer, sizeof(buffer)) > 0)
                ;
        if (p->asked || !pod_stop_is_asked(p->f->dir))
                return;
        p->asked = true;
        (void) pod_stop_ask(p->f->dir); /* inside by now, too? */
        if (!p->ended && !process_has_name(p->child, "systemd-nspawn"))
                (void) kill(p->child, SIGTERM);
}

/* As whoever waits for us expects it: the stop that was asked for, nspawn's end. */
static _noreturn_ void finish(const Parent *p) {
        const struct rlimit none = {};
        int number = p->stopped_by ? p->stopped_by : WIFSIGNALED(p->status) ? WTERMSIG(p->status) : 0;
        sigset_t mask;

        if (p->asked && p->stopped_by == 0 && number == SIGTERM)
                _exit(EXIT_SUCCESS);
        if (number == 0)
                _exit(WEXITSTATUS(p->status));
        (void) setrlimit(RLIMIT_CORE, &none); /* the core would be of the wrong program */
        (void) signal(number, SIG_DFL);
        (void) sigemptyset(&mask);
        (void) sigprocmask(SIG_SETMASK, &mask, NULL);
        (void) raise(number);
        _exit(EXIT_FAILURE);
}

static bool is_to_stop(const Parent *p) {
        return (p->asked || p->stopped_by != 0) && p->again < AGAIN_MAX;
}

/* A signal that came when nobody could keep it is lost; one too many does nothing. */
static void tell_again(Parent *p) {
        pid_t init;

        p->again++;
        if (!p->ended && process_has_name(p->child, "systemd-nspawn") && pod_find_init(p->child, &init) >= 0)
                (void) kill(init, SIGNAL_HALT);
}

/* The rest of this process's life. It holds nothing of the pod, above all not its lock. What nspawn leaves behind is the console,
 * which may have bytes to copy yet. */
static _noreturn_ void supervise(Parent *p) {
        (void) prctl(PR_SET_NAME, "rkt-foreground");
        (void) prctl(PR_SET_CHILD_SUBREAPER, 1);
        on_mark(p); /* left before we watched */
        while (!p->ended) {
                struct pollfd fds[] = { { .fd = p->signals, .events = POLLIN },
                                        { .fd = p->notify, .events = POLLIN },
                                        { .fd = p->marks, .events = POLLIN } };
                int n = poll(fds, ELEMENTSOF(fds),
                             is_to_stop(p)               ? AGAIN_MSEC
                             : p->marks < 0 && !p->asked ? LOOK_MSEC
                                                         : -1);

                if (n < 0 && errno != EINTR)
                        break;
                if (n == 0 && is_to_stop(p))
                        tell_again(p);
                if (fds[1].revents & POLLIN)
                        on_notify(p);
                if (fds[0].revents & POLLIN)
                        on_signal(p);
                if (p->marks < 0 || (fds[2].revents & POLLIN))
                        on_mark(p);
        }
        if (p->notify >= 0) /* it may have said something and ended at once */
                on_notify(p);
        own_cgroup_kill_payload(); /* whoever killed nspawn alone meant the pod: what follows is for one that is over */
        for (int left = DRAIN_MSEC; left > 0 && waitpid(-1, NULL, WNOHANG) >= 0; left -= STEP_MSEC) {
                struct pollfd fd = { .fd = p->signals, .events = POLLIN };

                if (poll(&fd, 1, STEP_MSEC) > 0)
                        on_signal(p);
        }
        if (p->f->ended)
                p->f->ended(p->asked || p->stopped_by != 0 ? 0 : p->status, p->f->userdata);
        finish(p);
}

static int open_notify(const char *path, Error *e) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = -EBADF;
        const int yes = 1;

        if (strlen(path) >= sizeof(address.sun_path))
                return error_setf(e, -ENAMETOOLONG, "the path of the socket %s is too long", path);
        memcpy(address.sun_path, path, strlen(path));
        (void) unlink(path);
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, (const struct sockaddr *) &address, sizeof(address)) < 0 ||
            setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)) < 0)
                return error_setf(e, -errno, "cannot make the socket %s: %s", path, strerror(errno));
        return TAKE_FD(fd);
}

/* What the service manager told its main process, for nspawn. */
static int pass_environment(const Foreground *f, bool notify) {
        const char *listen = getenv("LISTEN_PID");
        char pid[16];

        (void) snprintf(pid, sizeof(pid), "%d", (int) getppid());
        if (listen && streq(listen, pid)) {
                (void) snprintf(pid, sizeof(pid), "%d", (int) getpid());
                if (setenv("LISTEN_PID", pid, 1) < 0)
                        return -errno;
        }
        if (unsetenv("WATCHDOG_PID") < 0 || unsetenv("WATCHDOG_USEC") < 0 || unsetenv("LISTEN_PIDFDID") < 0)
                return -errno;
        return notify && setenv("NOTIFY_SOCKET", f->notify_path, 1) < 0 ? -errno : 0;
}

/**
 * foreground_tie() - end when the parent ends, however it ends
 * @parent: that foreground_split() left
 *
 * The kernel forgets it when a process changes its user for the file system, as userns_act() does: so once more before
 * nspawn, which keeps it.
 *
 * Return: false: it has ended.
 */
bool foreground_tie(pid_t parent) {
        return prctl(PR_SET_PDEATHSIG, SIGKILL) >= 0 && getppid() == parent;
}

static int become_child(const Foreground *f, pid_t parent, const sigset_t *old, bool notify, Error *e) {
        int r;

        if (!foreground_tie(parent))
                _exit(EXIT_FAILURE);
        /* the parent ends us by them, whatever a shell has set for what it runs in the background */
        (void) signal(SIGTERM, SIG_DFL);
        (void) signal(SIGINT, SIG_DFL);
        (void) sigprocmask(SIG_SETMASK, old, NULL);
        r = pass_environment(f, notify);
        return r < 0 ? error_setf(e, r, "cannot set the environment: %s", strerror(-r)) : 0;
}

/**
 * foreground_check_stop() - the last chance to end before systemd-nspawn
 * @dir: the pod's directory
 *
 * Ends this process, with success, if the pod is to stop: who asks later finds the place for the mark that PID 1 sees.
 */
void foreground_check_stop(const char *dir) {
        if (pod_stop_is_asked(dir))
                _exit(EXIT_SUCCESS);
}

/* Nothing but the standard ones and ours, in their place. */
static int keep_descriptors(Parent *p) {
        int *kept[] = { &p->signals, &p->notify, &p->marks }, next = STDERR_FILENO + 1;

        FOREACH_ARRAY (k, kept, ELEMENTSOF(kept)) {
                if (**k < 0)
                        continue;
                **k = fcntl(**k, F_DUPFD_CLOEXEC, STDERR_FILENO + 1 + (int) ELEMENTSOF(kept));
                if (**k < 0)
                        return -errno;
        }
        FOREACH_ARRAY (k, kept, ELEMENTSOF(kept)) {
                if (**k < 0)
                        continue;
                if (dup3(**k, next, O_CLOEXEC) < 0)
                        return -errno;
                **k = next++;
        }
        (void) close_range((unsigned) next, ~0U, 0);
        return 0;
}

/**
 * foreground_split() - go on as a child of this process
 * @f: the pod; used as long as the parent lives
 * @e: sentence on failure; may be NULL
 *
 * Returns in the child, which is to become systemd-nspawn. This process waits for it and does not come back. It has one thread.
 *
 * Return: 0 in the child; errors of fork() and of making the socket.
 */
int foreground_split(const Foreground *f, Error *e) {
        _cleanup_close_ int notify = -EBADF, signals = -EBADF, marks = pod_stop_watch(f->dir);
        pid_t parent = getpid(), child;
        Parent p = { .f = f };
        sigset_t mask, old;

        if (marks <
            0) /* root may have as many as fs.inotify.max_user_instances, which other programs want, too */
                log_debug("cannot watch %s: %s, looking there every second", f->dir, strerror(-marks));
        if (getenv("NOTIFY_SOCKET")) {
                notify = open_notify(f->notify_path, e);
                if (notify < 0)
                        return notify;
        }
        fill_mask(&mask);
        if (sigprocmask(SIG_BLOCK, &mask, &old) < 0)
                return error_setf(e, -errno, "cannot block signals: %s", strerror(errno));
        signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
        child = signals < 0 ? -1 : fork();
        if (child < 0) {
                int r = -errno;

                (void) sigprocmask(SIG_SETMASK, &old, NULL);
                return error_setf(e, r, "cannot start a process for the pod: %s", strerror(-r));
        }
        if (child == 0)
                return become_child(f, parent, &old, notify >= 0, e);
        p.child = child;
        p.signals = signals;
        p.notify = notify;
        p.marks = marks;
        if (keep_descriptors(&p) < 0) {
                (void) kill(child, SIGKILL);
                _exit(EXIT_FAILURE);
        }
        supervise(&p);
}
