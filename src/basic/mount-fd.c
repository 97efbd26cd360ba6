/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The system calls of the mount API, which glibc of Debian 12 has, but not beside <linux/mount.h>. */
#include "basic/mount-fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

/* What the file system itself says, without its "e " for error; its last word counts. */
static int creation_error(int fs_fd, const char *type, int r, Error *e) {
        char text[256], last[256] = "";
        ssize_t n;

        while ((n = read(fs_fd, text, sizeof(text) - 1)) > 2) {
                text[n] = '\0';
                if (text[0] == 'e')
                        (void) snprintf(last, sizeof(last), "%s", str_strip(text + 2));
        }
        if (*last)
                return error_setf(e, r, "cannot mount %s: %s (%s)", type, strerror(-r), last);
        return error_setf(e, r, "cannot mount %s: %s", type, strerror(-r));
}

/**
 * mount_fs() - a file system, mounted nowhere
 * @type:       "erofs", "overlay"
 * @options:    in this order
 * @n_options:  count
 * @attributes: MOUNT_ATTR_*
 * @ret_fd:     O_PATH descriptor of its root, for mount_move() and openat(); closing it unmounts what was never moved
 * @e:          sentence on failure; may be NULL
 *
 * Return: 0; -ENODEV (the kernel has no such file system), -EPERM, -EINVAL (bad option, or nothing that can be mounted),
 * other errno of fsopen(), fsconfig() and fsmount().
 */
int mount_fs(const char *type, const MountOption *options, size_t n_options, unsigned attributes, int *ret_fd,
             Error *e) {
        _cleanup_close_ int fs = (int) syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
        int fd;

        if (fs < 0)
                return error_setf(e, -errno, "cannot mount %s: %s", type,
                                  errno == ENODEV ? "this kernel has no such file system" : strerror(errno));
        FOREACH_ARRAY (o, options, n_options)
                if (syscall(SYS_fsconfig, fs, o->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, o->key,
                            o->value, 0) < 0)
                        return creation_error(fs, type, -errno, e);
        if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return creation_error(fs, type, -errno, e);
        fd = (int) syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes);
        if (fd < 0)
                return creation_error(fs, type, -errno, e);
        *ret_fd = fd;
        return 0;
}

/**
 * mount_clone() - a bind mount without a place
 * @dir_fd:     directory, opened in this mount namespace
 * @attributes: MOUNT_ATTR_* to set
 * @ret_fd:     as of mount_fs()
 *
 * What is mounted beneath the directory does not come along.
 *
 * Return: 0; -EPERM (not privileged), -EINVAL (a descriptor of another namespace), other errno.
 */
int mount_clone(int dir_fd, unsigned attributes, int *ret_fd) {
        const struct mount_attr a = { .attr_set = attributes };

        return mount_clone_tree(dir_fd, &a, false, ret_fd);
}

/**
 * mount_clone_tree() - a bind mount without a place, with those beneath it
 * @dir_fd:     directory, or what else can be mounted; opened in this mount namespace
 * @attributes: what to set, of all of them
 * @recursive:  false: only the one with the directory
 * @ret_fd:     as of mount_fs()
 *
 * Return: as mount_clone().
 */
int mount_clone_tree(int dir_fd, const struct mount_attr *attributes, bool recursive, int *ret_fd) {
        const unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
        const bool is_empty = !attributes->attr_set && !attributes->attr_clr && !attributes->propagation;
        _cleanup_close_ int fd =
                (int) syscall(SYS_open_tree, dir_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);

        if (fd < 0 ||
            (!is_empty && syscall(SYS_mount_setattr, fd, "", flags, attributes, sizeof(*attributes)) < 0))
                return -errno;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/**
 * mount_map() - translate the owners of files behind a mount
 * @mount_fd:  a mount without a place, its owners not translated yet
 * @userns_fd: user namespace: user N on disk is who N of it is here
 * @recursive: with the mounts beneath
 *
 * Return: 0; -EINVAL: a file system that cannot; -EPERM: translated already, or mounted somewhere; other errno of mount_setattr().
 */
int mount_map(int mount_fd, int userns_fd, bool recursive) {
        struct mount_attr a = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t) userns_fd };

        return RET_NERRNO((int) syscall(SYS_mount_setattr, mount_fd, "",
                                        AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &a, sizeof(a)));
}

/**
 * mount_move() - give a mount its place
 * @mount_fd:  from mount_fs() or mount_clone()
 * @target_fd: directory, or what else the mount is one of; opened in this mount namespace
 *
 * Return: 0, errno of move_mount().
 */
int mount_move(int mount_fd, int target_fd) {
        return RET_NERRNO((int) syscall(SYS_move_mount, mount_fd, "", target_fd, "",
                                        MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw": between the sixth word and the hyphen. */
static bool is_slave(char *line) {
        size_t n = 0;

        for (char *word, *rest = line; (word = strtok_r(n == 0 ? line : NULL, " ", &rest)); n++) {
                if (n >= 6 && streq(word, "-"))
                        return false;
                if (n >= 6 && startswith(word, "master:"))
                        return true;
        }
        return false;
}

/**
 * mount_is_slave() - does a mount get what is mounted beneath it somewhere else?
 * @fd: of a file of it, opened in this mount namespace
 *
 * Return: 1: from another mount, and gives nothing back; 0; -ENODATA: it is not mounted here; other errno.
 */
int mount_is_slave(int fd) {
        _cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
        _cleanup_free_ char *line = NULL;
        struct statx st = {};
        size_t size = 0;

        if (!f || statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0)
                return -errno;
        while (getline(&line, &size, f) >= 0)
                if (strtoull(line, NULL, 10) == st.stx_mnt_id)
                        return is_slave(line);
        return -ENODATA;
}
