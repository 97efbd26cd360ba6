/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cas/tree/KEY/rootfs: plain files, made by rkt-untar from checked entries; never changed afterwards. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/mount.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/mount-fd.h"
#include "basic/process.h"
#include "basic/str.h"
#include "basic/worker.h"
#include "store/frame.h"
#include "store/store-internal.h"
#include "store/tree-backend.h"

#define ROOT_NAME "rootfs"
#define N_FDS     4 /* of rkt-untar, before the blobs */

/* What comes back from rkt-untar: an error, or what it made. */
static int read_untar(int fd, FrameEnd *ret, Error *e) {
        FrameReader reader = FRAME_READER_INIT;
        const uint8_t *data;
        FrameType type;
        size_t size;
        int r;

        reader.fd = fd;
        r = frame_read(&reader, &type, &data, &size, e);
        if (r == 0)
                r = error_setf(e, -EPROTO, "rkt-untar ended without a word; see the system's log");
        else if (r > 0 && type == FRAME_ERROR)
                r = frame_decode_error(data, size, e);
        else if (r > 0)
                r = type == FRAME_END && frame_decode_end(data, size, ret) >= 0
                            ? 0
                            : error_setf(e, -EPROTO, "rkt-untar sent an impossible frame");
        frame_reader_done(&reader);
        return r;
}

/* The worker gets the blobs for reading only. */
static int reopen_blobs(const TreeBlob *blobs, size_t n_blobs, int *ret_fds, Error *e) {
        for (size_t i = 0; i < n_blobs; i++) {
                char proc[64];

                (void) snprintf(proc, sizeof(proc), "/proc/self/fd/%d", blobs[i].fd);
                ret_fds[i] = open(proc, O_RDONLY | O_CLOEXEC);
                if (ret_fds[i] < 0)
                        return error_setf(e, -errno, "cannot open blob '%s': %m", blobs[i].key);
        }
        return 0;
}

/* fds: what it gets; the first four are set here, the blobs follow. */
static int run_untar(int entries_fd, int root_fd, int *fds, size_t n_blobs, FrameEnd *ret, Error *e) {
        _cleanup_(process_done) Process untar = PROCESS_INIT;
        _cleanup_close_ int out_read = -EBADF, out_write = -EBADF;
        char number[24], *argv[] = { (char[]){ "rkt-untar" }, number, NULL };
        int pipe_fds[2], r;

        (void) snprintf(number, sizeof(number), "%zu", n_blobs);
        if (lseek(entries_fd, 0, SEEK_SET) < 0)
                return error_setf(e, -errno, "cannot rewind the entries: %m");
        if (pipe2(pipe_fds, O_CLOEXEC) < 0)
                return error_setf(e, -errno, "pipe: %m");
        out_read = pipe_fds[0];
        out_write = pipe_fds[1];
        fds[0] = entries_fd;
        fds[1] = out_write;
        fds[2] = STDERR_FILENO;
        fds[3] = root_fd;
        r = worker_spawn("rkt-untar", NULL, argv, fds, N_FDS + n_blobs, &untar, e);
        if (r < 0)
                return r;
        (void) fd_close(TAKE_FD(out_write));
        r = read_untar(out_read, ret, e);
        if (r < 0)
                return r;
        r = process_reap(&untar, NULL, e);
        return r < 0 ? error_prefixf(e, r, "rkt-untar") : 0;
}

/**
 * tree_dir_write() - make the files
 * @s:          store
 * @entries_fd: frames of checked entries
 * @n_entries:  how many
 * @blobs:      where their content is, by the entries' devices
 * @n_blobs:    count
 * @tree_fd:    directory, "rootfs" is made in it
 * @ret_size:   bytes of all files
 * @e:          sentence on failure; may be NULL
 *
 * Not synced.
 *
 * Return: 0; -ENOTUNIQ, -EBADMSG, -ELOOP (entries that contradict each other), -ENOSPC, -EDQUOT, -EIO, -EPROTO.
 */
int tree_dir_write(Store *s, int entries_fd, uint64_t n_entries, const TreeBlob *blobs, size_t n_blobs,
                   int tree_fd, uint64_t *ret_size, Error *e) {
        _cleanup_free_ int *fds = new0(int, N_FDS + n_blobs);
        _cleanup_close_ int root = -EBADF;
        FrameEnd end = {};
        int r;

        if (!fds)
                return error_oom(e);
        for (size_t i = 0; i < n_blobs; i++)
                fds[N_FDS + i] = -EBADF;
        if (mkdirat(tree_fd, ROOT_NAME, 0755) < 0)
                return error_setf(e, -errno, "cannot create a tree in '%s/cas/tmp': %m", s->dir);
        root = openat(tree_fd, ROOT_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (root < 0)
                return error_setf(e, -errno, "cannot open a tree in '%s/cas/tmp': %m", s->dir);
        r = reopen_blobs(blobs, n_blobs, fds + N_FDS, e);
        if (r >= 0)
                r = run_untar(entries_fd, root, fds, n_blobs, &end, e);
        for (size_t i = 0; i < n_blobs; i++)
                (void) fd_close(fds[N_FDS + i]);
        if (r < 0)
                return r;
        if (end.n_entries != n_entries)
                return error_setf(e, -EPROTO, "rkt-untar made %" PRIu64 " of %" PRIu64 " entries",
                                  end.n_entries, n_entries);
        *ret_size = end.size;
        return 0;
}

/* Opened by its whole path: descriptors of the store may be of another mount namespace. Who may not mount gets the
 * directory itself, which is enough for reading. */
static int dir_mount(Store *s, const char *key, int *ret_fd, Error *e) {
        char path[STORE_TREE_PATH_MAX];
        _cleanup_free_ char *absolute = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r;

        store_tree_path(key, path);
        absolute = strf("%s/cas/%s/" ROOT_NAME, s->dir, path);
        if (!absolute)
                return error_oom(e);
        fd = open(absolute, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return error_setf(e, -errno, "cannot open '%s': %m", absolute);
        r = mount_clone(fd, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, ret_fd);
        if (r == -EPERM) {
                *ret_fd = TAKE_FD(fd);
                return 0;
        }
        return r < 0 ? error_setf(e, r, "cannot mount '%s': %s", absolute, strerror(-r)) : 0;
}

const TreeBackend tree_dir = { .id = STORE_TREE_DIR, .name = ROOT_NAME, .mount = dir_mount };
