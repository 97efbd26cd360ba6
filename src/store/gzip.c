/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* By zlib, whose header has neither a name nor a time. */
#include "store/gzip.h"

#include <zlib.h>

#include "basic/alloc.h"

#define PIECE    (64U * 1024)
#define WINDOW   (15 + 16) /* the largest, in gzip's frame */
#define MEM_USED 8
#define LEVEL    6 /* what gzip(1) does */

struct Gzip {
        TarSink sink;
        void *userdata;
        z_stream z;
        uint8_t out[PIECE];
};

/**
 * gzip_new() - begin
 * @sink:     gets the compressed bytes
 * @userdata: for it
 * @ret:      for gzip_free()
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0, -ENOMEM.
 */
int gzip_new(TarSink sink, void *userdata, Gzip **ret, Error *e) {
        _cleanup_free_ Gzip *g = new0(Gzip, 1);

        if (!g || deflateInit2(&g->z, LEVEL, Z_DEFLATED, WINDOW, MEM_USED, Z_DEFAULT_STRATEGY) != Z_OK)
                return error_oom(e);
        g->sink = sink;
        g->userdata = userdata;
        *ret = TAKE_PTR(g);
        return 0;
}

/**
 * gzip_free() - free
 * @g: may be NULL
 *
 * Return: NULL.
 */
Gzip *gzip_free(Gzip *g) {
        if (!g)
                return NULL;
        (void) deflateEnd(&g->z);
        free(g);
        return NULL;
}

static int deflate_all(Gzip *g, int flush, Error *e) {
        int k;

        do {
                int r;

                g->z.next_out = g->out;
                g->z.avail_out = sizeof(g->out);
                k = deflate(&g->z, flush);
                if (k == Z_STREAM_ERROR)
                        return error_setf(e, -EIO, "zlib is in an impossible state");
                r = g->z.avail_out == sizeof(g->out)
                            ? 0
                            : g->sink(g->userdata, g->out, sizeof(g->out) - g->z.avail_out, e);
                if (r < 0)
                        return r;
        } while (g->z.avail_out == 0 || (flush == Z_FINISH && k != Z_STREAM_END));
        return 0;
}

/**
 * gzip_push() - more bytes; a TarSink
 * @gzip: Gzip
 * @data: @size bytes
 * @size: less than 4 GiB
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, what the sink returned.
 */
int gzip_push(void *gzip, const void *data, size_t size, Error *e) {
        Gzip *g = gzip;

        /* zlib's pointer is not const-correct; it only reads. */
        memcpy(&g->z.next_in, &data, sizeof(data));
        g->z.avail_in = (uInt) size;
        return deflate_all(g, Z_NO_FLUSH, e);
}

/**
 * gzip_finish() - the rest, and the checksum
 * @g: stream
 * @e: sentence on failure; may be NULL
 *
 * Return: 0, what the sink returned.
 */
int gzip_finish(Gzip *g, Error *e) {
        return deflate_all(g, Z_FINISH, e);
}
