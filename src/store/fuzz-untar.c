/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A list of entries becomes a tree, in a directory that is removed again. Each entry: two bytes of length, then a frame.
 * A canary beside the directory must stay as it is. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "store/frame.h"
#include "store/untar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void untar(int root, int blob, const uint8_t *data, size_t size) {
        _cleanup_(untar_freep) Untar *u = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        uint64_t bytes, n_made;

        if (untar_new(root, &blob, 1, &u, &e) < 0)
                return;
        while (size > 2) {
                _cleanup_(tar_entry_done) TarEntry t = TAR_ENTRY_INIT;
                size_t n = MIN((size_t) data[0] + 256 * (size_t) data[1], size - 2);

                if (frame_decode_entry(data + 2, n, &t) < 0)
                        return;
                if (t.size > 1U << 20 || t.type == TAR_CHRDEV || t.type == TAR_BLKDEV)
                        return;
                if (untar_entry(u, &t, &e) < 0)
                        return;
                data += 2 + n;
                size -= 2 + n;
        }
        (void) untar_finish(u, &bytes, &n_made, &e);
}

static int top = -EBADF, blob = -EBADF, canary = -EBADF;
static char top_name[] = "/dev/shm/fuzz-untar-XXXXXX"; /* in memory: a disk would take most of the time */

static void clean(void) {
        if (unlinkat(top, "canary", 0) < 0 || rmdir(top_name) < 0)
                abort();
}

static void prepare(void) {
        if (!mkdtemp(top_name))
                abort();
        top = open(top_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        canary = openat(top, "canary", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        blob = memfd_create("blob", MFD_CLOEXEC);
        if (canary < 0 || blob < 0 || ftruncate(blob, 4096) < 0 || atexit(clean) != 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_close_ int root = -EBADF;
        struct stat st;

        if (top < 0)
                prepare();
        if (mkdirat(top, "root", 0700) < 0)
                abort();
        root = openat(top, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        untar(root, blob, data, size);
        if (fstat(canary, &st) < 0 || st.st_size != 0 || st.st_mode != (S_IFREG | 0600) || st.st_nlink != 1)
                abort();
        if (remove_tree_at(top, "root") < 0)
                abort();
        return 0;
}
