/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is a signature good, by this key? Only then: does it speak of the image that was asked for? */
#include "oci/cosign.h"
#include "basic/str.h"
#include "oci/cosign-internal.h"

/**
 * cosign_base64_decode() - bytes of base64 text
 * @text: hostile
 * @ret:  for cosign_datum_done()
 *
 * Return: 0, -EBADMSG (no base64, or nothing).
 */
int cosign_base64_decode(const char *text, gnutls_datum_t *ret) {
        const gnutls_datum_t in = cosign_datum(text, strlen(text));

        if (!*text || gnutls_base64_decode2(&in, ret) < 0)
                return -EBADMSG;
        return ret->size > 0 ? 0 : -EBADMSG;
}

/* With which hash and padding a key signs. cosign takes SHA-256 for every key, newer ones SHA-384 for P-384. SHA-1 is none of
 * them. The end of the list is GNUTLS_SIGN_UNKNOWN. */
static const gnutls_sign_algorithm_t *algorithms_of(gnutls_pubkey_t key) {
        static const gnutls_sign_algorithm_t ecdsa[] = { GNUTLS_SIGN_ECDSA_SHA256, GNUTLS_SIGN_ECDSA_SHA384,
                                                         GNUTLS_SIGN_UNKNOWN };
        static const gnutls_sign_algorithm_t rsa[] = { GNUTLS_SIGN_RSA_SHA256,
                                                       GNUTLS_SIGN_RSA_PSS_RSAE_SHA256, GNUTLS_SIGN_UNKNOWN };
        static const gnutls_sign_algorithm_t eddsa[] = { GNUTLS_SIGN_EDDSA_ED25519, GNUTLS_SIGN_UNKNOWN };
        static const gnutls_sign_algorithm_t none[] = { GNUTLS_SIGN_UNKNOWN };

        switch (gnutls_pubkey_get_pk_algorithm(key, NULL)) {
        case GNUTLS_PK_ECDSA: return ecdsa;
        case GNUTLS_PK_RSA: return rsa;
        case GNUTLS_PK_EDDSA_ED25519: return eddsa;
        default: return none;
        }
}

/**
 * cosign_check_signature() - was this signed with that key
 * @key:       public key
 * @data:      @size bytes
 * @size:      bytes
 * @signature: base64, hostile
 * @e:         sentence on failure
 *
 * Return: 0, -EKEYREJECTED (no), -EBADMSG (it is no signature), -ENOMEM.
 */
int cosign_check_signature(const CosignKey *key, const void *data, size_t size, const char *signature,
                           Error *e) {
        _cleanup_(cosign_pubkey_done) gnutls_pubkey_t k = NULL;
        _cleanup_(cosign_datum_done) gnutls_datum_t raw = {};
        const gnutls_datum_t signed_data = cosign_datum(data, size), der = cosign_datum(key->der, key->size);

        if (strlen(signature) > COSIGN_SIGNATURE_MAX || cosign_base64_decode(signature, &raw) < 0)
                return error_setf(e, -EBADMSG, "the signature is not base64 text of 1 to %u characters",
                                  COSIGN_SIGNATURE_MAX);
        if (gnutls_pubkey_init(&k) < 0)
                return error_oom(e);
        if (gnutls_pubkey_import(k, &der, GNUTLS_X509_FMT_DER) < 0)
                return error_setf(e, -EBADMSG, "the key cannot be read");
        for (const gnutls_sign_algorithm_t *a = algorithms_of(k); *a != GNUTLS_SIGN_UNKNOWN; a++)
                if (gnutls_pubkey_verify_data2(k, *a, 0, &signed_data, &raw) >= 0)
                        return 0;
        return error_setf(e, -EKEYREJECTED, "the signature was not made by key %s", key->fingerprint);
}

/**
 * cosign_verify() - check one signature with one key
 * @s:             OCI_SIGNATURE_COSIGN or OCI_SIGNATURE_BUNDLE, hostile
 * @key:           public key
 * @asked:         what must be signed
 * @ret_time_usec: when it was signed, as the signer says; 0: he does not; may be NULL
 * @e:             sentence on failure; may be NULL
 *
 * Return: 0, -EKEYREJECTED (not signed by this key), -EBADMSG and others (it is no signature, or is about something else).
 */
int cosign_verify(const OciSignature *s, const CosignKey *key, const CosignAsked *asked,
                  usec_t *ret_time_usec, Error *e) {
        int r;

        if (ret_time_usec)
                *ret_time_usec = 0;
        if (s->payload_size > COSIGN_PAYLOAD_MAX)
                return error_setf(e, -E2BIG, "the signature is larger than %u bytes", COSIGN_PAYLOAD_MAX);
        if (s->kind == OCI_SIGNATURE_BUNDLE)
                return cosign_bundle_verify(s, key, asked, e);
        if (s->kind != OCI_SIGNATURE_COSIGN || !s->signature)
                return error_setf(e, -EBADMSG, "this is no signature by cosign");
        r = cosign_check_signature(key, s->payload, s->payload_size, s->signature, e);
        if (r < 0)
                return r;
        return cosign_payload_check(s->payload, s->payload_size, COSIGN_PAYLOAD_COSIGN, asked, ret_time_usec,
                                    e);
}
