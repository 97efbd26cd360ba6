/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file as a read-only block device. The kernel detaches it when the last one lets go: the mount that uses it, or the
 * process that made it, if it comes to nothing. */
#include "store/loop-device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "basic/fd.h"

#define LOOP_MAJOR   7
#define LOOP_BLOCK   512U /* smaller than any file system's, so the same device serves an index and an image */
#define ATTEMPTS_MAX 256

/* Where nobody makes the nodes of new devices (a /dev that is no devtmpfs), we do. */
static int open_device(unsigned number, char path[LOOP_PATH_MAX]) {
        int fd;

        (void) snprintf(path, LOOP_PATH_MAX, "/dev/loop%u", number);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 && errno == ENOENT && mknod(path, S_IFBLK | 0600, makedev(LOOP_MAJOR, number)) >= 0)
                fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        return fd < 0 ? -errno : fd;
}

/**
 * loop_device_attach() - make a block device of a file
 * @fd:       file, open for reading
 * @ret_fd:   the device; close it once it is mounted
 * @ret_path: its name in /dev
 * @e:        sentence on failure; may be NULL
 *
 * Which one is free is known only until somebody else takes it: then the next one is tried.
 *
 * Return: 0; -ENOENT, -ENODEV (no loop devices here), -EPERM, -EACCES, -EBUSY (others were always faster), other errno of
 * open(), mknod() and ioctl().
 */
int loop_device_attach(int fd, int *ret_fd, char ret_path[LOOP_PATH_MAX], Error *e) {
        const struct loop_config config = { .fd = (uint32_t) fd,
                                            .block_size = LOOP_BLOCK,
                                            .info = { .lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR } };
        _cleanup_close_ int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

        if (control < 0)
                return error_setf(e, -errno, "cannot open /dev/loop-control: %m");
        for (int i = 0; i < ATTEMPTS_MAX; i++) {
                _cleanup_close_ int device = -EBADF;
                int number = ioctl(control, LOOP_CTL_GET_FREE);

                if (number < 0)
                        return error_setf(e, -errno, "cannot get a loop device: %m");
                device = open_device((unsigned) number, ret_path);
                if (device < 0)
                        return error_setf(e, device, "cannot open %s: %s", ret_path, strerror(-device));
                if (ioctl(device, LOOP_CONFIGURE, &config) >= 0) {
                        *ret_fd = TAKE_FD(device);
                        return 0;
                }
                if (errno != EBUSY && errno != EAGAIN && errno != ENXIO)
                        return error_setf(e, -errno, "cannot set up %s: %m", ret_path);
        }
        return error_setf(e, -EBUSY, "cannot get a loop device: each was taken before it could be used");
}
