/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compressed bytes of any kind. */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "basic/fd.h"
#include "store/inflate.h"

/* Of the first block, if it has LZMA2 and nothing else. */
#define XZ_DICTIONARY_AT  16
#define XZ_DICTIONARY_64K 8
#define XZ_DICTIONARY_MAX 40

/* Behind the magic: of a frame whose window is not that of its content. */
#define ZSTD_DESCRIPTOR_AT 4
#define ZSTD_WINDOW_AT     5
#define ZSTD_SINGLE        0x20
#define ZSTD_WINDOW_256K   (8 << 3)
#define ZSTD_WINDOW_MAX    ((INFLATE_WINDOW_LOG - 10 + 1) << 3)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_zstd(const uint8_t *data, size_t size) {
        return size > ZSTD_WINDOW_AT &&
               (memcmp(data, "\x28\xb5\x2f\xfd", 4) == 0 ||
                ((data[0] & 0xf0) == 0x50 && memcmp(data + 1, "\x2a\x4d\x18", 3) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(inflate_freep) Inflate *i = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        static uint8_t buffer[65536];
        static int fd = -EBADF;
        size_t total = 0;

        if (fd < 0)
                fd = memfd_create("fuzz", MFD_CLOEXEC);
        /* bzip2, xz and zstd allocate by what stands here: less is faster, and the same code */
        if (size > 3 && memcmp(data, "BZh", 3) == 0 && data[3] > '1' && data[3] <= '9')
                return 0;
        if (size > XZ_DICTIONARY_AT && memcmp(data, "\xfd\x37zXZ", 5) == 0 &&
            data[XZ_DICTIONARY_AT] > XZ_DICTIONARY_64K && data[XZ_DICTIONARY_AT] <= XZ_DICTIONARY_MAX)
                return 0;
        if (is_zstd(data, size) && !(data[ZSTD_DESCRIPTOR_AT] & ZSTD_SINGLE) &&
            data[ZSTD_WINDOW_AT] > ZSTD_WINDOW_256K && data[ZSTD_WINDOW_AT] < ZSTD_WINDOW_MAX)
                return 0;
        if (fd < 0 || ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0 ||
            fd_write_all(fd, data, size) < 0 || lseek(fd, 0, SEEK_SET) < 0)
                return 0;
        if (inflate_new(fd, is_zstd(data, size) ? INFLATE_LAYER : 0, &i, &e) < 0)
                return 0;
        for (ssize_t n = 1; n > 0 && total < 1U << 20; total += (size_t) n) {
                n = inflate_read(i, buffer, sizeof(buffer), &e);
                if (n < 0)
                        break;
        }
        return 0;
}
