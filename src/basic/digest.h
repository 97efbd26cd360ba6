/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SHA-256 and SHA-512 over a stream. */
#pragma once

#include <stdint.h>

#include "basic/alloc.h"

typedef enum DigestType {
        DIGEST_SHA256,
        DIGEST_SHA512,
        _DIGEST_TYPE_MAX,
        _DIGEST_TYPE_INVALID = -EINVAL,
} DigestType;

#define DIGEST_SIZE_MAX 64
#define DIGEST_HEX_MAX  (DIGEST_SIZE_MAX * 2 + 1)

typedef struct Digest Digest;

int digest_new(DigestType type, Digest **ret);
Digest *digest_free(Digest *d);
DEFINE_CLEANUP(Digest *, digest_free);
int digest_update(Digest *d, const void *data, size_t size);
size_t digest_size(DigestType type);
int digest_final_hex(Digest *d, char ret[DIGEST_HEX_MAX]);
