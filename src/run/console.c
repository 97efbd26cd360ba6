/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The console of a pod in the foreground. A pod cannot be given our descriptors (its systemd starts afresh, and a pipe cannot be
 * bind-mounted), and its journal would cut output into lines and put names before them. So the apps write into two named pipes
 * in the stage1 root, and a child of ours copies from there, byte for byte. It ends when nobody can write any more: this process,
 * which becomes systemd-nspawn, keeps the writing ends open as long as the pod lives.
 *
 * The child also sees to it that the pod does not outlive systemd-nspawn: whoever kills that process hard (Nomad does) means the
 * pod, and in a scope nobody else would clean up. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/macro.h"
#include "basic/str.h"
#include "run/attach.h"
#include "run/console.h"
#include "run/own-cgroup.h"

#define BUFFER_SIZE 65536
#define N_STREAMS   2
#define KILLED_SEC  2

typedef struct Stream {
        const char *path; /* beneath the stage1 root */
        int from;         /* reading end */
        int keep;         /* writing end, for nspawn to inherit */
        int to;           /* ours */
} Stream;

/* A thread: copies what there is, until nobody can write any more. When the reader of our output has gone, the apps' output goes
 * nowhere, but they go on. One that does not read holds up this stream only: a descriptor of the caller's can block whatever
 * poll() says, and is shared with others, so that we may not change that. */
static void *copy_stream(void *userdata) {
        Stream *s = userdata;
        char buffer[BUFFER_SIZE];
        ssize_t n;

        do {
                if (poll(&(struct pollfd){ .fd = s->from, .events = POLLIN }, 1, -1) < 0 && errno != EINTR)
                        break;
                n = read(s->from, buffer, sizeof(buffer));
                if (n > 0 && s->to >= 0 && fd_write_all(s->to, buffer, (size_t) n) < 0)
                        s->to = -EBADF;
        } while (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)));
        return NULL;
}

/* Until nspawn and both streams end. parent: pidfd of nspawn; readable when it is gone. rkt: nspawn's parent, and ours then; if it
 * was killed, what nobody reads is given up, since the unit lasts as long as we do, and the machine's name is taken. */
static int copy_all(Stream *streams, int parent, pid_t rkt) {
        struct timespec end;
        bool killed;
        pthread_t threads[N_STREAMS];

        for (size_t i = 0; i < N_STREAMS; i++)
                if (pthread_create(&threads[i], NULL, copy_stream, &streams[i]) != 0)
                        return -EAGAIN;
        while (parent >= 0 && poll(&(struct pollfd){ .fd = parent, .events = POLLIN }, 1, -1) < 0 &&
               errno == EINTR)
                ;
        own_cgroup_kill_payload();
        killed = getppid() != rkt;
        (void) clock_gettime(CLOCK_MONOTONIC, &end);
        end.tv_sec += KILLED_SEC;
        for (size_t i = 0; i < N_STREAMS; i++)
                if (killed)
                        (void) pthread_clockjoin_np(threads[i], NULL, CLOCK_MONOTONIC, &end);
                else
                        (void) pthread_join(threads[i], NULL);
        return 0;
}

/* The console holds nothing but its own descriptors and the caller's. */
static void leave(int n_kept) {
        static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE };

        FOREACH_ARRAY (s, ignored, ELEMENTSOF(ignored))
                (void) signal(*s, SIG_IGN);
        (void) prctl(PR_SET_NAME, "rkt-console");
        (void) close_range((unsigned) n_kept, ~0U, 0);
        if (chdir("/") < 0)
                _exit(EXIT_FAILURE);
}

/* The child holds nothing but its pipes and the caller's output: above all not the pod's lock. What ends the pod (a signal to
 * the process group, too) does not end it before the last byte. */
static _noreturn_ void relay(Stream *streams, pid_t parent, pid_t rkt) {
        int pidfd;

        for (int i = 0; i < N_STREAMS; i++) {
                int fd = fcntl(streams[i].from, F_DUPFD_CLOEXEC, 3 + N_STREAMS);

                streams[i].from = fd;
        }
        for (int i = 0; i < N_STREAMS; i++) {
                if (streams[i].from < 0 || dup3(streams[i].from, 3 + i, O_CLOEXEC) < 0)
                        _exit(EXIT_FAILURE);
                streams[i].from = 3 + i;
        }
        leave(3 + N_STREAMS);
        pidfd = (int) syscall(SYS_pidfd_open, parent, 0);
        if (getppid() != parent)
                pidfd = fd_close(pidfd);
        _exit(copy_all(streams, pidfd, rkt) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

static int open_stream(Stream *s, int stage1_fd, Error *e) {
        int r = mkdir_parents_at(stage1_fd, "rkt/stdio", 0755);

        if (r >= 0)
                r = RET_NERRNO(mkfifoat(stage1_fd, s->path, 0600));
        /* an app's own user opens it by /dev/stdout, and finds it by that only */
        if (r >= 0)
                r = RET_NERRNO(fchmodat(stage1_fd, s->path, 0622, 0));
        if (r >= 0)
                r = s->from = RET_NERRNO(
                        openat(stage1_fd, s->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
        if (r >= 0) /* NOLINTNEXTLINE(android-cloexec-open) nspawn inherits it */
                r = s->keep = RET_NERRNO(openat(stage1_fd, s->path, O_WRONLY | O_NOFOLLOW));
        return r < 0 ? error_setf(e, r, "cannot make the pod's console %s: %s", s->path, strerror(-r)) : 0;
}

static _noreturn_ void join(int stage1_fd, const char *app, pid_t parent) {
        _cleanup_error_ Error e = ERROR_INIT;
        Attach a = { .app = app, .want = ATTACH_TTY, .starts = true };
        int root = fcntl(stage1_fd, F_DUPFD_CLOEXEC, 3 + N_STREAMS);
        RelayEnd end;
        int r;

        if (root < 0 || dup3(root, 3, O_CLOEXEC) < 0)
                _exit(EXIT_FAILURE);
        leave(4);
        a.stage1_fd = 3;
        a.watch_fd = (int) syscall(SYS_pidfd_open, parent, 0);
        r = attach_run(&a, &end, &e);
        if (r < 0 && r != -ESRCH)
                (void) dprintf(STDERR_FILENO, "rkt: %s\n", error_text(&e, r));
        if (a.watch_fd < 0 || poll(&(struct pollfd){ .fd = a.watch_fd, .events = POLLIN }, 1, -1) > 0)
                own_cgroup_kill_payload();
        _exit(EXIT_SUCCESS);
}

/**
 * console_start_terminal() - join our terminal with that of a pod's app
 * @stage1_fd: the stage1 root
 * @app:       name of the app
 * @e:         sentence on failure; may be NULL
 *
 * As console_start(), for an app that has the terminal for its streams. The console waits for the app's terminal, and the app
 * for the console.
 *
 * Return: 0; what own_cgroup_fork() returns.
 */
int console_start_terminal(int stage1_fd, const char *app, Error *e) {
        pid_t parent = getpid(), pid;
        int r = own_cgroup_fork(&pid, e);

        if (r < 0)
                return error_prefixf(e, r, "cannot start the pod's console");
        if (pid == 0)
                join(stage1_fd, app, parent);
        return 0;
}

/**
 * console_start() - give the pod a console that is our standard output and error
 * @stage1_fd: the stage1 root, which this process alone writes to
 * @e:         sentence on failure; may be NULL
 *
 * To be called right before this process becomes systemd-nspawn: two descriptors stay open over exec on purpose.
 *
 * Return: 0; errors of mkfifo() and open(), what own_cgroup_fork() returns.
 */
int console_start(int stage1_fd, Error *e) {
        Stream streams[N_STREAMS] = {
                { &CONSOLE_STDOUT[1], -EBADF, -EBADF, STDOUT_FILENO },
                { &CONSOLE_STDERR[1], -EBADF, -EBADF, STDERR_FILENO },
        };
        pid_t parent = getpid(), rkt = getppid(), pid;
        int r;

        for (size_t i = 0; i < N_STREAMS; i++) {
                r = open_stream(&streams[i], stage1_fd, e);
                if (r < 0)
                        return r;
        }
        r = own_cgroup_fork(&pid, e);
        if (r < 0)
                return error_prefixf(e, r, "cannot start the pod's console");
        if (pid == 0)
                relay(streams, parent, rkt);
        for (size_t i = 0; i < N_STREAMS; i++)
                (void) fd_close(streams[i].from);
        return r;
}
