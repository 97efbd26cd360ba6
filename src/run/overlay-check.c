/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* There are kernels without overlayfs, and file systems that cannot be its upper layer (another overlay, NFS, some FUSE). What the
 * kernel takes is best asked of the kernel. */
#include "run/overlay-check.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/macro.h"

#define PLACE "overlay-check"

static int mount_here(int dir) {
        _cleanup_close_ int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        int r;

        if (before < 0 || fchdir(dir) < 0)
                return -errno;
        r = RET_NERRNO(mount("overlay", "merged", "overlay", MS_NODEV,
                             "lowerdir=lower,upperdir=upper,workdir=work"));
        if (r >= 0)
                r = RET_NERRNO(umount2("merged", MNT_DETACH));
        return fchdir(before) < 0 ? -errno : r;
}

/**
 * overlay_check() - can an overlay be mounted whose upper layer is in a pod's directory?
 * @pod_fd: its directory; the caller is in a mount namespace of its own, and has one thread
 * @e:      the kernel's answer; may be NULL
 *
 * Return: 0; errno of mount(): it cannot.
 */
int overlay_check(int pod_fd, Error *e) {
        static const char *const names[] = { "lower", "upper", "work", "merged" };
        _cleanup_close_ int dir = -EBADF;
        int r = mkdirat(pod_fd, PLACE, 0700) < 0 && errno != EEXIST ? -errno : 0;

        if (r >= 0)
                r = dir = RET_NERRNO(openat(pod_fd, PLACE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        FOREACH_ARRAY (n, names, ELEMENTSOF(names))
                if (r >= 0 && mkdirat(dir, *n, 0700) < 0 && errno != EEXIST)
                        r = -errno;
        if (r >= 0)
                r = mount_here(dir);
        (void) remove_tree_at(pod_fd, PLACE);
        return r < 0 ? error_setf(e, r, "an overlay cannot be mounted here: %s", strerror(-r)) : 0;
}
