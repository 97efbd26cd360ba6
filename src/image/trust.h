/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding the keys that somebody may want to trust. Whether they are trusted is decided by a person, or by the option that
 * says so; keyring_add() then does it. */
#pragma once

#include "basic/insecure.h"
#include "image/keyring.h"

/* A key that was found. */
typedef struct TrustCandidate {
        char *location; /* path or URL */
        char *text;     /* the file */
        size_t size;
        PgpKey key;
} TrustCandidate;

#define TRUST_CANDIDATE_INIT ((TrustCandidate){ .key = PGP_KEY_INIT })

void trust_candidate_done(TrustCandidate *c);
int trust_load(const char *location, InsecureFlags insecure, TrustCandidate *ret, Error *e);
int trust_discover(const char *prefix, InsecureFlags insecure, char ***ret_urls, Error *e);
int trust_from_https(const char *name, const char *local_config, InsecureFlags insecure, char ***ret_paths,
                     Error *e);
