/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Child processes by pidfd, without a shell. What a child may do once it runs is its own business (sandbox.c). */
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/process.h"
#include "basic/str.h"

#define STATUS_FILE_MAX 16384U /* of /proc/PID/status */
#define COMM_LEN        15     /* bytes of a name that the kernel keeps */

#define PASSWD_SIZE 16384U /* bytes of one entry */
#define FDS_MAX     1040U  /* rkt-untar gets up to 1024 blobs */

static char *const default_environment[] = {
        (char[]){ "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
        (char[]){ "LANG=C.UTF-8" },
        NULL,
};

/* Moves the descriptors to 0..n-1 without one overwriting another that is still needed, and closes the rest, but for that of
 * the report, which comes next and ends with the program. */
static int arrange_fds(const int *fds, size_t n_fds, int *report) {
        int high[FDS_MAX], high_report = -EBADF;
        unsigned n = (unsigned) n_fds;

        if (n_fds > ELEMENTSOF(high))
                return -E2BIG;
        if (*report >= 0) {
                high_report = fcntl(*report, F_DUPFD_CLOEXEC, (int) (n_fds + 16));
                if (high_report < 0)
                        return -errno;
                *report = high_report;
        }
        for (size_t i = 0; i < n_fds; i++) {
                _cleanup_close_ int null = -EBADF;
                int from = fds[i];

                if (from < 0) {
                        null = open("/dev/null", O_RDWR | O_CLOEXEC);
                        from = null;
                }
                high[i] = fcntl(from, F_DUPFD_CLOEXEC, (int) (n_fds + 16));
                if (high[i] < 0)
                        return -errno;
        }
        for (size_t i = 0; i < n_fds; i++)
                if (dup2(high[i], (int) i) < 0)
                        return -errno;
        if (high_report >= 0) {
                if (dup3(high_report, (int) n, O_CLOEXEC) < 0)
                        return -errno;
                *report = (int) n++;
        }
        return syscall(SYS_close_range, n, ~0U, 0) < 0 ? -errno : 0;
}

static int drop_to(const struct passwd *pw) {
        if (setgroups(0, NULL) < 0 || setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
            setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
                return -errno;
        return 0;
}

/* @report: the parent reads there why the program is not executed; -EBADF: it does not */
static _noreturn_ void child(const ProcessSpec *spec, const struct passwd *pw, pid_t parent, int report) {
        static const int no_fds[] = { -EBADF, -EBADF, STDERR_FILENO };
        sigset_t none;
        int r;

        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        for (int s = 1; s < 32; s++)
                (void) signal(s, SIG_DFL);
        r = arrange_fds(spec->fds ? spec->fds : no_fds, spec->fds ? spec->n_fds : ELEMENTSOF(no_fds),
                        &report);
        if (r >= 0 && pw)
                r = drop_to(pw);
        /* Changing ids clears the parent-death signal, so it is set after that. */
        if (r >= 0 && spec->die_with_parent) {
                (void) prctl(PR_SET_PDEATHSIG, spec->death_signal > 0 ? spec->death_signal : SIGKILL);
                if (getppid() != parent)
                        _exit(EXIT_FAILURE);
        }
        if (r >= 0) {
                (void) execve(spec->path, spec->argv, spec->envp ? spec->envp : default_environment);
                r = -errno;
        }
        if (report < 0 || write(report, &r, sizeof(r)) != sizeof(r))
                (void) dprintf(STDERR_FILENO, "%s: %s\n", spec->path, strerror(-r));
        _exit(127);
}

/**
 * process_become_user() - give up root for good
 * @user: name; its group comes along, no other
 * @dir:  directory that becomes this user's own before; may be NULL
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, -ESRCH (no such user), errno of setuid() and its like.
 */
int process_become_user(const char *user, const char *dir, Error *e) {
        struct passwd storage, *pw = NULL;
        char buffer[PASSWD_SIZE];
        int r = getpwnam_r(user, &storage, buffer, sizeof(buffer), &pw);

        if (r != 0 || !pw)
                return error_setf(e, r != 0 ? -r : -ESRCH,
                                  "user '%s' does not exist (systemd-sysusers makes it)", user);
        if (dir && lchown(dir, pw->pw_uid, pw->pw_gid) < 0)
                return error_setf(e, -errno, "cannot give %s to user '%s': %m", dir, user);
        r = drop_to(pw);
        return r < 0 ? error_setf(e, r, "cannot become user '%s': %s", user, strerror(-r)) : 0;
}

/* The pipe ends when the program takes the child's place. */
static int wait_executed(int fd, const char *path, Error *e) {
        ssize_t n;
        int r = 0;

        do
                n = read(fd, &r, sizeof(r));
        while (n < 0 && errno == EINTR);
        return n != sizeof(r) ? 0 : error_setf(e, r, "cannot execute %s: %s", path, strerror(-r));
}

/**
 * process_spawn() - start a program
 * @spec: see there; @spec->user must exist when the caller is root
 * @ret:  for process_wait() and process_done()
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, -ESRCH (no such user), -EAGAIN, -ENOMEM. A program that cannot be executed exits with 127, unless it must be: then
 * it is errno of execve().
 */
int process_spawn(const ProcessSpec *spec, Process *ret, Error *e) {
        _cleanup_free_ char *buffer = NULL;
        struct passwd entry, *pw = NULL;
        _cleanup_close_ int report = -EBADF, child_report = -EBADF;
        pid_t parent = getpid(), pid;
        int fd, r;

        if (spec->user && geteuid() == 0) {
                /* Threads start programs as different users at the same time. */
                buffer = malloc(PASSWD_SIZE);
                if (!buffer)
                        return error_oom(e);
                (void) getpwnam_r(spec->user, &entry, buffer, PASSWD_SIZE, &pw);
                if (!pw)
                        return error_setf(e, -ESRCH, "user '%s' does not exist; run systemd-sysusers",
                                          spec->user);
        }
        if (spec->must_execute) {
                int fds[2];

                if (pipe2(fds, O_CLOEXEC) < 0)
                        return error_setf(e, -errno, "cannot make a pipe: %m");
                report = fds[0];
                child_report = fds[1];
        }
        pid = fork();
        if (pid < 0)
                return error_setf(e, -errno, "cannot fork: %m");
        if (pid == 0)
                child(spec, pw, parent, child_report);
        (void) fd_close(TAKE_FD(child_report));
        fd = (int) syscall(SYS_pidfd_open, pid, 0);
        r = fd < 0               ? error_setf(e, -errno, "pidfd_open: %m")
            : spec->must_execute ? wait_executed(report, spec->path, e)
                                 : 0;
        if (r < 0) {
                (void) fd_close(fd);
                (void) kill(pid, SIGKILL);
                (void) waitpid(pid, NULL, 0);
                return r;
        }
        *ret = (Process){ .pid = pid, .pidfd = fd };
        return 0;
}

/**
 * process_wait() - wait for the end
 * @p:          is PROCESS_INIT afterwards
 * @ret_status: exit code, or 128 + signal; may be NULL, then a failure is an error
 * @e:          sentence on failure; may be NULL
 *
 * Return: 0, -EPROTO (only with @ret_status NULL: did not exit with 0), negative errno of waitid().
 */
int process_wait(Process *p, int *ret_status, Error *e) {
        siginfo_t si = {};
        int status;

        while (waitid(P_PIDFD, (id_t) p->pidfd, &si, WEXITED) < 0)
                if (errno != EINTR)
                        return error_setf(e, -errno, "waitid: %m");
        p->pidfd = fd_close(p->pidfd);
        p->pid = 0;
        status = si.si_code == CLD_EXITED ? si.si_status : 128 + si.si_status;
        if (ret_status)
                *ret_status = status;
        else if (status != 0)
                return error_setf(e, -EPROTO, "exited with status %d", status);
        return 0;
}

/**
 * process_reap() - wait for the end of a child that has nothing left to do
 * @p:          is PROCESS_INIT afterwards
 * @ret_status: as process_wait()
 * @e:          sentence on failure; may be NULL
 *
 * For workers that have closed what they write to, and could be in other hands: one that does not end soon is killed.
 *
 * Return: as process_wait().
 */
int process_reap(Process *p, int *ret_status, Error *e) {
        struct pollfd poll_end = { .fd = p->pidfd, .events = POLLIN };

        while (poll(&poll_end, 1, PROCESS_REAP_MSEC) < 0 && errno == EINTR)
                ;
        if (!poll_end.revents)
                (void) syscall(SYS_pidfd_send_signal, p->pidfd, SIGKILL, NULL, 0);
        return process_wait(p, ret_status, e);
}

/**
 * process_done() - kill and reap a child that is still there
 * @p: is PROCESS_INIT afterwards
 */
void process_done(Process *p) {
        if (p->pidfd < 0)
                return;
        (void) syscall(SYS_pidfd_send_signal, p->pidfd, SIGKILL, NULL, 0);
        (void) process_wait(p, &(int){ 0 }, NULL);
}

/**
 * process_is_init() - is a process PID 1 of a PID namespace below ours?
 * @pid: its number here
 *
 * A number that was read some time ago may be another process's by now: ask after its pidfd was opened.
 *
 * Return: false also if it has gone.
 */
bool process_is_init(pid_t pid) {
        _cleanup_free_ char *path = strf("/proc/%d/status", (int) pid), *text = NULL;
        const char *ids;
        size_t size, n;

        if (!path || file_read_at(AT_FDCWD, path, STATUS_FILE_MAX, &text, &size) < 0)
                return false;
        ids = strstr(text, "\nNSpid:\t");
        if (!ids)
                return false;
        ids += strlen("\nNSpid:\t");
        n = strcspn(ids, "\n");
        return n > 2 && ids[n - 1] == '1' && ids[n - 2] == '\t';
}

/**
 * process_has_name() - is that what a process is called?
 * @pid:  its number here
 * @name: of the program, or what it gave itself; at most 15 bytes count
 *
 * Return: false also if it has gone.
 */
bool process_has_name(pid_t pid, const char *name) {
        _cleanup_free_ char *path = strf("/proc/%d/comm", (int) pid), *text = NULL;
        size_t size;

        return path && file_read_at(AT_FDCWD, path, STATUS_FILE_MAX, &text, &size) >= 0 &&
               strncmp(str_strip(text), name, COMM_LEN) == 0;
}
