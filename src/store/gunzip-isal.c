/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gzip by ISA-L's igzip: half of zlib's time.
 *
 * Its inflater is written in assembler, which no sanitizer looks into: fuzz-gunzip runs it beside zlib between pages that
 * cannot be touched, and wants the same bytes. It takes sets of codes with gaps, which zlib refuses; that is harmless, as
 * the checksum has to be right and nobody else inflates the same bytes. It checks CRC and length of a member in ISAL_GZIP mode.
 * Of the header it does not check everything, so inflate.c gives it plain ones only. It reads ahead by up to eight bytes,
 * and gives back what is behind the member even if an earlier call brought it.
 */
#include <isa-l/igzip_lib.h>
#include <limits.h>

#include "basic/alloc.h"
#include "store/gunzip.h"

static int isal_begin(void **ret) {
        struct inflate_state *s = new0(struct inflate_state, 1);

        if (!s)
                return -ENOMEM;
        isal_inflate_init(s);
        s->crc_flag = ISAL_GZIP;
        *ret = s;
        return 0;
}

static int isal_step(void *state, const uint8_t **in, size_t *n_in, uint8_t *out, size_t size,
                     size_t *ret_n) {
        struct inflate_state *s = state;
        size_t n = MIN(*n_in, (size_t) INT_MAX), room = MIN(size, (size_t) INT_MAX);
        int k;

        /* ISA-L's pointer is not const-correct; it only reads. */
        memcpy(&s->next_in, in, sizeof(*in));
        s->avail_in = (uint32_t) n;
        s->next_out = out;
        s->avail_out = (uint32_t) room;
        k = isal_inflate(s);
        if (k < 0) /* next_in and avail_in contradict each other then */
                return -EBADMSG;
        /* may be before where it was */
        *in = s->next_in;
        *n_in = *n_in - n + s->avail_in;
        *ret_n = room - s->avail_out;
        return s->block_state == ISAL_BLOCK_FINISH;
}

static void isal_end(void *state) {
        free(state);
}

static const GunzipKind isal = { "ISA-L", isal_begin, isal_step, isal_end };
const GunzipKind *const gunzip_fast = &isal;
