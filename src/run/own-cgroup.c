/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* systemd-nspawn makes "supervisor" for itself and "payload" for the pod beneath the cgroup of its unit. On cgroup v2 a cgroup
 * whose children have controllers may hold no process itself: if one of ours stayed there, the pod would run without limits. So
 * they go to "rkt" beside the two. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "run/own-cgroup.h"

#define CGROUP_FILE_MAX 65536
#define OWN             "/rkt"

/**
 * own_cgroup_path() - the cgroup of our unit, in the hierarchy of systemd's
 * @ret: absolute path in the file system; free() it
 *
 * The same before and after own_cgroup_set_aside().
 *
 * Return: 0; -ENOENT: no such hierarchy is mounted; errors of reading; -ENOMEM.
 */
int own_cgroup_path(char **ret) {
        static const char *const mounts[] = { "/sys/fs/cgroup/unified", "/sys/fs/cgroup" };
        _cleanup_free_ char *text = NULL;
        const char *last;
        char *own;
        size_t size;
        int r = file_read_at(AT_FDCWD, "/proc/self/cgroup", CGROUP_FILE_MAX, &text, &size);

        if (r < 0)
                return r;
        own = strstr(text, "0::/");
        if (!own || (own != text && own[-1] != '\n'))
                return -ENOENT;
        own += strlen("0::");
        own[strcspn(own, "\n")] = '\0';
        last = strrchr(own, '/');
        if (streq(last, OWN))
                own[last - own] = '\0';
        FOREACH_ARRAY (m, mounts, ELEMENTSOF(mounts)) {
                _cleanup_free_ char *procs = strf("%s%s/cgroup.procs", *m, own);

                if (!procs)
                        return -ENOMEM;
                if (access(procs, F_OK) < 0)
                        continue;
                *ret = strf("%s%s", *m, own);
                return *ret ? 0 : -ENOMEM;
        }
        return -ENOENT;
}

/* The cgroup that stands beside the pod's, made. -ENOENT: ours is in no hierarchy of systemd's. */
static int open_aside(int *ret, Error *e) {
        _cleanup_free_ char *unit = NULL, *dir = NULL;
        int fd, r = own_cgroup_path(&unit);

        if (r < 0)
                return r == -ENOENT ? r : error_setf(e, r, "cannot find our cgroup: %s", strerror(-r));
        dir = strf("%s" OWN, unit);
        if (!dir)
                return error_oom(e);
        if (mkdir(dir, 0755) < 0 && errno != EEXIST)
                return error_setf(e, -EIO, "cannot make the cgroup %s: %s", dir, strerror(errno));
        fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return error_setf(e, -EIO, "cannot open the cgroup %s: %s", dir, strerror(errno));
        *ret = fd;
        return 0;
}

/**
 * own_cgroup_set_aside() - put processes of ours where they are not in the pod's way
 * @pids: processes in our cgroup
 * @n:    how many
 * @e:    sentence on failure; may be NULL
 *
 * The kernel takes its time: it waits until no process forks. A child is better made there (own_cgroup_fork()).
 *
 * Return: 0, also where there is no such cgroup; errors of the kernel.
 */
int own_cgroup_set_aside(const pid_t *pids, size_t n, Error *e) {
        _cleanup_close_ int fd = -EBADF;
        int r = open_aside(&fd, e);

        if (r < 0)
                return r == -ENOENT ? 0 : r;
        for (size_t i = 0; i < n && r >= 0; i++) {
                _cleanup_free_ char *pid = strf("%d", (int) pids[i]);
                _cleanup_close_ int procs = openat(fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);

                r = !pid ? -ENOMEM : procs < 0 ? -errno : fd_write_all(procs, pid, strlen(pid));
        }
        return r < 0 ? error_setf(e, r, "cannot move into the cgroup " OWN " of our unit: %s", strerror(-r))
                     : 0;
}

/**
 * own_cgroup_fork() - a child of ours where it is not in the pod's way
 * @ret: its pid; 0 in the child
 * @e:   sentence on failure; may be NULL
 *
 * As fork() does it; by a process of one thread.
 *
 * Return: 0; errors of fork() and of own_cgroup_set_aside().
 */
int own_cgroup_fork(pid_t *ret, Error *e) {
        _cleanup_close_ int fd = -EBADF;
        int r = open_aside(&fd, e);
        struct clone_args args = {
                .flags = CLONE_INTO_CGROUP,
                .exit_signal = SIGCHLD,
                .cgroup = (uint64_t) fd,
        };
        pid_t pid = -1;

        if (r < 0 && r != -ENOENT)
                return r;
        if (r >= 0)
                pid = (pid_t) syscall(SYS_clone3, &args, sizeof(args));
        if (pid < 0) {
                pid = fork();
                if (pid > 0 && r >= 0)
                        r = own_cgroup_set_aside(&pid, 1, e);
                else
                        r = pid < 0 ? error_setf(e, -errno, "cannot fork: %s", strerror(errno)) : 0;
        }
        *ret = pid;
        return r < 0 ? r : 0;
}

/**
 * own_cgroup_kill_payload() - kill what is left of a pod whose systemd-nspawn has ended
 *
 * Nothing but the pod is in that cgroup. It is none of ours if there is none.
 */
void own_cgroup_kill_payload(void) {
        _cleanup_free_ char *own = NULL, *path = NULL;
        _cleanup_close_ int fd = -EBADF;

        if (own_cgroup_path(&own) < 0)
                return;
        path = strf("%s/payload/cgroup.kill", own);
        fd = path ? open(path, O_WRONLY | O_CLOEXEC) : -EBADF;
        if (fd >= 0)
                (void) fd_write_all(fd, "1", 1);
}
