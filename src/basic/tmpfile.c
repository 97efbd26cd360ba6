/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that appear whole or not at all: O_TMPFILE, fsync, linkat (and rename over an old one), fsync of the folder. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/tmpfile.h"
#include "basic/uuid.h"

/**
 * tmpfile_open_at() - a file without a name
 * @dir_fd: directory on whose file system it lives
 * @mode:   permissions it will have
 * @ret_fd: open for reading and writing
 *
 * Return: 0, -EOPNOTSUPP (file system without O_TMPFILE), -ENOSPC, other errno of open().
 */
int tmpfile_open_at(int dir_fd, mode_t mode, int *ret_fd) {
        int fd;

        fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
        if (fd < 0)
                return -errno;
        if (fchmod(fd, mode) < 0) {
                int r = -errno;

                (void) fd_close(fd);
                return r;
        }
        *ret_fd = fd;
        return 0;
}

static int link_replace(const char *proc, int dir_fd, const char *name) {
        char uuid[UUID_STRING_MAX], tmp[64];
        int r;

        r = uuid_new(uuid);
        if (r < 0)
                return r;
        (void) snprintf(tmp, sizeof(tmp), ".tmp-%s", uuid);
        if (linkat(AT_FDCWD, proc, dir_fd, tmp, AT_SYMLINK_FOLLOW) < 0)
                return -errno;
        if (renameat(dir_fd, tmp, dir_fd, name) < 0) {
                r = -errno;
                (void) unlinkat(dir_fd, tmp, 0);
                return r;
        }
        return 0;
}

/**
 * tmpfile_link_at() - give the file its name
 * @fd:     from tmpfile_open_at(); not closed
 * @dir_fd: directory on the same file system
 * @name:   one component; an existing file is replaced atomically, unless FILE_WRITE_NO_REPLACE
 * @flags:  FILE_WRITE_*
 *
 * Return: 0, -EEXIST (only with FILE_WRITE_NO_REPLACE), -EIO, -ENOSPC, other errno.
 */
int tmpfile_link_at(int fd, int dir_fd, const char *name, FileWriteFlags flags) {
        char proc[64];

        if (!(flags & FILE_WRITE_NO_SYNC) && fsync(fd) < 0)
                return -errno;
        (void) snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
        if (linkat(AT_FDCWD, proc, dir_fd, name, AT_SYMLINK_FOLLOW) < 0) {
                int r;

                if (errno != EEXIST || (flags & FILE_WRITE_NO_REPLACE))
                        return -errno;
                r = link_replace(proc, dir_fd, name);
                if (r < 0)
                        return r;
        }
        return flags & FILE_WRITE_NO_SYNC ? 0 : fsync_dir_at(dir_fd, ".");
}

/**
 * file_write_at() - write a small file whole
 * @dir_fd: directory, or AT_FDCWD
 * @path:   beneath it; its folder must exist
 * @data:   @size bytes
 * @size:   bytes
 * @mode:   permissions
 * @flags:  FILE_WRITE_*
 *
 * Return: 0, -EEXIST (only with FILE_WRITE_NO_REPLACE), -ENOSPC, -EIO, other errno.
 */
int file_write_at(int dir_fd, const char *path, const char *data, size_t size, mode_t mode,
                  FileWriteFlags flags) {
        _cleanup_close_ int folder = -EBADF, fd = -EBADF;
        _cleanup_free_ char *dir = NULL;
        const char *name;
        int r;

        name = strrchr(path, '/');
        if (name) {
                dir = strndup(path, MAX((size_t) (name - path), (size_t) 1));
                if (!dir)
                        return -ENOMEM;
                name++;
        } else
                name = path;
        folder = openat(dir_fd, dir ? dir : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (folder < 0)
                return -errno;
        r = tmpfile_open_at(folder, mode, &fd);
        if (r < 0)
                return r;
        r = fd_write_all(fd, data, size);
        if (r < 0)
                return r;
        return tmpfile_link_at(fd, folder, name, flags);
}
