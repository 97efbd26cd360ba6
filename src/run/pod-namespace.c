/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who connects to a socket of a pod, or makes a terminal there, must be the pod's root: with private users that is somebody
 * else than ours, and what the kernel notes of us at that moment is what the pod sees. So a child enters the pod's user, PID
 * and mount namespaces, opens, and passes the descriptor back: systemd does not listen to who has no number in its own PID
 * namespace. The child has nothing of ours but its end of the socket, and the pod may not look into it. */
#include "run/pod-namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"

#define ANSWER_MAX_MSEC 10000
#define STATUS_FILE_MAX 16384U
#define SOCKET_FD       3 /* in the child */
#define PIDFD_FD        4

/* Its number was read some time ago, and may be another process's by now: a pod's leader is PID 1 in a namespace. Asked after
 * the pidfd was opened. */
static int check_leader(pid_t leader, Error *e) {
        _cleanup_free_ char *path = strf("/proc/%d/status", (int) leader), *text = NULL;
        const char *ids;
        size_t size, n;
        int r = path ? file_read_at(AT_FDCWD, path, STATUS_FILE_MAX, &text, &size) : -ENOMEM;

        if (r < 0)
                return error_setf(e, r, "cannot look at the pod's init, process %d: %s", (int) leader,
                                  strerror(-r));
        ids = strstr(text, "\nNSpid:\t");
        if (ids) {
                ids += strlen("\nNSpid:\t");
                n = strcspn(ids, "\n");
                if (n > 2 && ids[n - 1] == '1' && ids[n - 2] == '\t')
                        return 0;
        }
        return error_setf(e, -ESRCH, "process %d is no pod's init: the pod has ended", (int) leader);
}

static bool has_own_users(pid_t leader) {
        _cleanup_free_ char *path = strf("/proc/%d/ns/user", (int) leader);
        struct stat ours, theirs;

        return path && stat("/proc/self/ns/user", &ours) == 0 && stat(path, &theirs) == 0 &&
               (ours.st_dev != theirs.st_dev || ours.st_ino != theirs.st_ino);
}

/* The answer is a number, with a descriptor if it is not negative. */
static int send_answer(int answer) {
        char control[CMSG_SPACE(sizeof(int))] = {};
        struct iovec iov = { .iov_base = &answer, .iov_len = sizeof(answer) };
        struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

        if (answer >= 0) {
                struct cmsghdr *c;

                m.msg_control = control;
                m.msg_controllen = sizeof(control);
                c = CMSG_FIRSTHDR(&m);
                c->cmsg_level = SOL_SOCKET;
                c->cmsg_type = SCM_RIGHTS;
                c->cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(c), &answer, sizeof(answer));
        }
        return sendmsg(SOCKET_FD, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int enter(bool own_users) {
        if (setns(PIDFD_FD, CLONE_NEWNS | CLONE_NEWPID | (own_users ? CLONE_NEWUSER : 0)) < 0)
                return -errno;
        if (own_users && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
                return -errno;
        return 0;
}

static _noreturn_ void child(int socket, int pidfd, bool own_users, PodNamespaceFunc opener, void *userdata) {
        int copy = fcntl(socket, F_DUPFD_CLOEXEC, PIDFD_FD + 1),
            leader = fcntl(pidfd, F_DUPFD_CLOEXEC, PIDFD_FD + 1);
        int r;

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (copy < 0 || leader < 0 || dup3(copy, SOCKET_FD, O_CLOEXEC) < 0 ||
            dup3(leader, PIDFD_FD, O_CLOEXEC) < 0)
                _exit(EXIT_FAILURE);
        (void) close_range(PIDFD_FD + 1, ~0U, 0);
        r = prctl(PR_SET_DUMPABLE, 0) < 0 ? -errno : enter(own_users);
        if (r >= 0) {
                pid_t pid = fork(); /* only a child is in the PID namespace */

                if (pid > 0) {
                        (void) waitpid(pid, NULL, 0);
                        _exit(EXIT_SUCCESS);
                }
                r = pid < 0 ? -errno : prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? -errno : opener(userdata);
        }
        _exit(send_answer(r) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

static int receive_answer(int socket, int *ret_fd) {
        struct pollfd p = { .fd = socket, .events = POLLIN };
        char control[CMSG_SPACE(sizeof(int))] = {};
        int answer = 0, r;
        struct iovec iov = { .iov_base = &answer, .iov_len = sizeof(answer) };
        struct msghdr m = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
        };
        struct cmsghdr *c;

        do
                r = poll(&p, 1, ANSWER_MAX_MSEC);
        while (r < 0 && errno == EINTR);
        if (r <= 0)
                return r < 0 ? -errno : -ETIMEDOUT;
        if (recvmsg(socket, &m, MSG_CMSG_CLOEXEC) != (ssize_t) sizeof(answer))
                return -EIO;
        if (answer < 0)
                return answer;
        c = CMSG_FIRSTHDR(&m);
        if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
                return -EIO;
        memcpy(ret_fd, CMSG_DATA(c), sizeof(*ret_fd));
        return 0;
}

static int ask_child(pid_t leader, int pidfd, PodNamespaceFunc opener, void *userdata, int *ret_fd) {
        bool own_users = has_own_users(leader);
        int pair[2], r;
        pid_t pid;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        pid = fork();
        if (pid == 0)
                child(pair[1], pidfd, own_users, opener, userdata);
        r = pid < 0 ? -errno : 0;
        (void) fd_close(pair[1]);
        if (r >= 0) {
                r = receive_answer(pair[0], ret_fd);
                (void) kill(pid, SIGKILL);
                while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        }
        (void) fd_close(pair[0]);
        return r;
}

/**
 * pod_namespace_open() - open something as the root of a running pod, in its mounts
 * @leader:   the pod's PID 1, as the host numbers it (machine_lookup(), pod_get_pid())
 * @opener:    what is to be opened; runs in a child
 * @userdata: of @opener
 * @ret_fd:   what it gave, with O_CLOEXEC, the caller's to close
 * @e:        sentence on failure; may be NULL
 *
 * Works with private users, too. This process has one thread and is root.
 *
 * Return: 0; -ESRCH: the pod has ended; -ETIMEDOUT: no answer for 10 s; -EPERM: not root; what @opener gave.
 */
int pod_namespace_open(pid_t leader, PodNamespaceFunc opener, void *userdata, int *ret_fd, Error *e) {
        _cleanup_close_ int pidfd = (int) syscall(SYS_pidfd_open, leader, 0);
        int r;

        if (pidfd < 0)
                return error_setf(e, -errno, "cannot get hold of the pod's init, process %d: %s",
                                  (int) leader, strerror(errno));
        r = check_leader(leader, e);
        if (r < 0)
                return r;
        r = ask_child(leader, pidfd, opener, userdata, ret_fd);
        return r < 0 ? error_setf(e, r, "cannot enter the pod: %s", strerror(-r)) : 0;
}
