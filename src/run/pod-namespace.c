/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who connects to a socket of a pod, or makes a terminal there, must be the pod's root and a process of the pod: what the
 * kernel notes of who calls connect() is what the pod's systemd sees, and it refuses who has no number there. So a child of
 * ours enters the pod's namespaces; its child, which a PID namespace takes in, opens, and passes the descriptor back.
 *
 * For that moment the pod can see that process, and with CAP_SYS_PTRACE have it. So it has nothing: no capabilities, no
 * descriptors but its end of a socket, no namespace but the pod's; and it does not outlive the call. */
#include "run/pod-namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/process.h"
#include "basic/sandbox.h"
#include "basic/str.h"

#define ANSWER_MAX_MSEC 10000
#define SOCKET_FD       3 /* in the child */
#define PIDFD_FD        4
#define MESSAGES_MAX    8

/**
 * pod_namespace_has_own_users() - does a pod run with private users?
 * @leader: the pod's PID 1, as the host numbers it
 *
 * Return: false, also if it has ended.
 */
bool pod_namespace_has_own_users(pid_t leader) {
        _cleanup_free_ char *path = strf("/proc/%d/ns/user", (int) leader);
        struct stat ours, theirs;

        return path && stat("/proc/self/ns/user", &ours) == 0 && stat(path, &theirs) == 0 &&
               (ours.st_dev != theirs.st_dev || ours.st_ino != theirs.st_ino);
}

/* What the socket carries. */
typedef struct Message {
        bool is_pid; /* of the process in the pod, from its parent; else the answer, with a descriptor if it is not negative */
        int value;
} Message;

static int send_message(bool is_pid, int value) {
        char control[CMSG_SPACE(sizeof(int))] = {};
        Message message = { .is_pid = is_pid, .value = value };
        struct iovec iov = { .iov_base = &message, .iov_len = sizeof(message) };
        struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

        if (!is_pid && value >= 0) {
                struct cmsghdr *c;

                m.msg_control = control;
                m.msg_controllen = sizeof(control);
                c = CMSG_FIRSTHDR(&m);
                c->cmsg_level = SOL_SOCKET;
                c->cmsg_type = SCM_RIGHTS;
                c->cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(c), &value, sizeof(value));
        }
        return sendmsg(SOCKET_FD, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int enter(bool own_users) {
        const SandboxSpec nothing = { .all_paths = true, .file_size_max = UINT64_MAX };

        if (setns(PIDFD_FD, CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
                                    CLONE_NEWCGROUP | (own_users ? CLONE_NEWUSER : 0)) < 0)
                return -errno;
        if (own_users && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
                return -errno;
        return sandbox_enter(&nothing, NULL);
}

/* The caller's child, too, so that it can be waited for. */
static _noreturn_ void child(int socket, int pidfd, bool own_users, PodNamespaceFunc opener, void *userdata) {
        int copy = fcntl(socket, F_DUPFD_CLOEXEC, PIDFD_FD + 1),
            leader = fcntl(pidfd, F_DUPFD_CLOEXEC, PIDFD_FD + 1);
        long pid;
        int r;

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (copy < 0 || leader < 0 || dup3(copy, SOCKET_FD, O_CLOEXEC) < 0 ||
            dup3(leader, PIDFD_FD, O_CLOEXEC) < 0)
                _exit(EXIT_FAILURE);
        (void) close_range(PIDFD_FD + 1, ~0U, 0);
        r = prctl(PR_SET_DUMPABLE, 0) < 0 ? -errno : enter(own_users);
        if (r < 0)
                _exit(send_message(false, r) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
        (void) close(PIDFD_FD);
        pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
        if (pid != 0)
                _exit(send_message(pid > 0, pid > 0 ? (int) pid : -errno) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        r = opener(userdata);
        _exit(send_message(false, r) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* @ret_sender: as the kernel says, in our numbers. */
static int receive_message(int socket, Message *ret, pid_t *ret_sender, int *ret_fd) {
        struct pollfd p = { .fd = socket, .events = POLLIN };
        char control[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))] = {};
        struct iovec iov = { .iov_base = ret, .iov_len = sizeof(*ret) };
        struct msghdr m = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
        };
        int r;

        do
                r = poll(&p, 1, ANSWER_MAX_MSEC);
        while (r < 0 && errno == EINTR);
        if (r <= 0)
                return r < 0 ? -errno : -ETIMEDOUT;
        if (recvmsg(socket, &m, MSG_CMSG_CLOEXEC) != (ssize_t) sizeof(*ret))
                return -EIO;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
                struct ucred sender;

                if (c->cmsg_type == SCM_CREDENTIALS && c->cmsg_len == CMSG_LEN(sizeof(sender))) {
                        memcpy(&sender, CMSG_DATA(c), sizeof(sender));
                        *ret_sender = sender.pid;
                } else if (c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int))) {
                        (void) fd_close(*ret_fd);
                        memcpy(ret_fd, CMSG_DATA(c), sizeof(*ret_fd));
                }
        }
        return 0;
}

/* Two messages in any order, or one that says why not. The process in the pod may be somebody else's by now: who it is counts
 * once, and only as @outer says it, which the pod does not see. */
static int receive_answer(int socket, pid_t outer, pid_t *ret_pid, int *ret_fd) {
        _cleanup_close_ int fd = -EBADF;
        bool has_answer = false;

        for (unsigned n = 0; !has_answer || *ret_pid == 0; n++) {
                Message m = {};
                pid_t sender = 0;
                int r = n < MESSAGES_MAX ? receive_message(socket, &m, &sender, &fd) : -EPROTO;

                if (r < 0)
                        return r;
                if (m.is_pid && (sender != outer || *ret_pid != 0))
                        continue;
                if (m.is_pid)
                        *ret_pid = m.value;
                else if (m.value < 0)
                        return m.value;
                else
                        has_answer = true;
        }
        if (fd < 0)
                return -EIO;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static void end_child(pid_t pid) {
        siginfo_t info;

        if (pid <= 0 || waitid(P_PID, (id_t) pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
                return; /* no child of ours */
        (void) kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
}

static int ask_child(pid_t leader, int pidfd, PodNamespaceFunc opener, void *userdata, int *ret_fd) {
        bool own_users = pod_namespace_has_own_users(leader);
        const int on = 1;
        int pair[2], r;
        pid_t pid, inner = 0;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        r = RET_NERRNO(setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
        pid = r < 0 ? -1 : fork();
        if (pid == 0)
                child(pair[1], pidfd, own_users, opener, userdata);
        if (r >= 0 && pid < 0)
                r = -errno;
        (void) fd_close(pair[1]);
        if (r >= 0) {
                r = receive_answer(pair[0], pid, &inner, ret_fd);
                end_child(pid);
                end_child(inner);
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
        if (!process_is_init(leader))
                return error_setf(e, -ESRCH, "process %d is no pod's init: the pod has ended", (int) leader);
        r = ask_child(leader, pidfd, opener, userdata, ret_fd);
        return r < 0 ? error_setf(e, r, "cannot enter the pod: %s", strerror(-r)) : 0;
}
