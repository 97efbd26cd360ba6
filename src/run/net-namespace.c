/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A namespace is kept by a mount on a file below /run/netns, so that plugins can be told where it is, and so that it outlives
 * a pod that was killed: what plugins have to undo needs it (ecosystem 3.3). */
#include "run/net-namespace.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "run/net-state.h"

/**
 * net_sysctl_write() - a kernel setting of this thread's network
 * @name:  below /proc/sys/net, "ipv4/ip_forward"
 * @value: text
 *
 * Return: 0, -ENOENT, other errno.
 */
int net_sysctl_write(const char *name, const char *value) {
        _cleanup_free_ char *path = strf("/proc/sys/net/%s", name);
        _cleanup_close_ int fd = -EBADF;

        if (!path)
                return -ENOMEM;
        fd = open(path, O_WRONLY | O_CLOEXEC);
        return fd < 0 ? -errno : fd_write_all(fd, value, strlen(value));
}

/* Ports below 1024 are nobody's privilege in a network of one's own, nor is ping. Without them a pod with private users,
 * whose root has no rights over the namespace, could not even listen on port 80. */
static int set_defaults(Error *e) {
        int r = net_sysctl_write("ipv4/ip_unprivileged_port_start", "0");

        if (r < 0)
                return error_setf(e, r, "cannot set ip_unprivileged_port_start: %s", strerror(-r));
        (void) net_sysctl_write("ipv4/ping_group_range", "0 2147483647");
        return 0;
}

/**
 * net_namespace_prepare() - make the place for names
 * @e: sentence on failure; may be NULL
 *
 * As ip-netns(8) does it: a mount of its own that is shared, so that a name comes and goes in every mount namespace. Call it in
 * that of the host.
 *
 * Return: 0, errno of mkdir() and mount().
 */
int net_namespace_prepare(Error *e) {
        if (mkdir(NET_NAMESPACES, 0755) < 0 && errno != EEXIST)
                return error_setf(e, -errno, "cannot make %s: %m", NET_NAMESPACES);
        if (mount(NULL, NET_NAMESPACES, NULL, MS_SHARED | MS_REC, NULL) >= 0)
                return 0;
        if (errno != EINVAL || mount(NET_NAMESPACES, NET_NAMESPACES, NULL, MS_BIND | MS_REC, NULL) < 0 ||
            mount(NULL, NET_NAMESPACES, NULL, MS_SHARED | MS_REC, NULL) < 0)
                return error_setf(e, -errno, "cannot mount %s: %m", NET_NAMESPACES);
        return 0;
}

static int keep(const char *path, Error *e) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);

        if (fd < 0)
                return error_setf(e, -errno, "cannot make %s: %m", path);
        if (mount("/proc/thread-self/ns/net", path, NULL, MS_BIND, NULL) < 0) {
                int r = -errno;

                (void) unlink(path);
                return error_setf(e, r, "cannot keep the network namespace at %s: %s", path, strerror(-r));
        }
        return 0;
}

/* Inside. */
static int furnish(const char *path, int *ret_fd, NetLink **ret, Error *e) {
        _cleanup_(net_link_closep) NetLink *inside = NULL;
        _cleanup_close_ int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        int r;

        if (fd < 0)
                return error_setf(e, -errno, "cannot open the network namespace: %m");
        r = set_defaults(e);
        if (r >= 0)
                r = net_link_open(&inside, e);
        if (r >= 0)
                r = net_link_up(inside, "lo", e);
        if (r >= 0)
                r = keep(path, e);
        if (r < 0)
                return r;
        *ret_fd = TAKE_FD(fd);
        *ret = TAKE_PTR(inside);
        return 0;
}

/**
 * net_namespace_make() - a new network namespace, with loopback
 * @path:       its name, below NET_NAMESPACES; must not exist
 * @ret_fd:     of the namespace
 * @ret_inside: a conversation about it; for net_link_close()
 * @e:          sentence on failure; may be NULL
 *
 * This thread stays where it is. Call it in a process of one thread.
 *
 * Return: 0, -EEXIST, -EPERM, other errno.
 */
int net_namespace_make(const char *path, int *ret_fd, NetLink **ret_inside, Error *e) {
        _cleanup_close_ int before = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        int r;

        if (before < 0)
                return error_setf(e, -errno, "cannot open the network namespace: %m");
        if (unshare(CLONE_NEWNET) < 0)
                return error_setf(e, -errno, "cannot make a network namespace: %m");
        r = furnish(path, ret_fd, ret_inside, e);
        if (setns(before, CLONE_NEWNET) < 0 && r >= 0)
                r = error_setf(e, -errno, "cannot go back into the host's network: %m");
        return r;
}

/**
 * net_namespace_exists() - is there a namespace at this name?
 * @path: name
 *
 * Return: false also for a file that is left of one.
 */
bool net_namespace_exists(const char *path) {
        struct statfs st;

        return statfs(path, &st) >= 0 && st.f_type == NSFS_MAGIC;
}

/**
 * net_namespace_remove() - forget a name; the namespace ends with the last process in it
 * @path: name; none is fine
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, errno of unlink().
 */
int net_namespace_remove(const char *path, Error *e) {
        while (net_namespace_exists(path))
                if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
                        break;
        if (unlink(path) < 0 && errno != ENOENT)
                return error_setf(e, -errno, "cannot remove %s: %m", path);
        return 0;
}
