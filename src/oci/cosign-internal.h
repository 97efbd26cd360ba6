/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files about cosign share. */
#pragma once

#include <gnutls/abstract.h>

#include "basic/alloc.h"
#include "basic/error.h"
#include "oci/cosign.h"

static inline void cosign_datum_done(gnutls_datum_t *d) {
        gnutls_free(d->data);
        d->data = NULL;
}

/* GnuTLS takes pointers without const to what it only reads. */
static inline gnutls_datum_t cosign_datum(const void *data, size_t size) {
        gnutls_datum_t d = { .size = (unsigned) size };

        memcpy(&d.data, &data, sizeof(d.data));
        return d;
}

static inline void cosign_pubkey_done(gnutls_pubkey_t *key) {
        if (*key)
                gnutls_pubkey_deinit(*key);
}

int cosign_check_signature(const CosignKey *key, const void *data, size_t size, const char *signature,
                           Error *e);
int cosign_base64_decode(const char *text, gnutls_datum_t *ret);
int cosign_bundle_verify(const OciSignature *s, const CosignKey *key, const CosignAsked *asked, Error *e);
