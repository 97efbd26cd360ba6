/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For tests only, not installed: makes an EROFS file system from uncompressed ACIs, the weakest first.
 *
 *      tool-erofs index|image OUTPUT ARCHIVE...
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "store/erofs-writer.h"
#include "store/tar-check.h"

typedef struct Tool {
        ErofsTree *tree;
        unsigned device;
        Error *error;
} Tool;

static int on_entry(void *userdata, const TarEntry *entry) {
        Tool *t = userdata;
        int r = erofs_tree_add(t->tree, entry, t->device, t->error);

        if (r < 0 && t->error->message)
                (void) fprintf(stderr, "%s\n", t->error->message);
        return r;
}

static int on_manifest(_unused_ void *userdata, _unused_ const char *data, _unused_ size_t size) {
        return 0;
}

static int on_warning(_unused_ void *userdata, const char *sentence) {
        (void) fprintf(stderr, "warning: %s\n", sentence);
        return 0;
}

static int read_archive(int fd, Tool *tool, Error *e) {
        static const TarCheckOps ops = { .entry = on_entry, .manifest = on_manifest, .warning = on_warning };
        static const TarStreamLimits limits = { .size_max = UINT64_C(64) << 30, .entries_max = 4000000 };
        _cleanup_(tar_check_freep) TarCheck *c = NULL;
        static uint8_t buffer[65536];
        int r;

        r = tar_check_new(&ops, tool, &limits, 1024 * 1024, &c);
        while (r >= 0) {
                ssize_t n = read(fd, buffer, sizeof(buffer));

                if (n < 0)
                        return error_setf(e, -errno, "cannot read: %m");
                if (n == 0)
                        return tar_check_finish(c, e);
                r = tar_check_push(c, buffer, (size_t) n, e);
        }
        return r;
}

static int run(const char *mode, const char *output, char *archives[], size_t n, Error *e) {
        static const uint8_t uuid[EROFS_UUID_SIZE] = { 1, 2, 3, 4 };
        static ErofsDevice devices[EROFS_DEVICES_MAX];
        _cleanup_(erofs_tree_freep) ErofsTree *all = NULL;
        _cleanup_close_ int fd = -EBADF;
        uint64_t size = 0;
        int r = 0;

        for (size_t i = 0; i < n; i++) {
                _cleanup_(erofs_tree_freep) ErofsTree *tree = NULL;
                Tool tool = { .device = (unsigned) i, .error = e };

                devices[i] =
                        (ErofsDevice){ .fd = open(archives[i], O_RDONLY | O_CLOEXEC), .tag = archives[i] };
                if (devices[i].fd < 0)
                        return error_setf(e, -errno, "cannot open '%s': %m", archives[i]);
                r = erofs_tree_new(0, &tree);
                tool.tree = tree;
                if (r >= 0)
                        r = read_archive(devices[i].fd, &tool, e);
                if (r >= 0 && all)
                        r = erofs_tree_merge(all, tree, e);
                else if (r >= 0) {
                        all = tree;
                        tree = NULL;
                }
                if (r < 0)
                        return r;
        }
        fd = open(output, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (fd < 0)
                return error_setf(e, -errno, "cannot create '%s': %m", output);
        r = streq(mode, "image") ? erofs_write_image(all, devices, n, uuid, fd, &size, e)
                                 : erofs_write_index(all, devices, n, uuid, fd, &size, e);
        if (r >= 0)
                (void) printf("%llu\n", (unsigned long long) size);
        return r;
}

int main(int argc, char *argv[]) {
        _cleanup_error_ Error e = ERROR_INIT;
        int r;

        if (argc < 4 || argc - 3 > EROFS_DEVICES_MAX)
                return EXIT_FAILURE;
        r = run(argv[1], argv[2], argv + 3, (size_t) argc - 3, &e);
        if (r < 0)
                (void) fprintf(stderr, "%s\n", error_text(&e, r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
