/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A mount cannot be moved from one mount namespace into another, but a clone that is mounted nowhere (open_tree) may be mounted
 * in any. So a child clones trees here, enters the pod's namespace, and puts them in their places.
 *
 * With private users it clones them in a mount namespace that belongs to the pod's user namespace: there the kernel locks what
 * they are (read-only, nosuid, nodev, noexec), and what lies beneath them, as it does for all that the pod was started with.
 * A clone of our own namespace the pod's root could make writable. */
#include "run/pod-mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/mount-fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "run/pod-namespace.h"

typedef struct Mounts {
        char *const *paths; /* in the pod, absolute */
        int *trees;         /* the child's, one for each; NULL: they are to go */
        int root_fd;        /* has them here */
        bool own_users;     /* of the pod */
} Mounts;

static int unmount_all(char *const *paths) {
        for (; paths && *paths; paths++)
                while (umount2(*paths, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
                        ;
        return 0;
}

static int open_place(const char *path) {
        return open_resolved(AT_FDCWD, path, O_PATH, 0, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

static int mount_all(const Mounts *m) {
        for (size_t i = 0; m->paths[i]; i++) {
                _cleanup_close_ int place = open_place(m->paths[i]);
                int r = place < 0 ? place : mount_move(m->trees[i], place);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int clone_tree(int root_fd, const char *path) {
        static const struct mount_attr as_it_is = {};
        _cleanup_close_ int fd = root_open(root_fd, path, O_PATH);
        int tree, r = fd < 0 ? fd : mount_clone_tree(fd, &as_it_is, true, &tree);

        return r < 0 ? r : tree;
}

/* The root is where we are: so it is found in a copy of the mount namespace, too. */
static int clone_all(const Mounts *m, int pidfd) {
        _cleanup_close_ int root = -EBADF;

        if (fchdir(m->root_fd) < 0)
                return -errno;
        if (m->own_users && (setns(pidfd, CLONE_NEWUSER) < 0 || unshare(CLONE_NEWNS) < 0))
                return -errno;
        root = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root < 0)
                return -errno;
        for (size_t i = 0; m->paths[i]; i++) {
                m->trees[i] = clone_tree(root, m->paths[i]);
                if (m->trees[i] < 0)
                        return m->trees[i];
        }
        return 0;
}

/* In a child, which tells its errno by its exit status. */
static int in_pod(pid_t leader, const Mounts *m) {
        _cleanup_close_ int pidfd = (int) syscall(SYS_pidfd_open, leader, 0);
        int status, r;
        pid_t pid;

        if (pidfd < 0)
                return -errno;
        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0) {
                r = m->trees ? clone_all(m, pidfd) : 0;
                if (r >= 0)
                        r = RET_NERRNO(setns(pidfd, CLONE_NEWNS));
                if (r >= 0)
                        r = m->trees ? mount_all(m) : unmount_all(m->paths);
                _exit(-r > 255 ? 255 : -r);
        }
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

/**
 * pod_mount_copy() - mount in a running pod what is mounted here
 * @leader:  the pod's PID 1, as the host numbers it; the caller holds what keeps it the pod's
 * @root_fd: root of the stage1 root, in this process's own mount namespace
 * @paths:   absolute; of mounts in @root_fd with all that is mounted on them, and of their places in the pod
 * @e:       sentence on failure; may be NULL
 *
 * On failure some of them may be mounted: pod_mount_remove() them. This process has one thread and is root.
 *
 * Return: 0, -E2BIG, -ESRCH (the pod has ended), -ELOOP (a link in the pod), other errno of setns() and move_mount().
 */
int pod_mount_copy(pid_t leader, int root_fd, char *const *paths, Error *e) {
        int trees[POD_MOUNTS_MAX], r;
        const Mounts m = { .paths = paths,
                           .trees = trees,
                           .root_fd = root_fd,
                           .own_users = pod_namespace_has_own_users(leader) };

        if (strv_length(paths) > POD_MOUNTS_MAX)
                return error_setf(e, -E2BIG, "more than %u mounts", POD_MOUNTS_MAX);
        r = in_pod(leader, &m);
        return r < 0 ? error_setf(e, r, "cannot mount the app's root in the pod: %s", strerror(-r)) : 0;
}

/**
 * pod_mount_remove() - unmount in a running pod
 * @leader: the pod's PID 1, as the host numbers it; the caller holds what keeps it the pod's
 * @paths:  absolute, in the pod; with all that is mounted on them. What is not mounted is no error
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0, -ESRCH (the pod has ended), other errno of setns().
 */
int pod_mount_remove(pid_t leader, char *const *paths, Error *e) {
        const Mounts m = { .paths = paths };
        int r = in_pod(leader, &m);

        return r < 0 ? error_setf(e, r, "cannot unmount in the pod: %s", strerror(-r)) : 0;
}
