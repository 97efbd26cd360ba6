/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* OpenPGP public keys as a file: armor off, packets walked, fingerprints computed. Judging signatures is gpgv's job. */
#pragma once

#include <stdint.h>

#include "basic/alloc.h"
#include "basic/error.h"

#define PGP_KEY_FILE_MAX    (256U * 1024)
#define PGP_KEYS_MAX        64U /* in one file */
#define PGP_FINGERPRINT_HEX 40U
#define PGP_BITS_MIN        2048U /* of RSA and DSA */

typedef struct PgpKey {
        char fingerprint[PGP_FINGERPRINT_HEX + 1]; /* lower case; of the primary key */
        char **identities;                         /* "Name <mail>", control characters replaced */
        char **subkeys;                            /* fingerprints */
        char **weak_subkeys;                       /* those whose signatures prove nothing */
        uint8_t *data;                             /* packets, without armor */
        size_t size;
} PgpKey;

typedef struct PgpKeys {
        PgpKey *keys;
        size_t n_keys;
} PgpKeys;

#define PGP_KEY_INIT ((PgpKey){})

void pgp_key_done(PgpKey *k);
void pgp_keys_done(PgpKeys *k);
int pgp_keys_parse(const char *text, size_t size, PgpKeys *ret, Error *e);
int pgp_key_parse(const char *text, size_t size, PgpKey *ret, Error *e);
int pgp_key_armor(const PgpKey *k, char **ret);
void pgp_text_clean(char *s);
