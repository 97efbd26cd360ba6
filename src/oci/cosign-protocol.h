/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What goes to rkt-cosign and what comes back. Both ends are the same build on the same machine, so numbers are in its own
 * order; but the worker may have been taken over by what it reads, so the reader of its answer believes nothing. */
#pragma once

#include "oci/cosign.h"

#define COSIGN_KEYS_MAX       64U
#define COSIGN_DIGESTS_MAX    8U
#define COSIGN_SIGNATURES_MAX 64U
#define COSIGN_REQUEST_MAX    (COSIGN_SIGNATURES_MAX * (COSIGN_PAYLOAD_MAX + COSIGN_SIGNATURE_MAX) + (1U << 20))
#define COSIGN_TEXT_MAX       512U /* bytes of a sentence, with the NUL */
#define COSIGN_ANSWER_MAX     (COSIGN_SIGNATURES_MAX * (COSIGN_TEXT_MAX + 64U))

typedef struct CosignRequest {
        CosignKey *keys;
        size_t n_keys;
        OciName *name;
        char **digests;
        CosignIdentity identity;
        OciSignature *signatures;
        size_t n_signatures;
} CosignRequest;

/* About one signature, in the order of the request. */
typedef struct CosignVerdict {
        int r;                      /* 0: good; or a negative errno */
        unsigned key;               /* that made it, when it is good */
        usec_t time_usec;           /* 0: not known */
        char text[COSIGN_TEXT_MAX]; /* why it is not good; printable ASCII */
} CosignVerdict;

int cosign_request_encode(const CosignRequest *q, char **ret, size_t *ret_size);
int cosign_request_decode(const char *data, size_t size, CosignRequest *ret, Error *e);
void cosign_request_done(CosignRequest *q);
int cosign_answer_encode(const CosignVerdict *verdicts, size_t n, char **ret, size_t *ret_size);
int cosign_answer_decode(const char *data, size_t size, size_t n_keys, size_t n, CosignVerdict **ret,
                         Error *e);
void cosign_judge(const CosignRequest *q, CosignVerdict *ret);
