/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cas/tree/KEY/rootfs: plain files. Made by rkt-untar in cas/tmp, synced, renamed; never changed afterwards. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "store/store-internal.h"
#include "store/tree-backend.h"

static char *root_path(const char *key) {
        char path[STORE_TREE_PATH_MAX];

        store_tree_path(key, path);
        return strf("%s/rootfs", path);
}

static bool dir_exists(Store *s, const char *key) {
        _cleanup_free_ char *path = root_path(key);
        struct stat st;

        return path && fstatat(s->cas_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int dir_open(Store *s, const char *key, StoreTree *ret, Error *e) {
        _cleanup_free_ char *path = root_path(key), *absolute = NULL;
        _cleanup_close_ int fd = -EBADF;

        if (path)
                absolute = strf("%s/cas/%s", s->dir, path);
        if (!absolute)
                return error_oom(e);
        fd = openat(s->cas_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return error_setf(e, -errno, "cannot open '%s': %m", absolute);
        *ret = (StoreTree){ .path = TAKE_PTR(absolute), .root_fd = TAKE_FD(fd) };
        return 0;
}

/* First out of sight, then gone: half a tree is never found under its name. */
static int dir_remove(Store *s, const char *key, Error *e) {
        _cleanup_close_ int fd = -EBADF;
        _cleanup_free_ char *tmp = NULL;
        char path[STORE_TREE_PATH_MAX];
        int r;

        store_tree_path(key, path);
        if (faccessat(s->cas_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
                return 0;
        r = store_tmp_new(s, &tmp, &fd, e);
        if (r < 0)
                return r;
        if (renameat(s->cas_fd, path, fd, "tree") < 0)
                r = -errno;
        if (r >= 0)
                r = fsync_dir_at(s->cas_fd, "tree");
        if (r >= 0)
                r = remove_tree_at(s->cas_fd, tmp);
        else
                (void) remove_tree_at(s->cas_fd, tmp);
        return r < 0 ? error_setf(e, r, "cannot remove '%s/cas/%s': %s", s->dir, path, strerror(-r)) : 0;
}

const TreeBackend tree_dir = { .name = "dir", .exists = dir_exists, .open = dir_open, .remove = dir_remove };
