/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* flock() on files and directories. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/lock.h"

/**
 * lock_fd() - lock an open file or directory
 * @fd:   open, not O_PATH
 * @mode: shared or exclusive
 * @wait: 0 fails at once when somebody else holds it
 *
 * Return: 0, -EBUSY (held by another, only without @wait), other errno of flock().
 */
int lock_fd(int fd, LockMode mode, int wait) {
        int op = (mode == LOCK_MODE_EXCLUSIVE ? LOCK_EX : LOCK_SH) | (wait ? 0 : LOCK_NB);

        while (flock(fd, op) < 0) {
                if (errno == EINTR)
                        continue;
                return errno == EWOULDBLOCK ? -EBUSY : -errno;
        }
        return 0;
}

/**
 * lock_file_at() - make a lock file if need be, and lock it
 * @dir_fd: directory, or AT_FDCWD
 * @path:   beneath it; may be removed by others: then it is made again
 * @mode:   shared or exclusive
 * @wait:   0 fails at once
 * @ret_fd: closing it ends the lock
 *
 * Return: 0, -EBUSY, other errno of open() and flock().
 */
int lock_file_at(int dir_fd, const char *path, LockMode mode, int wait, int *ret_fd) {
        for (;;) {
                _cleanup_close_ int fd = -EBADF;
                struct stat a, b;
                int r;

                fd = openat(dir_fd, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
                if (fd < 0)
                        return -errno;
                r = lock_fd(fd, mode, wait);
                if (r < 0)
                        return r;
                /* Between open and lock the file may have been removed or replaced: a lock on it protects nothing. */
                if (fstat(fd, &a) < 0)
                        return -errno;
                if (fstatat(dir_fd, path, &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_dev == b.st_dev &&
                    a.st_ino == b.st_ino) {
                        *ret_fd = TAKE_FD(fd);
                        return 0;
                }
        }
}
