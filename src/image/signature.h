/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Detached OpenPGP signatures, checked by gpgv in a process of its own while the image flows by. */
#pragma once

#include <stdbool.h>

#include "basic/parse.h"
#include "image/keyring.h"

#define SIGNATURE_SIZE_MAX (64U * 1024)
#define GPGV_USER          "rkt-gpgv"

/* A good signature of a kind that we accept. Fingerprints are lower case. */
typedef struct SignatureGood {
        char *primary;    /* key */
        char *made_by;    /* that key or a subkey of it */
        usec_t time_usec; /* when, as it says; 0: not known */
} SignatureGood;

/* What gpgv says, sorted. */
typedef struct SignatureVerdict {
        SignatureGood *good;
        size_t n_good;
        char *unknown_key; /* a signature was made by a key that is in no trusted file */
        char *expired_key; /* a signature is right, but its key has expired */
        char *revoked_key; /* a signature is right, but its key was revoked */
        bool bad;          /* a signature does not fit the data */
        bool expired;      /* a signature is right, but was valid for some time only */
        bool weak;         /* made with a hash that we do not accept, or not a signature of a file */
        bool any;          /* gpgv found a signature at all */
} SignatureVerdict;

/* Whose word an image comes with. */
typedef struct SignatureSigner {
        const TrustedKey *key;
        usec_t time_usec;
} SignatureSigner;

typedef struct SignatureCheck SignatureCheck;

int signature_check_start(const Keyring *k, const char *signature, size_t size, SignatureCheck **ret,
                          Error *e);
int signature_check_write(SignatureCheck *c, const void *data, size_t size, Error *e);
int signature_check_finish(SignatureCheck *c, SignatureVerdict *ret, Error *e);
SignatureCheck *signature_check_free(SignatureCheck *c);
DEFINE_CLEANUP(SignatureCheck *, signature_check_free);

int signature_message_read(const Keyring *k, const char *message, size_t size, SignatureVerdict *ret,
                           char **ret_payload, size_t *ret_size, Error *e);

void signature_verdict_done(SignatureVerdict *v);
int signature_verdict_parse(const char *status, SignatureVerdict *ret);
int signature_verdict_judge(const SignatureVerdict *v, const Keyring *k, const char *name,
                            SignatureSigner **ret, size_t *ret_n, Error *e);
