/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mounts of EROFS, from files or through loop devices. */
#include "store/erofs-mount.h"

#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/mount-fd.h"
#include "store/loop-device.h"

#define OPTION_MAX 256 /* fsconfig() takes no longer text */

typedef struct Source {
        char path[OPTION_MAX];
        int loop_fd;
} Source;

static int source_open(ErofsMountHow how, const ErofsFile *file, Source *ret, Error *e) {
        if (how == EROFS_MOUNT_LOOP)
                return loop_device_attach(file->fd, &ret->loop_fd, ret->path, e);
        if (file->path && strlen(file->path) < sizeof(ret->path))
                memcpy(ret->path, file->path, strlen(file->path) + 1);
        else
                (void) snprintf(ret->path, sizeof(ret->path), "/proc/self/fd/%d", file->fd);
        return 0;
}

static int mount_sources(const Source *sources, size_t n, int *ret_fd, Error *e) {
        _cleanup_free_ MountOption *options = new0(MountOption, n + 1);

        if (!options)
                return error_oom(e);
        options[0] = (MountOption){ .key = "ro" }; /* or the kernel would open the block device for writing */
        for (size_t i = 0; i < n; i++)
                options[i + 1] = (MountOption){ i == 0 ? "source" : "device", sources[i].path };
        return mount_fs("erofs", options, n + 1, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, ret_fd, e);
}

/**
 * erofs_mount() - mount it nowhere
 * @how:       from files or through loop devices
 * @image:     index or image
 * @devices:   the blobs of an index, in the order of its slots
 * @n_devices: count; 0: an image
 * @ret_fd:    as of mount_fs()
 * @e:         sentence on failure; may be NULL
 *
 * Read-only and without devices; set-uid programs work.
 *
 * Return: 0; -ENODEV (this kernel has no EROFS), -ENOTBLK (it mounts no files), -EINVAL, -EOPNOTSUPP (it does not know
 * what it should mount), -EUCLEAN (damaged), -EPERM, errors of loop_device_attach() and mount_fs().
 */
int erofs_mount(ErofsMountHow how, const ErofsFile *image, const ErofsFile *devices, size_t n_devices,
                int *ret_fd, Error *e) {
        _cleanup_free_ Source *sources = new0(Source, n_devices + 1);
        int r = 0;

        if (!sources)
                return error_oom(e);
        for (size_t i = 0; i <= n_devices; i++)
                sources[i].loop_fd = -EBADF;
        for (size_t i = 0; i <= n_devices && r >= 0; i++)
                r = source_open(how, i == 0 ? image : devices + i - 1, sources + i, e);
        if (r >= 0)
                r = mount_sources(sources, n_devices + 1, ret_fd, e);
        for (size_t i = 0; i <= n_devices; i++)
                (void) fd_close(sources[i].loop_fd);
        return r;
}
