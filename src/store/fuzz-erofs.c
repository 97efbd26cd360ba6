/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Entries, as fuzz-untar takes them, become a tree, an index and an image, which are read back: whatever the entries say,
 * they are refused, or the result is a good file system that says the same. */
#include <sys/mman.h>
#include <unistd.h>

#include "basic/fd.h"
#include "store/frame.h"
#include "store/test-erofs-read.h"

#define BLOB_SIZE 65536U
#define FILE_MAX  (UINT64_C(1) << 24)

static uint8_t blob[BLOB_SIZE];
static int blob_fd = -EBADF, image_fd = -EBADF;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ErofsTree *make(const uint8_t *data, size_t size, ErofsTreeFlags flags, unsigned device) {
        ErofsTree *t = NULL;

        if (erofs_tree_new(flags, &t) < 0)
                abort();
        while (size > 2) {
                _cleanup_(tar_entry_done) TarEntry entry = TAR_ENTRY_INIT;
                _cleanup_error_ Error e = ERROR_INIT;
                size_t n = MIN((size_t) data[0] + 256 * (size_t) data[1], size - 2);

                if (frame_decode_entry(data + 2, n, &entry) < 0)
                        break;
                if (entry.size > FILE_MAX)
                        break;
                if (erofs_tree_add(t, &entry, device, &e) < 0) {
                        MUST(e.message);
                        return erofs_tree_free(t);
                }
                data += 2 + n;
                size -= 2 + n;
        }
        return t;
}

static void check(ErofsTree *t, bool full) {
        const ErofsDevice devices[] = { { .fd = blob_fd }, { .fd = blob_fd } };
        const ReadBlob blobs[] = { { blob, BLOB_SIZE }, { blob, BLOB_SIZE } };
        ReadImage m = { .blobs = blobs, .n_blobs = 2 };
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ uint8_t *image = NULL;
        uint64_t size = 0;

        MUST(lseek(image_fd, 0, SEEK_SET) == 0);
        if ((full ? erofs_write_image : erofs_write_index)(t, devices, 2, (uint8_t[EROFS_UUID_SIZE]){},
                                                           image_fd, &size, &e) < 0) {
                MUST(e.message);
                return;
        }
        if (size == 0 || lseek(image_fd, 0, SEEK_CUR) != (off_t) size)
                abort();
        image = malloc(size);
        MUST(image && pread(image_fd, image, size, 0) == (ssize_t) size);
        m.self = (ReadBlob){ image, size };
        read_check(&m, t);
        /* the next one lies over this one, unless that keeps much memory */
        MUST(size <= BLOB_SIZE || ftruncate(image_fd, 0) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char *const list[] = { "/a", "/b/../a/b", "usr/bin", NULL };
        _cleanup_(erofs_tree_freep) ErofsTree *a = NULL, *b = NULL;

        if (blob_fd < 0) {
                for (size_t i = 0; i < BLOB_SIZE; i++)
                        blob[i] = (uint8_t) (1 + i % 255);
                blob_fd = memfd_create("blob", MFD_CLOEXEC);
                image_fd = memfd_create("image", MFD_CLOEXEC);
                if (image_fd < 0 || fd_write_all(blob_fd, blob, BLOB_SIZE) < 0)
                        abort();
        }
        a = make(data, size, 0, 0);
        b = make(data, size, EROFS_TREE_REPLACE, 1);
        if (a)
                check(a, size % 8 == 0);
        if (b)
                check(b, false);
        if (a && b) {
                if (erofs_tree_keep(a, list, size % 2 ? EROFS_KEEP_DIRECTORIES : 0, NULL) < 0)
                        abort();
                check(a, false);
                if (erofs_tree_merge(b, a, NULL) >= 0)
                        check(b, false);
        }
        return 0;
}
