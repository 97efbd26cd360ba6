/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pod/pod-stop.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "basic/fd.h"
#include "pod/pod-internal.h"

#define MARK   "stop"
#define INSIDE "stage1/rootfs/rkt"

static int leave_mark(int dir_fd) {
        _cleanup_close_ int fd =
                openat(dir_fd, MARK, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);

        return fd < 0 && errno != EEXIST ? -errno : 0;
}

/**
 * pod_stop_ask() - leave the marks of a pod that is to stop
 * @dir: path of its directory
 *
 * The one inside only if that far has come what is prepared there: then the other one is seen in time.
 *
 * Return: 0; -ENOENT: there is no such pod; other errors of the file system.
 */
int pod_stop_ask(const char *dir) {
        _cleanup_close_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), inside = -EBADF;
        int r = fd < 0 ? -errno : leave_mark(fd);

        if (r < 0)
                return r;
        inside = pod_open_beneath(fd, INSIDE, O_PATH | O_DIRECTORY);
        if (inside < 0)
                return inside == -ENOENT ? 0 : inside;
        return leave_mark(inside);
}

/**
 * pod_stop_is_asked() - is a pod to stop?
 * @dir: path of its directory
 *
 * Return: whether pod_stop_ask() was called.
 */
bool pod_stop_is_asked(const char *dir) {
        _cleanup_close_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

        return fd >= 0 && faccessat(fd, MARK, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/**
 * pod_stop_watch() - be told when somebody asks
 * @dir: path of the pod's directory
 *
 * What is readable then says nothing: ask pod_stop_is_asked(). Who asked before is not told of.
 *
 * Return: a descriptor that becomes readable, and does not block; errors of inotify.
 */
int pod_stop_watch(const char *dir) {
        _cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

        if (fd < 0 || inotify_add_watch(fd, dir, IN_CREATE | IN_ONLYDIR) < 0)
                return -errno;
        return TAKE_FD(fd);
}
