/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a user may switch off: --insecure-options= and InsecureOptions=. */
#pragma once

#include <stdbool.h>

#include "basic/error.h"

typedef enum InsecureFlags {
        INSECURE_IMAGE = 1 << 0,        /* signatures of images */
        INSECURE_TLS = 1 << 1,          /* certificates */
        INSECURE_HTTP = 1 << 2,         /* plain http for images and discovery */
        INSECURE_PUBKEY = 1 << 3,       /* plain http for keys */
        INSECURE_ONDISK = 1 << 4,       /* accepted and without effect, as in rkt since 1.20 */
        INSECURE_CAPABILITIES = 1 << 5, /* capability bounding */
        INSECURE_PATHS = 1 << 6,        /* hidden and read-only kernel paths, device policy */
        INSECURE_SECCOMP = 1 << 7,      /* system call filters */

        INSECURE_NONE = 0,
        INSECURE_ALL_FETCH = INSECURE_IMAGE | INSECURE_TLS | INSECURE_HTTP | INSECURE_PUBKEY,
        INSECURE_ALL_RUN = INSECURE_CAPABILITIES | INSECURE_PATHS | INSECURE_SECCOMP,
        INSECURE_ALL = INSECURE_ALL_FETCH | INSECURE_ALL_RUN | INSECURE_ONDISK,
} InsecureFlags;

int insecure_flags_parse(const char *s, InsecureFlags *ret, Error *e);
int insecure_flags_to_string(InsecureFlags flags, char **ret);
