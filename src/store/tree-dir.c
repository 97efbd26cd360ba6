/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cas/tree/KEY/rootfs: plain files, made by rkt-untar from checked entries; never changed afterwards. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/mount.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/mount-fd.h"
#include "basic/process.h"
#include "basic/str.h"
#include "basic/worker.h"
#include "store/frame.h"
#include "store/store-internal.h"
#include "store/tree-backend.h"

#define ROOT_NAME "rootfs"

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

static int run_untar(int entries_fd, int blob_fd, int root_fd, FrameEnd *ret, Error *e) {
        _cleanup_(process_done) Process untar = PROCESS_INIT;
        _cleanup_close_ int out_read = -EBADF, out_write = -EBADF, blob = -EBADF;
        char *argv[] = { (char[]){ "rkt-untar" }, NULL }, proc[64];
        int fds[2], r;

        /* The worker gets the blob for reading only. */
        (void) snprintf(proc, sizeof(proc), "/proc/self/fd/%d", blob_fd);
        blob = open(proc, O_RDONLY | O_CLOEXEC);
        if (blob < 0)
                return error_setf(e, -errno, "cannot open the blob: %m");
        if (lseek(entries_fd, 0, SEEK_SET) < 0)
                return error_setf(e, -errno, "cannot rewind the entries: %m");
        if (pipe2(fds, O_CLOEXEC) < 0)
                return error_setf(e, -errno, "pipe: %m");
        out_read = fds[0];
        out_write = fds[1];
        r = worker_spawn("rkt-untar", NULL, argv,
                         (const int[]){ entries_fd, out_write, STDERR_FILENO, root_fd, blob }, 5, &untar, e);
        if (r < 0)
                return r;
        out_write = fd_close(out_write);
        r = read_untar(out_read, ret, e);
        if (r < 0)
                return r;
        r = process_wait(&untar, NULL, e);
        return r < 0 ? error_prefixf(e, r, "rkt-untar") : 0;
}

/**
 * tree_dir_write() - make the files
 * @s:          store
 * @entries_fd: frames of checked entries
 * @n_entries:  how many
 * @blob_fd:    where their content is
 * @tree_fd:    directory, "rootfs" is made in it
 * @ret_size:   bytes of all files
 * @e:          sentence on failure; may be NULL
 *
 * Not synced.
 *
 * Return: 0; -ENOTUNIQ, -EBADMSG, -ELOOP (entries that contradict each other), -ENOSPC, -EDQUOT, -EIO, -EPROTO.
 */
int tree_dir_write(Store *s, int entries_fd, uint64_t n_entries, int blob_fd, int tree_fd, uint64_t *ret_size,
                   Error *e) {
        _cleanup_close_ int root = -EBADF;
        FrameEnd end = {};
        int r;

        if (mkdirat(tree_fd, ROOT_NAME, 0755) < 0)
                return error_setf(e, -errno, "cannot create a tree in '%s/cas/tmp': %m", s->dir);
        root = openat(tree_fd, ROOT_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (root < 0)
                return error_setf(e, -errno, "cannot open a tree in '%s/cas/tmp': %m", s->dir);
        r = run_untar(entries_fd, blob_fd, root, &end, e);
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
