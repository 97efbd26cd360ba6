/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compressed bytes from a descriptor become the tar they hold. Formats by name: gzip, bzip2, xz, plain tar; of
 * layers gzip, zstd, plain tar. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "basic/error.h"

#define INFLATE_BUFFER     IO_BUFFER(128U * 1024)
#define INFLATE_MEMORY_MAX (128U << 20) /* bytes that xz may ask for */
#define INFLATE_WINDOW_LOG                                                                                   \
        25 /* of zstd: 32 MiB; its own tools stay below unless told "--ultra" or "--long" */

typedef struct Inflate Inflate;

typedef enum InflateFlags {
        INFLATE_LAYER = 1 << 0, /* of an OCI image: gzip, zstd or a plain tar, which may be empty */
        INFLATE_PLAIN = 1 << 1, /* nothing but a plain tar */
} InflateFlags;

int inflate_new(int fd, InflateFlags flags, Inflate **ret, Error *e);
Inflate *inflate_free(Inflate *i);
DEFINE_CLEANUP(Inflate *, inflate_free);
ssize_t inflate_read(Inflate *i, uint8_t *buffer, size_t size, Error *e);
void inflate_only_zlib(Inflate *i);
uint64_t inflate_n_in(const Inflate *i);
