/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt trust, in two files: keys for ACIs, and what is taken from registries (trust-oci.c). */
#pragma once

#include "basic/table.h"
#include "verbs/verbs.h"

typedef struct TrustArgs {
        const char *prefix;
        const char *cosign_key;
        bool root;
        bool insecure;
        bool insecure_allow_http;
        bool skip_review;
        bool list;
        bool remove;
} TrustArgs;

typedef enum TrustColumn {
        TRUST_COLUMN_FINGERPRINT,
        TRUST_COLUMN_PREFIX,
        TRUST_COLUMN_IDENTITY,
        TRUST_COLUMN_FILE,
        _TRUST_COLUMN_MAX,
} TrustColumn;

int trust_review(const char *question, const char *what, const char *hint, Error *e);
int trust_add_row(Table *t, const char *const *cells, Error *e);
bool trust_is_oci_fingerprint(const char *s);
int trust_oci_add(const VerbContext *v, const TrustArgs *a, Error *e);
int trust_oci_remove(const VerbContext *v, const TrustArgs *a, const char *fingerprint, Error *e);
int trust_oci_list(const VerbContext *v, const TrustArgs *a, Table *t, Error *e);
