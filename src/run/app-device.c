/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A node is bound as it is on the host. Its owner is nobody in a pod with private users, and devtmpfs cannot be mapped: there
 * it becomes a node of the same device with the same permissions, whose owner and group have the same numbers in the pod. */
#include "run/app-device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/mount-fd.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "pod/pod-compose.h"

#define NODES "rkt/devices" /* in stage1 */
#define NODE  "node"

/* The kernel takes no device from a file system that is mounted nowhere. */
static int open_nodes(const AppPlace *p, int *ret_fd, Error *e) {
        static const MountOption options[] = { { "size", "4096" }, { "nr_inodes", "4" }, { "mode", "0755" } };
        _cleanup_free_ char *place = strf(NODES "/%s-%zu", p->app->name, strv_length(p->facts->devices));
        _cleanup_close_ int tree = -EBADF, target = -EBADF;
        int r;

        if (!place)
                return error_oom(e);
        r = mount_fs("tmpfs", options, ELEMENTSOF(options), MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, &tree, e);
        if (r < 0)
                return r;
        r = target = root_mkdirs(p->stage1_fd, place, 0755);
        if (r >= 0)
                r = mount_move(tree, target);
        if (r >= 0) /* what is mounted there is behind its name */
                r = root_open(p->stage1_fd, place, O_RDONLY | O_DIRECTORY);
        if (r < 0)
                return error_setf(e, r, "cannot make %s in the pod: %s", place, strerror(-r));
        *ret_fd = r;
        return 0;
}

static uint32_t outside(const Userns *u, uint32_t id) {
        return u->start + (userns_has(u, id) ? id : 0);
}

static int make_node(const AppPlace *p, const struct stat *st, int *ret_fd, Error *e) {
        _cleanup_close_ int dir = -EBADF;
        int r = open_nodes(p, &dir, e);

        if (r < 0)
                return r;
        r = RET_NERRNO(mknodat(dir, NODE, st->st_mode & (S_IFMT | 0777), st->st_rdev));
        if (r >= 0)
                r = RET_NERRNO(fchownat(dir, NODE, outside(p->users, st->st_uid),
                                        outside(p->users, st->st_gid), AT_SYMLINK_NOFOLLOW));
        if (r >= 0)
                r = RET_NERRNO(fchmodat(dir, NODE, st->st_mode & 0777, 0));
        if (r >= 0)
                r = RET_NERRNO(openat(dir, NODE, O_PATH | O_NOFOLLOW | O_CLOEXEC));
        if (r < 0)
                return error_setf(e, r, "cannot make a node for the device: %s", strerror(-r));
        *ret_fd = r;
        return 0;
}

/**
 * app_device_clone() - a device as a mount
 * @p:         the app
 * @st:        what is known of it: a device
 * @source_fd: its node on the host, O_PATH
 * @ret_fd:    the mount, which has no place yet
 * @e:         sentence on failure; may be NULL
 *
 * Return: 0, errors of the file system.
 */
int app_device_clone(const AppPlace *p, const struct stat *st, int source_fd, int *ret_fd, Error *e) {
        _cleanup_close_ int made = -EBADF;
        int r = 0;

        if (p->users->map_fd >= 0)
                r = make_node(p, st, &made, e);
        if (r < 0)
                return r;
        r = mount_clone(made >= 0 ? made : source_fd, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, ret_fd);
        return r < 0 ? error_setf(e, r, "cannot clone the device's mount: %s", strerror(-r)) : 0;
}

/**
 * app_device_allow() - who mounts a device into an app means it to be used
 * @p:      the app; facts' devices is added to
 * @st:     what is known of the device
 * @access: "r", "rw", "rwm"
 *
 * Return: 0, -ENOMEM.
 */
int app_device_allow(const AppPlace *p, const struct stat *st, const char *access) {
        return strv_extendf(&p->facts->devices, "/dev/%s/%u:%u %s", S_ISCHR(st->st_mode) ? "char" : "block",
                            major(st->st_rdev), minor(st->st_rdev), access);
}

static int mount_node(const AppPlace *p, const char *source, const char *target, const char *access,
                      bool optional, Error *e) {
        _cleanup_close_ int fd = open(source, O_PATH | O_CLOEXEC), tree = -EBADF;
        struct stat st;
        int r;

        if (fd < 0 && optional && (errno == ENOENT || errno == ENXIO || errno == ENODEV))
                return 0;
        if (fd < 0 || fstat(fd, &st) < 0)
                return error_setf(e, -errno, "%s", strerror(errno));
        if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
                return error_setf(e, -ENODEV, "it is not a device");
        r = app_device_clone(p, &st, fd, &tree, e);
        if (r >= 0)
                r = app_place_mount(p, tree, target, false, e);
        if (r < 0)
                return r;
        return app_device_allow(p, &st, access) < 0 ? error_oom(e) : 0;
}

/* "[-]/dev/NAME[:/dev/OTHER][:rwm]" */
static int mount_one(const AppPlace *p, const char *word, Error *e) {
        bool optional = *word == '-';
        _cleanup_strv_free_ char **parts = NULL;
        size_t n;
        int r;

        if (strv_split(word + optional, ":", &parts) < 0)
                return error_oom(e);
        n = strv_length(parts);
        if (n == 0 || n > 3)
                return error_setf(e, -EINVAL, "device '%s': not /dev/NAME[:/dev/TARGET][:rwm]", word);
        r = mount_node(p, parts[0], n > 1 && *parts[1] == '/' ? parts[1] : parts[0],
                       n > 1 && *parts[n - 1] != '/' ? parts[n - 1] : "rw", optional, e);
        return r < 0 ? error_prefixf(e, r, "device '%s'", parts[0]) : 0;
}

/**
 * app_device_mount_all() - the devices of Device=
 * @p: the app
 * @e: sentence on failure; may be NULL
 *
 * Return: 0; -ENOENT: there is none of that name, and it is not optional; -ENODEV: it is something else; errors of mounting.
 */
int app_device_mount_all(const AppPlace *p, Error *e) {
        _cleanup_strv_free_ char **words = NULL;
        int r = strv_split(str_or(pod_app_annotation(p->app, APP_ANNOTATION_DEVICES), ""), " ", &words);

        if (r < 0)
                return error_oom(e);
        STRV_FOREACH (w, words) {
                r = mount_one(p, *w, e);
                if (r < 0)
                        return error_prefixf(e, r, "app '%s'", p->app->name);
        }
        return 0;
}
