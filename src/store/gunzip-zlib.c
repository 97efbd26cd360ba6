/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gzip by zlib. */
#include <limits.h>
#include <zlib.h>

#include "basic/alloc.h"
#include "store/gunzip.h"

static int zlib_begin(void **ret) {
        z_stream *z = new0(z_stream, 1);

        if (!z)
                return -ENOMEM;
        if (inflateInit2(z, 15 + 16) != Z_OK) {
                free(z);
                return -ENOMEM;
        }
        *ret = z;
        return 0;
}

static int zlib_step(void *state, const uint8_t **in, size_t *n_in, uint8_t *out, size_t size,
                     size_t *ret_n) {
        z_stream *z = state;
        size_t n = MIN(*n_in, (size_t) UINT_MAX), room = MIN(size, (size_t) UINT_MAX);
        int k;

        /* zlib's pointer is not const-correct; it only reads. */
        memcpy(&z->next_in, in, sizeof(*in));
        z->avail_in = (uInt) n;
        z->next_out = out;
        z->avail_out = (uInt) room;
        k = inflate(z, Z_NO_FLUSH);
        *in += n - z->avail_in;
        *n_in -= n - z->avail_in;
        *ret_n = room - z->avail_out;
        if (k == Z_STREAM_END)
                return 1;
        return k == Z_OK || k == Z_BUF_ERROR ? 0 : k == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
}

static void zlib_end(void *state) {
        (void) inflateEnd(state);
        free(state);
}

const GunzipKind gunzip_zlib = { "zlib", zlib_begin, zlib_step, zlib_end };
