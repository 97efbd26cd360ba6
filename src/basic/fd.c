/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* File descriptors: closing, reading and writing whole, and listing a directory. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"

/**
 * fd_close() - close, keeping errno
 * @fd: negative is allowed and does nothing
 *
 * Return: -EBADF, so that "fd = fd_close(fd)" leaves the empty value.
 */
int fd_close(int fd) {
        int saved_errno = errno;

        if (fd >= 0)
                (void) close(fd);
        errno = saved_errno;
        return -EBADF;
}

/**
 * fd_write_all() - write every byte
 * @fd:   blocking
 * @data: @size bytes
 * @size: bytes
 *
 * Return: 0, negative errno of write().
 */
int fd_write_all(int fd, const void *data, size_t size) {
        const char *p = data;

        while (size > 0) {
                ssize_t n = write(fd, p, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                p += n;
                size -= (size_t) n;
        }
        return 0;
}

/**
 * fd_read_full() - read until the buffer is full or the end is reached
 * @fd:     blocking
 * @buffer: room for @size
 * @size:   bytes
 *
 * Return: bytes read (less than @size only at the end), negative errno of read().
 */
ssize_t fd_read_full(int fd, void *buffer, size_t size) {
        char *p = buffer;
        size_t done = 0;

        while (done < size) {
                ssize_t n = read(fd, p + done, size - done);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                done += (size_t) n;
        }
        return (ssize_t) done;
}

/**
 * fd_read_to_end() - read all that is left, up to a limit
 * @fd:       blocking
 * @size_max: bytes; more is refused
 * @ret:      bytes and a NUL behind them, to free()
 * @ret_size: bytes; may be NULL when the content is known to have no NUL
 *
 * Return: 0, -E2BIG, -ENOMEM, negative errno of read().
 */
int fd_read_to_end(int fd, size_t size_max, char **ret, size_t *ret_size) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        char buffer[16384];
        size_t size;
        int r;

        for (;;) {
                ssize_t n = fd_read_full(fd, buffer, sizeof(buffer));

                if (n < 0)
                        return (int) n;
                strbuf_add_n(&b, buffer, (size_t) n);
                if (b.size > size_max)
                        return -E2BIG;
                if ((size_t) n < sizeof(buffer))
                        break;
        }
        size = b.size;
        r = strbuf_steal(&b, ret);
        if (r < 0)
                return r;
        if (ret_size)
                *ret_size = size;
        return 0;
}

/**
 * fd_cloexec() - set or clear the close-on-exec flag
 * @fd: open
 * @on: 0 lets a program that is executed inherit the descriptor
 *
 * Return: 0, negative errno of fcntl().
 */
int fd_cloexec(int fd, int on) {
        int flags = fcntl(fd, F_GETFD);

        if (flags < 0)
                return -errno;
        return RET_NERRNO(fcntl(fd, F_SETFD, on ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC));
}

/**
 * fd_memory_file() - a file in memory that nobody can change any more
 * @name: for who looks at the descriptor
 * @data: @size bytes
 * @size: bytes
 * @ret:  stands at the beginning; FD_CLOEXEC
 *
 * Another process that has the descriptor can open it by /proc/self/fd, whoever it runs as, in any sandbox.
 *
 * Return: 0, negative errno of memfd_create() and write().
 */
int fd_memory_file(const char *name, const void *data, size_t size, int *ret) {
        _cleanup_close_ int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        int r;

        if (fd < 0)
                return -errno;
        r = fd_write_all(fd, data, size);
        if (r < 0)
                return r;
        if (lseek(fd, 0, SEEK_SET) < 0 ||
            fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
                return -errno;
        *ret = TAKE_FD(fd);
        return 0;
}

/**
 * fd_copy_range() - copy bytes from where one file stands to where the other stands
 * @from: regular file or pipe
 * @to:   any
 * @size: bytes; UINT64_MAX for all that is left
 *
 * Return: 0, -EPIPE (the source ended early), negative errno of the calls.
 */
int fd_copy_range(int from, int to, uint64_t size) {
        char buffer[65536];

        while (size > 0) {
                ssize_t n = fd_read_full(from, buffer, (size_t) MIN(size, (uint64_t) sizeof(buffer)));
                int r;

                if (n < 0)
                        return (int) n;
                if (n == 0)
                        return size == UINT64_MAX ? 0 : -EPIPE;
                r = fd_write_all(to, buffer, (size_t) n);
                if (r < 0)
                        return r;
                if (size != UINT64_MAX)
                        size -= (uint64_t) n;
        }
        return 0;
}

/**
 * file_read_at() - read a regular file whole
 * @dir_fd:   directory, or AT_FDCWD
 * @path:     beneath it; the last component may be a link (trusted places only)
 * @size_max: bytes; more is refused
 * @ret:      bytes and a NUL, to free()
 * @ret_size: may be NULL
 *
 * Return: 0, -ENOENT, -E2BIG, -ENOMEM, other errno of open() and read().
 */
int file_read_at(int dir_fd, const char *path, size_t size_max, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = -EBADF;

        fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
                return -errno;
        return fd_read_to_end(fd, size_max, ret, ret_size);
}

/**
 * dir_open_at() - open a directory for reading
 * @dir_fd: directory, or AT_FDCWD
 * @path:   beneath it
 * @ret:    for closedir()
 *
 * Return: 0, negative errno of open().
 */
int dir_open_at(int dir_fd, const char *path, DIR **ret) {
        _cleanup_close_ int fd = -EBADF;
        DIR *d;

        fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        d = fdopendir(fd);
        if (!d)
                return -errno;
        (void) TAKE_FD(fd);
        *ret = d;
        return 0;
}

/**
 * dir_list_at() - the names in a directory, sorted by bytes, without "." and ".."
 * @dir_fd: directory, or AT_FDCWD
 * @path:   beneath it
 * @ret:    a vector for strv_free(), NULL when empty
 *
 * Return: 0, -ENOENT, -ENOMEM, other errno of open() and readdir().
 */
int dir_list_at(int dir_fd, const char *path, char ***ret) {
        _cleanup_closedir_ DIR *d = NULL;
        _cleanup_free_ char **names = NULL;
        size_t n = 0;
        int r;

        r = dir_open_at(dir_fd, path, &d);
        if (r < 0)
                return r;
        for (;;) {
                struct dirent *e;

                errno = 0;
                e = readdir(d);
                if (!e)
                        break;
                if (streq(e->d_name, ".") || streq(e->d_name, ".."))
                        continue;
                if (!GREEDY_GROW(names, n) || !(names[n] = strdup(e->d_name))) {
                        FOREACH_ARRAY (name, names, n)
                                free(*name);
                        return -ENOMEM;
                }
                n++;
        }
        if (!GREEDY_GROW(names, n)) {
                FOREACH_ARRAY (name, names, n)
                        free(*name);
                return -ENOMEM;
        }
        if (names)
                names[n] = NULL;
        strv_sort(names);
        *ret = TAKE_PTR(names);
        return 0;
}
