/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The faster gzip library beside zlib. What zlib inflates, it must inflate to the same bytes. What else it lets through
 * (sets of codes with a gap, which zlib refuses) must at least have the checksum and length that the trailer says. No byte
 * outside of its buffers is touched: they end at a page that cannot be (it is assembler, which the sanitizers do not see).
 *
 * The first byte chooses the sizes of the pieces. If its highest bit is set, what follows is a deflate stream without header
 * and trailer; they are made to fit what the faster library made of it, so that the checksum hides nothing. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "store/gunzip.h"

#define INPUT_MAX  (1U << 16)
#define OUTPUT_MAX (1U << 18)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const size_t pieces[] = { 1, 13, 328, 4096, INPUT_MAX };
static const size_t rooms[] = { 1, 300, 8192, 65536 };

/* The end of memory behind which nothing may be touched. */
static uint8_t *guarded(size_t size) {
        uint8_t *p = mmap(NULL, size + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (p == MAP_FAILED || mprotect(p + size, 4096, PROT_NONE) < 0)
                abort();
        return p + size;
}

/* Result of the last step; *ret_left: bytes behind the member. */
static int run(const GunzipKind *kind, const uint8_t *data, size_t size, size_t piece, size_t room,
               uint8_t *out, size_t *ret_n, size_t *ret_left) {
        static uint8_t *in_end, *out_end;
        unsigned idle = 0;
        size_t taken = 0;
        void *state;
        int r = 0;

        if (!in_end) {
                in_end = guarded(INPUT_MAX + 4096);
                out_end = guarded(INPUT_MAX);
        }
        *ret_n = 0;
        if (kind->begin(&state) < 0)
                abort();
        while (r == 0 && idle < 3) {
                size_t n = MIN(size, piece), left = n, k = MIN(room, OUTPUT_MAX - *ret_n), got = 0;
                size_t back = MIN(taken, (size_t) GUNZIP_BACK);
                const uint8_t *in = in_end - n;

                if (k == 0)
                        break;
                memcpy(in_end - n - back, data - back, n + back);
                r = kind->step(state, &in, &left, out_end - k, k, &got);
                if (left > n + (r > 0 ? back : 0) || got > k || in != in_end - left)
                        abort();
                memcpy(out + *ret_n, out_end - k, got);
                *ret_n += got;
                taken = taken + n - left;
                data = data + n - left;
                size = size - n + left;
                idle = got == 0 && left == n ? idle + 1 : 0;
        }
        kind->end(state);
        *ret_left = size;
        return r;
}

/* Header, data, trailer. */
static size_t wrap(const uint8_t *data, size_t size, uint8_t *buffer, uint8_t *out) {
        static const uint8_t header[10] = { 0x1f, 0x8b, 8 };
        size_t n, left, at = sizeof(header) + size;
        uint32_t trailer[2];

        memcpy(buffer, header, sizeof(header));
        memcpy(buffer + sizeof(header), data, size);
        (void) run(gunzip_fast, buffer, at, INPUT_MAX, OUTPUT_MAX / 4, out, &n, &left);
        trailer[0] = (uint32_t) crc32(0, out, (uInt) n);
        trailer[1] = (uint32_t) n;
        /* What it left over, up to a whole trailer, is where it believes the trailer to be. */
        memcpy(buffer + at - MIN(left, size), trailer, sizeof(trailer));
        return at - MIN(left, size) + sizeof(trailer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static uint8_t buffer[INPUT_MAX], fast[OUTPUT_MAX], slow[OUTPUT_MAX];
        size_t n_fast, n_slow, left_fast, left_slow, piece, room;
        int a, b;

        if (!gunzip_fast || size < 1 || size > INPUT_MAX - 64)
                return 0;
        piece = pieces[(data[0] & 7) % ELEMENTSOF(pieces)];
        room = rooms[(data[0] >> 3 & 3) % ELEMENTSOF(rooms)];
        if (data[0] & 0x80)
                size = wrap(data + 1, size - 1, buffer, fast);
        else
                memcpy(buffer, data + 1, --size);
        /* inflate.c gives headers with other flags to zlib */
        if (size < 10 || buffer[0] != 0x1f || buffer[1] != 0x8b || (buffer[3] & ~8) != 0)
                return 0;
        a = run(gunzip_fast, buffer, size, piece, room, fast, &n_fast, &left_fast);
        b = run(&gunzip_zlib, buffer, size, INPUT_MAX, INPUT_MAX, slow, &n_slow, &left_slow);
        if (n_fast == OUTPUT_MAX || n_slow == OUTPUT_MAX)
                return 0;
        if (b > 0 &&
            (a <= 0 || n_fast != n_slow || left_fast != left_slow || memcmp(fast, slow, n_fast) != 0))
                abort();
        if (a > 0) {
                uint32_t trailer[2];

                memcpy(trailer, buffer + size - left_fast - sizeof(trailer), sizeof(trailer));
                if (trailer[0] != (uint32_t) crc32(0, fast, (uInt) n_fast) || trailer[1] != (uint32_t) n_fast)
                        abort();
        }
        return 0;
}
