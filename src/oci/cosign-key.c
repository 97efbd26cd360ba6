/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Public keys as cosign writes them, by GnuTLS. Weak ones are no keys. */
#include <gnutls/abstract.h>
#include <stdio.h>

#include "basic/digest.h"
#include "basic/str.h"
#include "oci/cosign-internal.h"
#include "oci/cosign.h"

#define PEM_BEGIN "-----BEGIN PUBLIC KEY-----"

/**
 * cosign_key_done() - free the members
 * @k: is empty afterwards
 */
void cosign_key_done(CosignKey *k) {
        free(k->kind);
        free(k->der);
        *k = COSIGN_KEY_INIT;
}

static int describe_ecdsa(gnutls_pubkey_t key, char **ret, Error *e) {
        _cleanup_(cosign_datum_done) gnutls_datum_t x = {}, y = {};
        gnutls_ecc_curve_t curve;

        if (gnutls_pubkey_export_ecc_raw2(key, &curve, &x, &y, 0) < 0)
                return error_setf(e, -EBADMSG, "the ECDSA key cannot be read");
        if (curve != GNUTLS_ECC_CURVE_SECP256R1 && curve != GNUTLS_ECC_CURVE_SECP384R1)
                return error_setf(e, -EKEYREJECTED,
                                  "ECDSA keys must be on the curve P-256 or P-384, this is on %s",
                                  str_or(gnutls_ecc_curve_get_name(curve), "another"));
        *ret = strdup(curve == GNUTLS_ECC_CURVE_SECP256R1 ? "ECDSA P-256" : "ECDSA P-384");
        return *ret ? 0 : error_oom(e);
}

/* The kind of a key, for people; an error for kinds that we do not take. */
static int describe(gnutls_pubkey_t key, char **ret, Error *e) {
        unsigned bits = 0;
        int algorithm = gnutls_pubkey_get_pk_algorithm(key, &bits);

        switch (algorithm) {
        case GNUTLS_PK_ECDSA: return describe_ecdsa(key, ret, e);
        case GNUTLS_PK_EDDSA_ED25519: *ret = strdup("Ed25519"); break;
        case GNUTLS_PK_RSA:
                if (bits < COSIGN_RSA_BITS_MIN || bits > COSIGN_RSA_BITS_MAX)
                        return error_setf(e, -EKEYREJECTED, "RSA keys must have %u to %u bits, this has %u",
                                          COSIGN_RSA_BITS_MIN, COSIGN_RSA_BITS_MAX, bits);
                *ret = strf("RSA with %u bits", bits);
                break;
        default:
                return error_setf(e, -EKEYREJECTED,
                                  "the key must be ECDSA (P-256, P-384), Ed25519 or RSA, this is %s",
                                  algorithm >= 0 ? gnutls_pk_get_name((gnutls_pk_algorithm_t) algorithm)
                                                 : "something else");
        }
        return *ret ? 0 : error_oom(e);
}

/* The same key gives the same bytes, and so the same fingerprint, however its file was written. */
static int take_key(gnutls_pubkey_t key, CosignKey *ret, Error *e) {
        _cleanup_(cosign_datum_done) gnutls_datum_t der = {};
        _cleanup_(digest_freep) Digest *digest = NULL;
        _cleanup_free_ uint8_t *copy = NULL;
        _cleanup_free_ char *kind = NULL;
        char hex[DIGEST_HEX_MAX];
        int r;

        r = describe(key, &kind, e);
        if (r < 0)
                return r;
        if (gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, &der) < 0 || der.size > COSIGN_KEY_MAX)
                return error_setf(e, -EBADMSG, "the key cannot be written");
        copy = malloc(der.size);
        if (!copy)
                return error_oom(e);
        memcpy(copy, der.data, der.size);
        r = digest_new(DIGEST_SHA256, &digest);
        if (r >= 0)
                r = digest_update(digest, copy, der.size);
        if (r >= 0)
                r = digest_final_hex(digest, hex);
        if (r < 0)
                return error_setf(e, r, "cannot make the fingerprint of a key: %s", strerror(-r));
        *ret = (CosignKey){ .kind = TAKE_PTR(kind), .der = TAKE_PTR(copy), .size = der.size };
        (void) snprintf(ret->fingerprint, sizeof(ret->fingerprint), "SHA256:%.64s", hex);
        return 0;
}

static int import_key(const void *data, size_t size, gnutls_x509_crt_fmt_t format, CosignKey *ret, Error *e) {
        _cleanup_(cosign_pubkey_done) gnutls_pubkey_t key = NULL;
        const gnutls_datum_t datum = cosign_datum(data, size);
        int r;

        if (gnutls_pubkey_init(&key) < 0)
                return error_oom(e);
        r = gnutls_pubkey_import(key, &datum, format);
        if (r < 0)
                return error_setf(e, -EBADMSG, "the public key is damaged: %s", gnutls_strerror(r));
        return take_key(key, ret, e);
}

/**
 * cosign_key_from_der() - read a key as cosign_key_parse() gave it
 * @der:  @size bytes, a SubjectPublicKeyInfo
 * @size: bytes
 * @ret:  for cosign_key_done()
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, -EBADMSG (no key), -EKEYREJECTED (a kind or a length that is not taken), -ENOMEM.
 */
int cosign_key_from_der(const uint8_t *der, size_t size, CosignKey *ret, Error *e) {
        if (size == 0 || size > COSIGN_KEY_MAX)
                return error_setf(e, -EBADMSG, "a public key has 1 to %u bytes", COSIGN_KEY_MAX);
        return import_key(der, size, GNUTLS_X509_FMT_DER, ret, e);
}

/**
 * cosign_key_parse() - read the file cosign.pub, or any other with one public key
 * @pem:  @size bytes
 * @size: bytes
 * @ret:  for cosign_key_done()
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, -EBADMSG (no key, or several), -EKEYREJECTED (a kind or a length that is not taken), -E2BIG, -ENOMEM.
 */
int cosign_key_parse(const char *pem, size_t size, CosignKey *ret, Error *e) {
        _cleanup_free_ char *text = NULL;
        const char *begin;

        if (size > COSIGN_KEY_FILE_MAX)
                return error_setf(e, -E2BIG, "a public key has at most %u bytes", COSIGN_KEY_FILE_MAX);
        text = strndup(pem, size);
        if (!text)
                return error_oom(e);
        if (strstr(text, "PRIVATE KEY-----"))
                return error_setf(e, -EBADMSG,
                                  "this is a private key, which must stay secret; give the public one "
                                  "(cosign.pub)");
        begin = strstr(text, PEM_BEGIN);
        if (!begin)
                return error_setf(e, -EBADMSG, "there is no public key (wanted: " PEM_BEGIN ")");
        if (strstr(begin + strlen(PEM_BEGIN), "-----BEGIN"))
                return error_setf(e, -EBADMSG,
                                  "there is more than one key in it; write each to its own file");
        return import_key(begin, strlen(begin), GNUTLS_X509_FMT_PEM, ret, e);
}

/**
 * cosign_key_to_pem() - write a key
 * @k:   key
 * @ret: text, for free()
 *
 * Return: 0, -ENOMEM.
 */
int cosign_key_to_pem(const CosignKey *k, char **ret) {
        const gnutls_datum_t der = { k->der, (unsigned) k->size };
        _cleanup_(cosign_datum_done) gnutls_datum_t pem = {};

        if (gnutls_pem_base64_encode2("PUBLIC KEY", &der, &pem) < 0)
                return -ENOMEM;
        *ret = strndup((const char *) pem.data, pem.size);
        return *ret ? 0 : -ENOMEM;
}
