/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/start-watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "pod/pod.h"
#include "run/machine.h"
#include "run/manager-bus.h"
#include "run/own-cgroup.h"

#define PLACE           "stage1/rootfs/rkt"
#define MARK            "rkt/starting" /* rkt-bare takes it away when signals are safe with it */
#define LOOK_MSEC       100
#define ANSWER_MAX_USEC UINT64_C(25000000)

/* Whether systemd has sent the unit of a process its signal to stop. */
static bool is_stopping(pid_t pid) {
        _cleanup_free_ char *unit = NULL, *state = NULL;
        _cleanup_bus_ sd_bus *bus = NULL;
        int r = sd_pid_get_unit(pid, &unit);

        if (r >= 0)
                r = manager_bus_open(&bus);
        if (r >= 0)
                r = sd_bus_set_method_call_timeout(bus, ANSWER_MAX_USEC);
        if (r >= 0)
                r = manager_bus_unit_property(bus, unit, "Unit", "ActiveState", &state);
        return r >= 0 && streq(state, "deactivating");
}

/* Signals that come later are kept by the pod's first process. */
static _noreturn_ void watch(int inotify, const char *mark, pid_t nspawn) {
        struct pollfd fds[] = { { .fd = -1, .events = POLLIN }, { .events = POLLIN } };
        pid_t init;
        int n;

        (void) prctl(PR_SET_NAME, "rkt-start-watch");
        if (inotify >= 0) {
                if (dup3(inotify, STDERR_FILENO + 1, O_CLOEXEC) < 0 && inotify != STDERR_FILENO + 1)
                        _exit(EXIT_FAILURE);
                fds[0].fd = STDERR_FILENO + 1;
        }
        (void) close_range((unsigned) (STDERR_FILENO + (inotify >= 0 ? 2 : 1)), ~0U, 0);
        fds[1].fd = (int) syscall(SYS_pidfd_open, nspawn, 0);
        if (fds[1].fd < 0 || getppid() != nspawn)
                _exit(EXIT_FAILURE);
        do
                n = poll(fds, ELEMENTSOF(fds), inotify >= 0 ? -1 : LOOK_MSEC);
        while ((n < 0 && errno == EINTR) || (n == 0 && access(mark, F_OK) >= 0));
        if (fds[1].revents == 0 && is_stopping(nspawn) && pod_find_init(nspawn, &init) >= 0)
                (void) kill(init, SIGNAL_HALT);
        _exit(EXIT_SUCCESS);
}

/**
 * start_watch() - start the process that looks for a stop during the start
 * @dir:       the pod's directory
 * @stage1_fd: its stage1 root
 * @e:         sentence on failure; may be NULL
 *
 * By the process that becomes systemd-nspawn, right before.
 *
 * Return: 0; errors of the file system; what own_cgroup_fork() returns.
 */
int start_watch(const char *dir, int stage1_fd, Error *e) {
        _cleanup_free_ char *place = strf("%s/" PLACE, dir), *path = strf("%s/stage1/rootfs/" MARK, dir);
        _cleanup_close_ int inotify = inotify_init1(IN_CLOEXEC), mark = -EBADF;
        pid_t pid, nspawn = getpid();
        int r;

        if (!place || !path)
                return error_oom(e);
        mark = openat(stage1_fd, MARK, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
        if (mark < 0)
                return error_setf(e, -errno, "cannot make %s: %s", path, strerror(errno));
        if (inotify >= 0 && inotify_add_watch(inotify, place, IN_DELETE | IN_ONLYDIR) < 0)
                inotify = fd_close(
                        inotify); /* the kernel has no more of them: the process looks there itself */
        r = own_cgroup_fork(&pid, e);
        if (r < 0)
                return error_prefixf(e, r, "cannot start a process for the pod's start");
        if (pid == 0)
                watch(inotify, path, nspawn);
        return 0;
}
