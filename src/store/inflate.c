/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gzip (zlib or ISA-L: gunzip.h), libbz2, liblzma and libzstd behind one read().
 *
 * The libraries are called directly, because their checksums must be looked at and the end must be the end: libarchive
 * does not compare gzip's CRC, and takes bytes behind the last member for a normal end (robustness.md 79, 80). Several
 * members in a row are fine; anything else behind one is not. There is one layer: what comes out must be a tar.
 */
#include "store/inflate.h"

#include <bzlib.h>
#include <inttypes.h>
#include <lzma.h>
#include <unistd.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "basic/alloc.h"
#include "store/gunzip.h"

#define ZSTD_MAGIC       "\x28\xb5\x2f\xfd"
#define ZSTD_SKIPPABLE   "\x50\x2a\x4d\x18" /* says nothing; "zstd:chunked" has its table of contents there */
#define GZIP_HEADER_SIZE 10U
#define GZIP_FLAGS_AT    3U
#define GZIP_FLAG_NAME   0x08U

/* One compression. step() uses i->in[start..end) and the buffer, and returns 1 when a member has ended. */
typedef struct InflateKind {
        const char *name;
        const char *magic;
        size_t magic_size;
        uint8_t magic_any; /* bits that may be different in its first byte */
        bool in_aci;
        bool in_layer;
        int (*begin)(Inflate *i);
        int (*step)(Inflate *i, uint8_t *buffer, size_t size, size_t *ret_n);
        void (*end)(Inflate *i);
} InflateKind;

struct Inflate {
        int fd;
        const InflateKind *kind; /* NULL: plain */
        uint8_t *in;             /* INFLATE_BUFFER */
        size_t start;
        size_t end;
        uint64_t n_in; /* bytes read */
        bool eof;
        bool running;   /* within a member */
        bool only_zlib; /* for tests: not the faster library */
        const GunzipKind *gunzip;
        ZSTD_DCtx *zstd; /* kept from frame to frame: there may be one for each file */
        union {
                void *g;
                bz_stream b;
                lzma_stream x;
        };
};

/* Which library: the fast one for members with a plain header, that is, one with a file name at most. What ISA-L does not
 * check of the header (flags that mean nothing) or gets wrong (a checksum of a header that comes in two pieces) is zlib's. */
static const GunzipKind *choose_gunzip(const Inflate *i) {
        const uint8_t *header = i->in + i->start;

        if (!gunzip_fast || i->only_zlib || i->end - i->start < GZIP_HEADER_SIZE ||
            (header[GZIP_FLAGS_AT] & ~GZIP_FLAG_NAME) != 0)
                return &gunzip_zlib;
        return gunzip_fast;
}

static int gzip_begin(Inflate *i) {
        i->gunzip = choose_gunzip(i);
        return i->gunzip->begin(&i->g);
}

static int gzip_step(Inflate *i, uint8_t *buffer, size_t size, size_t *ret_n) {
        const uint8_t *in = i->in + i->start;
        size_t n = i->end - i->start;
        int r;

        r = i->gunzip->step(i->g, &in, &n, buffer, size, ret_n);
        i->start = i->end - n;
        return r;
}

static void gzip_end(Inflate *i) {
        i->gunzip->end(i->g);
}

static int bzip2_begin(Inflate *i) {
        memset(&i->b, 0, sizeof(i->b));
        return BZ2_bzDecompressInit(&i->b, 0, 0) == BZ_OK ? 0 : -ENOMEM;
}

static int bzip2_step(Inflate *i, uint8_t *buffer, size_t size, size_t *ret_n) {
        int k;

        i->b.next_in = (char *) i->in + i->start;
        i->b.avail_in = (unsigned) (i->end - i->start);
        i->b.next_out = (char *) buffer;
        i->b.avail_out = (unsigned) size;
        k = BZ2_bzDecompress(&i->b);
        i->start = i->end - i->b.avail_in;
        *ret_n = size - i->b.avail_out;
        if (k == BZ_STREAM_END)
                return 1;
        return k == BZ_OK ? 0 : k == BZ_MEM_ERROR ? -ENOMEM : -EBADMSG;
}

static void bzip2_end(Inflate *i) {
        (void) BZ2_bzDecompressEnd(&i->b);
}

static int xz_begin(Inflate *i) {
        static const lzma_stream empty = LZMA_STREAM_INIT;

        i->x = empty;
        return lzma_stream_decoder(&i->x, INFLATE_MEMORY_MAX, 0) == LZMA_OK ? 0 : -ENOMEM;
}

static int xz_step(Inflate *i, uint8_t *buffer, size_t size, size_t *ret_n) {
        lzma_ret k;

        i->x.next_in = i->in + i->start;
        i->x.avail_in = i->end - i->start;
        i->x.next_out = buffer;
        i->x.avail_out = size;
        k = lzma_code(&i->x, LZMA_RUN);
        i->start = i->end - i->x.avail_in;
        *ret_n = size - i->x.avail_out;
        if (k == LZMA_STREAM_END)
                return 1;
        if (k == LZMA_MEMLIMIT_ERROR)
                return -E2BIG;
        return k == LZMA_OK || k == LZMA_BUF_ERROR ? 0 : k == LZMA_MEM_ERROR ? -ENOMEM : -EBADMSG;
}

static void xz_end(Inflate *i) {
        lzma_end(&i->x);
}

static int zstd_begin(Inflate *i) {
        if (i->zstd)
                return ZSTD_isError(ZSTD_DCtx_reset(i->zstd, ZSTD_reset_session_only)) ? -ENOMEM : 0;
        i->zstd = ZSTD_createDCtx();
        return i->zstd && !ZSTD_isError(
                                  ZSTD_DCtx_setParameter(i->zstd, ZSTD_d_windowLogMax, INFLATE_WINDOW_LOG))
                       ? 0
                       : -ENOMEM;
}

static int zstd_step(Inflate *i, uint8_t *buffer, size_t size, size_t *ret_n) {
        ZSTD_inBuffer in = { i->in + i->start, i->end - i->start, 0 };
        ZSTD_outBuffer out = { buffer, size, 0 };
        size_t k = ZSTD_decompressStream(i->zstd, &out, &in);

        i->start += in.pos;
        *ret_n = out.pos;
        switch (ZSTD_getErrorCode(k)) {
        case ZSTD_error_no_error: return k == 0;
        case ZSTD_error_frameParameter_windowTooLarge: return -E2BIG;
        case ZSTD_error_memory_allocation: return -ENOMEM;
        default: return -EBADMSG;
        }
}

/* The frame has ended; the rest is freed with the object. */
static void zstd_end(Inflate *i _unused_) {
}

static const InflateKind kinds[] = {
        { "gzip", "\x1f\x8b", 2, 0, true, true, gzip_begin, gzip_step, gzip_end },
        { "bzip2", "BZh", 3, 0, true, false, bzip2_begin, bzip2_step, bzip2_end },
        { "xz", "\xfd\x37\x7a\x58\x5a\x00", 6, 0, true, false, xz_begin, xz_step, xz_end },
        { "zstd", ZSTD_MAGIC, 4, 0, false, true, zstd_begin, zstd_step, zstd_end },
        { "zstd", ZSTD_SKIPPABLE, 4, 0x0f, false, true, zstd_begin, zstd_step, zstd_end },
};

/* Reads until "size" bytes are there, or the end. Some that were taken stay in front: they may be given back. */
static int fill(Inflate *i, size_t size) {
        size_t back = MIN(i->start, GUNZIP_BACK), behind = i->start - back;

        if (behind > 0) {
                memmove(i->in, i->in + behind, i->end - behind);
                i->end -= behind;
                i->start -= behind;
        }
        while (i->end - i->start < size && !i->eof) {
                ssize_t n = read(i->fd, i->in + i->end, INFLATE_BUFFER - i->end);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                i->eof = n == 0;
                i->end += (size_t) n;
                i->n_in += (uint64_t) n;
        }
        return 0;
}

static bool kind_matches(const Inflate *i, const InflateKind *k) {
        const uint8_t *p = i->in + i->start;

        return i->end - i->start >= k->magic_size && ((*p ^ (uint8_t) *k->magic) & ~k->magic_any) == 0 &&
               memcmp(p + 1, k->magic + 1, k->magic_size - 1) == 0;
}

/* A layer in which nothing was changed is an archive without entries: nothing but zeros. */
static bool is_plain_tar(const Inflate *i, InflateFlags flags) {
        static const uint8_t zero[512];

        return i->end >= 512 && (memcmp(i->in + 257, "ustar", 5) == 0 ||
                                 ((flags & INFLATE_LAYER) && memcmp(i->in, zero, sizeof(zero)) == 0));
}

/**
 * inflate_new() - look at the first bytes
 * @fd:    read to its end, not closed
 * @flags: see there
 * @ret:   for inflate_free()
 * @e:     sentence on failure; may be NULL
 *
 * Return: 0, -EBADMSG (none of the formats), -ENOMEM, errno of read().
 */
int inflate_new(int fd, InflateFlags flags, Inflate **ret, Error *e) {
        _cleanup_(inflate_freep) Inflate *i = NULL;
        int r;

        i = new0(Inflate, 1);
        if (!i)
                return error_oom(e);
        i->fd = fd;
        i->in = malloc(INFLATE_BUFFER);
        if (!i->in)
                return error_oom(e);
        r = fill(i, 512);
        if (r < 0)
                return error_setf(e, r, "cannot read the image: %s", strerror(-r));
        if (i->end == 0)
                return error_setf(e, -EBADMSG, "the %s is empty", flags & INFLATE_LAYER ? "layer" : "image");
        FOREACH_ARRAY (k, kinds, ELEMENTSOF(kinds))
                if (kind_matches(i, k) && !(flags & INFLATE_PLAIN) &&
                    ((flags & INFLATE_LAYER) ? k->in_layer : k->in_aci))
                        i->kind = k;
        if ((flags & INFLATE_PLAIN) && !is_plain_tar(i, flags))
                return error_setf(e, -EBADMSG, "it is not the plain tar archive that it should be");
        if (!i->kind && !is_plain_tar(i, flags))
                return error_setf(e, -EBADMSG, "the %s is neither a tar archive nor one compressed by %s",
                                  flags & INFLATE_LAYER ? "layer" : "image",
                                  flags & INFLATE_LAYER ? "gzip or zstd" : "gzip, bzip2 or xz");
        *ret = TAKE_PTR(i);
        return 0;
}

/**
 * inflate_free() - give up or end
 * @i: may be NULL
 *
 * Return: NULL.
 */
Inflate *inflate_free(Inflate *i) {
        if (!i)
                return NULL;
        if (i->running)
                i->kind->end(i);
        (void) ZSTD_freeDCtx(i->zstd);
        free(i->in);
        free(i);
        return NULL;
}

static bool is_zstd(const Inflate *i) {
        return i->kind->begin == zstd_begin;
}

/* Does what comes now belong to what was before? */
static bool continues(const Inflate *i) {
        FOREACH_ARRAY (k, kinds, ELEMENTSOF(kinds))
                if (k->begin == i->kind->begin && kind_matches(i, k))
                        return true;
        return false;
}

static int begin_member(Inflate *i, Error *e) {
        int r;

        r = fill(i, 16);
        if (r < 0)
                return error_setf(e, r, "cannot read the image: %s", strerror(-r));
        if (i->end == i->start)
                return 0;
        if (!continues(i))
                return error_setf(e, -EBADMSG, "bytes that do not belong there follow the end of the %s data",
                                  i->kind->name);
        r = i->kind->begin(i);
        if (r < 0)
                return error_oom(e);
        i->running = true;
        return 1;
}

static int memory_error(const Inflate *i, Error *e) {
        if (is_zstd(i))
                return error_setf(
                        e, -E2BIG,
                        "the zstd data needs a window of more than %d MiB; compress it with a smaller one",
                        1 << (INFLATE_WINDOW_LOG - 20));
        return error_setf(e, -E2BIG, "the %s data needs more memory than allowed", i->kind->name);
}

static ssize_t read_plain(Inflate *i, uint8_t *buffer, size_t size, Error *e) {
        size_t n;
        int r;

        if (i->end == i->start) {
                r = fill(i, 1);
                if (r < 0)
                        return error_setf(e, r, "cannot read the image: %s", strerror(-r));
        }
        n = MIN(size, i->end - i->start);
        memcpy(buffer, i->in + i->start, n);
        i->start += n;
        return (ssize_t) n;
}

/**
 * inflate_read() - the next bytes of the tar
 * @i:      object; unusable after a failure
 * @buffer: @size bytes
 * @size:   at least 1
 * @e:      sentence on failure; may be NULL
 *
 * Return: bytes; 0 at the end, which means that all of the input was read and every checksum was right; -EBADMSG (broken,
 * cut off, something behind the end), -E2BIG (wants more memory than allowed), -ENOMEM, errno of read().
 */
ssize_t inflate_read(Inflate *i, uint8_t *buffer, size_t size, Error *e) {
        if (!i->kind)
                return read_plain(i, buffer, size, e);
        for (;;) {
                size_t n = 0, before;
                int r;

                if (!i->running) {
                        r = begin_member(i, e);
                        if (r <= 0)
                                return r;
                }
                if (i->start == i->end) {
                        r = fill(i, 1);
                        if (r < 0)
                                return error_setf(e, r, "cannot read the image: %s", strerror(-r));
                }
                before = i->start;
                r = i->kind->step(i, buffer, size, &n);
                if (r == 0 && n == 0 && i->start == before && i->start < i->end)
                        r = -EBADMSG; /* it had both input and room */
                if (r == -E2BIG)
                        return memory_error(i, e);
                if (r < 0)
                        return error_setf(e, r, "the %s data is damaged at about byte %" PRIu64,
                                          i->kind->name, i->n_in - (i->end - i->start));
                if (r > 0) {
                        i->kind->end(i);
                        i->running = false;
                }
                if (n > 0)
                        return (ssize_t) n;
                if (r == 0 && i->eof && i->start == i->end)
                        return error_setf(e, -EBADMSG, "the %s data is cut off at byte %" PRIu64,
                                          i->kind->name, i->n_in);
        }
}

/**
 * inflate_only_zlib() - leave out the faster library for gzip
 * @i: before the first inflate_read()
 *
 * For tests that compare them.
 */
void inflate_only_zlib(Inflate *i) {
        i->only_zlib = true;
}

/**
 * inflate_n_in() - how much was read
 * @i: object
 *
 * Return: compressed bytes.
 */
uint64_t inflate_n_in(const Inflate *i) {
        return i->n_in;
}
