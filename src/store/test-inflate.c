/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows 76-80, 94 of robustness.md: what is compressed is read to its end, whole, and by every library the same. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "basic/fd.h"
#include "store/gunzip.h"
#include "store/inflate.h"

#define TAR_SIZE (300U * 1024)

static uint8_t tar[TAR_SIZE], packed[2 * TAR_SIZE];
static size_t n_packed;

/* One member with a header of our own: flags, and what they announce. */
static size_t pack(uint8_t *to, const uint8_t *data, size_t size, uint8_t flags, const char *more,
                   size_t n_more) {
        uint8_t header[10] = { 0x1f, 0x8b, 8, flags };
        uint32_t trailer[2] = { (uint32_t) crc32(0, data, (uInt) size), (uint32_t) size };
        z_stream z = {};
        size_t n;

        assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
        memcpy(to, header, sizeof(header));
        memcpy(to + sizeof(header), more, n_more);
        memcpy(&z.next_in, &data, sizeof(data));
        z.avail_in = (uInt) size;
        z.next_out = to + sizeof(header) + n_more;
        z.avail_out = TAR_SIZE;
        assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
        n = sizeof(header) + n_more + z.total_out;
        (void) deflateEnd(&z);
        memcpy(to + n, trailer, sizeof(trailer));
        return n + sizeof(trailer);
}

static int setup(void **state) {
        uint32_t x = 1;

        for (size_t i = 0; i < TAR_SIZE; i++) {
                x = x * 1103515245U + 12345U;
                tar[i] = (uint8_t) (i % 5 ? 'a' + (x >> 16) % 7 : x >> 24);
        }
        memcpy(tar + 257, "ustar", 5);
        n_packed = pack(packed, tar, TAR_SIZE, 0, "", 0);
        return 0;
}

/* What comes out: 0 and the number of bytes, or the error. */
static int inflate_all(const void *data, size_t size, bool only_zlib, InflateFlags flags, size_t *ret_n) {
        _cleanup_(inflate_freep) Inflate *i = NULL;
        _cleanup_close_ int fd = memfd_create("test", MFD_CLOEXEC);
        _cleanup_error_ Error e = ERROR_INIT;
        static uint8_t buffer[100000];
        int r;

        *ret_n = 0;
        assert_true(fd >= 0 && fd_write_all(fd, data, size) == 0 && lseek(fd, 0, SEEK_SET) == 0);
        r = inflate_new(fd, flags, &i, &e);
        if (r < 0)
                return r;
        if (only_zlib)
                inflate_only_zlib(i);
        for (;;) {
                ssize_t n = inflate_read(i, buffer, sizeof(buffer), &e);

                if (n <= 0)
                        return (int) n;
                if (*ret_n + (size_t) n <= TAR_SIZE)
                        assert_memory_equal(buffer, tar + *ret_n, (size_t) n);
                *ret_n += (size_t) n;
        }
}

static void expect(const char *what, const void *data, size_t size, int result, size_t n) {
        for (int only_zlib = 0; only_zlib < 2; only_zlib++) {
                size_t got;
                int r = inflate_all(data, size, only_zlib, 0, &got);

                if (r != result || (r == 0 && got != n))
                        fail_msg("%s: %s: %d, %zu bytes; not %d, %zu", what, only_zlib ? "zlib" : "default",
                                 r, got, result, n);
        }
}

static void test_gzip_is_read_to_its_end(void **state) {
        static uint8_t copy[3 * TAR_SIZE];
        size_t n;

        expect("good", packed, n_packed, 0, TAR_SIZE);
        for (size_t cut = 1; cut < n_packed; cut += cut < 20 ? 1 : n_packed / 7)
                expect("row 77, cut", packed, n_packed - cut, -EBADMSG, 0);
        expect("row 76, empty", packed, 0, -EBADMSG, 0);
        expect("row 76, one byte", packed, 1, -EBADMSG, 0);
        memcpy(copy, packed, n_packed);
        copy[n_packed - 8] ^= 1;
        expect("row 79, wrong CRC", copy, n_packed, -EBADMSG, 0);
        copy[n_packed - 8] ^= 1;
        copy[n_packed - 1] ^= 1;
        expect("row 79, wrong length", copy, n_packed, -EBADMSG, 0);
        memcpy(copy, packed, n_packed);
        memset(copy + n_packed, 0, 512);
        expect("row 80, zeros behind", copy, n_packed + 512, -EBADMSG, 0);
        memcpy(copy + n_packed, "garbage", 7);
        expect("row 80, garbage behind", copy, n_packed + 7, -EBADMSG, 0);
        expect("row 80, one byte behind", copy, n_packed + 1, -EBADMSG, 0);
        n = pack(copy, tar, 100000, 0, "", 0);
        n += pack(copy + n, tar + 100000, TAR_SIZE - 100000, 0, "", 0);
        expect("two members", copy, n, 0, TAR_SIZE);
        expect("two members, the second cut", copy, n - 3, -EBADMSG, 0);
        n += pack(copy + n, tar, 0, 0, "", 0);
        expect("an empty member at the end", copy, n, 0, TAR_SIZE);
}

/* The faster library ignores flags that mean nothing, and gets a checksum over a header in pieces wrong. */
static void test_gzip_headers(void **state) {
        static uint8_t copy[2 * TAR_SIZE];
        uint8_t header[10] = { 0x1f, 0x8b, 8, 2 };
        uint32_t crc = (uint32_t) crc32(0, header, sizeof(header));
        char extra[2 + 300] = { 44, 1 };
        size_t n;

        n = pack(copy, tar, TAR_SIZE, 8, "image.tar", 10);
        expect("with a name", copy, n, 0, TAR_SIZE);
        n = pack(copy, tar, TAR_SIZE, 4, extra, sizeof(extra));
        expect("with an extra field", copy, n, 0, TAR_SIZE);
        n = pack(copy, tar, TAR_SIZE, 16, "comment", 8);
        expect("with a comment", copy, n, 0, TAR_SIZE);
        n = pack(copy, tar, TAR_SIZE, 2, (char[]){ (char) crc, (char) (crc >> 8) }, 2);
        expect("with a checksum of the header", copy, n, 0, TAR_SIZE);
        copy[10] ^= 1;
        expect("with a wrong one", copy, n, -EBADMSG, 0);
        for (unsigned flag = 0x20; flag < 0x100; flag <<= 1) {
                n = pack(copy, tar, TAR_SIZE, (uint8_t) flag, "", 0);
                expect("with a reserved flag", copy, n, -EBADMSG, 0);
        }
        memcpy(copy, packed, n_packed);
        copy[2] = 7;
        expect("with another method", copy, n_packed, -EBADMSG, 0);
}

/* The input ends where it likes, the room too. */
static void test_gzip_in_pieces(void **state) {
        static const size_t sizes[] = { 1, 7, 4096, 2 * TAR_SIZE };
        static uint8_t out[TAR_SIZE];
        const GunzipKind *const kinds[] = { &gunzip_zlib, gunzip_fast };

        FOREACH_ARRAY (k, kinds, ELEMENTSOF(kinds))
                FOREACH_ARRAY (piece, sizes, ELEMENTSOF(sizes))
                        FOREACH_ARRAY (room, sizes, ELEMENTSOF(sizes)) {
                                const uint8_t *in = packed;
                                size_t at = 0, got;
                                void *s;
                                int r = 0;

                                if (!*k)
                                        continue;
                                assert_int_equal((*k)->begin(&s), 0);
                                while (r == 0 && at <= TAR_SIZE) {
                                        /* what is behind the member is read ahead, and given back */
                                        size_t n = MIN(*piece, (size_t) (packed + n_packed + 64 - in));

                                        r = (*k)->step(s, &in, &n, out + at, MIN(*room, TAR_SIZE - at), &got);
                                        at += got;
                                }
                                assert_int_equal(r, 1);
                                assert_int_equal(at, TAR_SIZE);
                                assert_ptr_equal(in, packed + n_packed);
                                assert_memory_equal(out, tar, TAR_SIZE);
                                (*k)->end(s);
                        }
}

static void test_other_formats(void **state) {
        static const struct {
                const char *what, *data;
                size_t size;
        } cases[] = {
                { "row 94, zip", "PK\003\004", 4 },
                { "row 94, cpio", "070701", 6 },
                { "row 94, ar", "!<arch>\n", 8 },
                { "row 94, mtree", "#mtree\n", 7 },
                { "row 94, uuencode", "begin 644 x\n", 12 },
                { "row 94, LRZI", "LRZI", 4 },
                { "row 94, 7z", "7z\xbc\xaf\x27\x1c", 6 },
                { "zstd, which is for OCI", "\x28\xb5\x2f\xfd", 4 },
                { "lz4", "\x04\x22\x4d\x18", 4 },
                { "compress", "\x1f\x9d\x90", 3 },
                { "row 95, HTML", "<!DOCTYPE html>", 15 },
                { "row 95, a signature", "-----BEGIN PGP SIGNATURE-----", 29 },
        };
        static uint8_t data[4096];

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                memset(data, 0, sizeof(data));
                memcpy(data, c->data, c->size);
                expect(c->what, data, sizeof(data), -EBADMSG, 0);
        }
}

static void expect_layer(const char *what, const void *data, size_t size, int result, size_t n) {
        size_t got;
        int r = inflate_all(data, size, false, INFLATE_LAYER, &got);

        if (r != result || (r == 0 && got != n))
                fail_msg("%s: %d, %zu bytes; not %d, %zu", what, r, got, result, n);
}

static size_t zstd_pack(uint8_t *to, size_t at, size_t size, int window_log) {
        ZSTD_CCtx *c = ZSTD_createCCtx();
        ZSTD_outBuffer out = { to, 2 * TAR_SIZE, 0 };
        ZSTD_inBuffer in = { tar + at, size, 0 };

        assert_non_null(c);
        (void) ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
        (void) ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, window_log);
        /* flushed first, or the window is no larger than the content */
        while (ZSTD_compressStream2(c, &out, &in, ZSTD_e_flush) != 0)
                ;
        while (ZSTD_compressStream2(c, &out, &in, ZSTD_e_end) != 0)
                ;
        (void) ZSTD_freeCCtx(c);
        return out.pos;
}

static void test_zstd(void **state) {
        static const uint8_t skippable[] = { 0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'T', 'O', 'C' };
        static uint8_t copy[4 * TAR_SIZE];
        size_t n = zstd_pack(copy, 0, TAR_SIZE, 0), m;

        expect_layer("good", copy, n, 0, TAR_SIZE);
        expect("an ACI", copy, n, -EBADMSG, 0);
        for (size_t cut = 1; cut < n; cut += cut < 20 ? 1 : n / 7)
                expect_layer("row 77, cut", copy, n - cut, -EBADMSG, 0);
        copy[n - 1] ^= 1;
        expect_layer("row 79, wrong checksum", copy, n, -EBADMSG, 0);
        copy[n - 1] ^= 1;
        memset(copy + n, 0, 512);
        expect_layer("row 80, zeros behind", copy, n + 512, -EBADMSG, 0);
        memcpy(copy + n, "garbage", 7);
        expect_layer("row 80, garbage behind", copy, n + 7, -EBADMSG, 0);
        n = zstd_pack(copy, 0, 100000, 0);
        memcpy(copy + n, skippable, sizeof(skippable));
        n += sizeof(skippable);
        m = n;
        n += zstd_pack(copy + n, 100000, TAR_SIZE - 100000, 0);
        expect_layer("two frames, one between that is skipped", copy, n, 0, TAR_SIZE);
        expect_layer("the second one cut", copy, n - 3, -EBADMSG, 0);
        memcpy(copy + n, skippable, sizeof(skippable));
        expect_layer("one in the end that is skipped", copy, n + sizeof(skippable), 0, TAR_SIZE);
        expect_layer("and cut", copy, n + sizeof(skippable) - 1, -EBADMSG, 0);
        n = zstd_pack(copy, 0, TAR_SIZE, 0);
        memmove(copy + sizeof(skippable), copy, n);
        memcpy(copy, skippable, sizeof(skippable));
        expect_layer("one in front that is skipped", copy, n + sizeof(skippable), 0, TAR_SIZE);
        n = pack(copy + m, tar + 100000, TAR_SIZE - 100000, 0, "", 0);
        (void) zstd_pack(copy, 0, 100000, 0);
        expect_layer("gzip behind zstd", copy, m + n, -EBADMSG, 0);
        n = zstd_pack(copy, 0, TAR_SIZE, INFLATE_WINDOW_LOG);
        expect_layer("the largest window", copy, n, 0, TAR_SIZE);
        n = zstd_pack(copy, 0, TAR_SIZE, INFLATE_WINDOW_LOG + 1);
        expect_layer("row 93, too large a window", copy, n, -E2BIG, 0);
}

static void test_layer_formats(void **state) {
        static uint8_t zero[2048];
        static const uint8_t xz[512] = "\xfd\x37zXZ", bzip2[512] = "BZh9";

        expect_layer("gzip", packed, n_packed, 0, TAR_SIZE);
        expect_layer("plain", tar, TAR_SIZE, 0, TAR_SIZE);
        expect("no ACI without entries", zero, sizeof(zero), -EBADMSG, 0);
        expect_layer("xz", xz, sizeof(xz), -EBADMSG, 0);
        expect_layer("bzip2", bzip2, sizeof(bzip2), -EBADMSG, 0);
        expect_layer("nothing", zero, 0, -EBADMSG, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_gzip_is_read_to_its_end),
                cmocka_unit_test(test_gzip_headers),
                cmocka_unit_test(test_gzip_in_pieces),
                cmocka_unit_test(test_other_formats),
                cmocka_unit_test(test_zstd),
                cmocka_unit_test(test_layer_formats),
        };

        return cmocka_run_group_tests(tests, setup, NULL);
}
