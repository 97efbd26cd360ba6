/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One member of gzip data, by one library or another. inflate.c knows where members begin and what may follow them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "basic/macro.h"

#define GUNZIP_BACK 8U

typedef struct GunzipKind {
        const char *name;
        /* Ready for a member that begins with its header; @ret for free(). 0, -ENOMEM. */
        int (*begin)(void **ret);
        /* Takes what it can of *in, which is advanced, and fills @out. 1: the member has ended, its checksum and length are
         * right, and *in is behind it; 0: give it more input, or more room; -EBADMSG, -ENOMEM. Where the member has ended,
         * *in may be up to GUNZIP_BACK bytes before where it was: the input of the last calls must lie there. */
        int (*step)(void *state, const uint8_t **in, size_t *n_in, uint8_t *out, size_t size, size_t *ret_n);
        void (*end)(void *state); /* gives up or ends; frees @state */
} GunzipKind;

extern const GunzipKind gunzip_zlib;
extern const GunzipKind *const gunzip_fast; /* the same in less time; NULL: this build has none */
