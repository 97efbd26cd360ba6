/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting for a pod. A running pod is one whose directory is locked, so its end is waited for by asking for the lock: the kernel
 * wakes us. What a pod that does not run yet waits for is a rename, which inotify reports; when the user has no instance of that
 * left (there are 128, and every systemd takes some), we look from time to time. */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "basic/clock.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "verbs/pod-info.h"
#include "verbs/pod-wait.h"

#define READY_LINK     "stage1/rootfs/rkt/supervisor-status"
#define READY_DIR      "stage1/rootfs/rkt"
#define RECHECK_MS     250   /* readiness: the directory itself may not be there yet, or the pod may die */
#define ALARM_AGAIN_US 20000 /* an alarm that comes between the check and flock() is repeated */

/* Microseconds of the monotonic clock until which to wait; INT64_MAX: for ever. */
static int64_t deadline(int64_t usec) {
        return usec < 0 ? INT64_MAX : (int64_t) clock_usec(CLOCK_MONOTONIC) + usec;
}

/* Microseconds left; 0 when over. */
static int64_t left(int64_t until) {
        return until == INT64_MAX ? INT64_MAX : MAX(until - deadline(0), 0);
}

static void on_alarm(int sig) {
}

/* Waits until nobody holds the pod's lock. */
static int wait_unlocked(Pod *p, int64_t until) {
        _cleanup_close_ int fd = openat(pod_fd(p), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct sigaction sa = { .sa_handler = on_alarm }; /* no SA_RESTART: flock() returns */
        struct itimerval timer = { .it_interval = { .tv_usec = ALARM_AGAIN_US } };
        int64_t usec = left(until);
        int r;

        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        if (usec == 0)
                return RET_NERRNO(flock(fd, LOCK_SH | LOCK_NB));
        if (usec != INT64_MAX) {
                timer.it_value = (struct timeval){ .tv_sec = usec / 1000000, .tv_usec = usec % 1000000 };
                (void) sigaction(SIGALRM, &sa, NULL);
                (void) setitimer(ITIMER_REAL, &timer, NULL);
        }
        r = RET_NERRNO(flock(fd, LOCK_SH));
        (void) setitimer(ITIMER_REAL, &(struct itimerval){}, NULL);
        return r == -EINTR ? -ETIMEDOUT : r;
}

/* Waits for something to happen in a directory; without inotify, a moment. */
static int wait_event(int inotify, int64_t usec) {
        struct pollfd pfd = { .fd = inotify, .events = POLLIN };
        char buffer[4096];
        int r;

        if (inotify < 0)
                usec = MIN(usec, RECHECK_MS * INT64_C(1000));
        r = poll(&pfd, 1, usec >= INT64_C(1000) * INT_MAX ? -1 : (int) (usec / 1000 + 1));

        if (r < 0)
                return errno == EINTR ? 0 : -errno;
        if (r > 0 && read(inotify, buffer, sizeof(buffer)) < 0 && errno != EAGAIN)
                return -errno;
        return r;
}

/* Waits until a prepared pod is moved elsewhere. */
static int wait_moved(Pod *p, const char *data_dir, int64_t until) {
        _cleanup_close_ int inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        _cleanup_free_ char *path = strf("%s/pods/%s", data_dir, pod_directory_to_string(pod_directory(p)));
        PodDirectory was = pod_directory(p);
        int r;

        if (!path)
                return -ENOMEM;
        if (inotify >= 0 && inotify_add_watch(inotify, path, IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR) < 0)
                inotify = fd_close(inotify);
        for (;;) {
                r = pod_refresh(p);
                if (r < 0 || pod_directory(p) != was)
                        return r;
                if (left(until) == 0)
                        return -ETIMEDOUT;
                r = wait_event(inotify, left(until));
                if (r < 0)
                        return r;
        }
}

/**
 * pod_wait_over() - wait until a pod has finished
 * @p:        pod; its state is that of the end
 * @data_dir: --dir
 * @usec:     how long; 0: only look; negative: for ever
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0; -ETIMEDOUT; errors of the kernel.
 */
int pod_wait_over(Pod *p, const char *data_dir, int64_t usec, Error *e) {
        int64_t until = deadline(usec);
        int r = pod_refresh(p);

        while (r >= 0 && !pod_is_over(pod_state(p))) {
                r = pod_state(p) == POD_PREPARED ? wait_moved(p, data_dir, until) : wait_unlocked(p, until);
                if (r >= 0)
                        r = pod_refresh(p);
                if (r >= 0 && pod_state(p) == POD_EMBRYO && left(until) == 0)
                        r = -ETIMEDOUT;
        }
        if (r == -ETIMEDOUT || r == -EWOULDBLOCK)
                return error_setf(e, -ETIMEDOUT, "error waiting for pod to finish: time is up");
        return r < 0 ? error_setf(e, r, "error waiting for pod to finish: %s", strerror(-r)) : 0;
}

/* The mark alone may be that of the last run, for the moment in which "rkt start" has the pod's lock already. */
static bool is_ready(Pod *p) {
        char target[16];
        pid_t pid;
        ssize_t n = readlinkat(pod_fd(p), READY_LINK, target, sizeof(target));

        return n == (ssize_t) strlen("ready") && memcmp(target, "ready", (size_t) n) == 0 &&
               pod_get_pid(p, &pid) >= 0;
}

/**
 * pod_wait_ready() - wait until a pod's apps are ready
 * @p:    pod
 * @usec: how long; 0: only look; negative: for ever
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0; -ETIMEDOUT; -ESRCH if the pod ended before (rkt waits for ever then); errors of the kernel.
 */
int pod_wait_ready(Pod *p, int64_t usec, Error *e) {
        _cleanup_close_ int inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        int64_t until = deadline(usec);

        for (;;) {
                _cleanup_free_ char *dir = NULL;
                int r = pod_refresh(p);

                if (r < 0)
                        return error_setf(e, r, "error waiting for pod readiness: %s", strerror(-r));
                if (is_ready(p) && pod_state(p) == POD_RUNNING)
                        return 0;
                if (pod_is_over(pod_state(p)))
                        return error_setf(e, -ESRCH, "error waiting for pod readiness: the pod is %s",
                                          pod_state_to_string(pod_state(p)));
                if (left(until) == 0)
                        return error_setf(e, -ETIMEDOUT, "error waiting for pod readiness: time is up");
                if (pod_path(p, READY_DIR, &dir) < 0)
                        return error_oom(e);
                (void) inotify_add_watch(inotify, dir, IN_CREATE | IN_MOVED_TO);
                r = wait_event(inotify, MIN(left(until), RECHECK_MS * 1000));
                if (r < 0)
                        return error_setf(e, r, "error waiting for pod readiness: %s", strerror(-r));
        }
}
