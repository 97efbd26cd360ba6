/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An OpenPGP public key as a file: armor off, packets walked, fingerprint computed. Judging signatures is gpgv's job. */
#pragma once

#include <stdint.h>

#include "basic/alloc.h"
#include "basic/error.h"

#define PGP_KEY_FILE_MAX    (256U * 1024)
#define PGP_FINGERPRINT_HEX 40U

typedef struct PgpKey {
        char fingerprint[PGP_FINGERPRINT_HEX + 1]; /* lower case; of the primary key */
        char **identities;                         /* "Name <mail>", control characters replaced */
        char **subkeys;                            /* fingerprints */
        uint8_t *data;                             /* packets, without armor */
        size_t size;
} PgpKey;

#define PGP_KEY_INIT ((PgpKey){})

void pgp_key_done(PgpKey *k);
int pgp_key_parse(const char *text, size_t size, PgpKey *ret, Error *e);
