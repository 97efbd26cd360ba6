/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signatures of Docker and OCI images that are made by a bare public key: cosign's legacy payloads, cosign's bundles, and the
 * payload of simple signing. Bytes to verdict, no I/O. What is signed is looked into only when the signature is good, by the
 * strictest reading: an unknown or repeated member of what counts is a refusal. Facts: ecosystem, section 1.8. */
#pragma once

#include <stdbool.h>

#include "basic/alloc.h"
#include "basic/error.h"
#include "basic/parse.h"
#include "oci/oci-name.h"

#define COSIGN_KEY_FILE_MAX    (64U * 1024) /* bytes of a PEM file */
#define COSIGN_KEY_MAX         (8U * 1024)  /* bytes of a key */
#define COSIGN_RSA_BITS_MIN    2048U
#define COSIGN_RSA_BITS_MAX    16384U
#define COSIGN_PAYLOAD_MAX     (256U * 1024) /* bytes of what is signed, and of a bundle */
#define COSIGN_SIGNATURE_MAX   (16U * 1024)  /* characters of base64 */
#define COSIGN_FINGERPRINT_MAX (sizeof("SHA256:") + 64)

#define COSIGN_TYPE_SIMPLE       "application/vnd.dev.cosign.simplesigning.v1+json"
#define COSIGN_TYPE_BUNDLE       "application/vnd.dev.sigstore.bundle.v0.3+json"
#define COSIGN_ANNOTATION_SIGNED "dev.cosignproject.cosign/signature"

typedef enum OciSignatureKind {
        OCI_SIGNATURE_COSIGN,  /* payload: the layer of the artefact; signature: its annotation, base64 */
        OCI_SIGNATURE_BUNDLE,  /* payload: the bundle, JSON */
        OCI_SIGNATURE_OPENPGP, /* payload: the signed message, binary */
        _OCI_SIGNATURE_KIND_MAX,
        _OCI_SIGNATURE_KIND_INVALID = -EINVAL,
} OciSignatureKind;

/* As it came from a registry or a web server: nothing about it was checked. */
typedef struct OciSignature {
        OciSignatureKind kind;
        char *payload;
        size_t payload_size;
        char *signature; /* NULL for kinds that have it in the payload */
} OciSignature;

void oci_signature_done(OciSignature *s);

/* A public key: ECDSA with P-256 or P-384, Ed25519, or RSA of 2048 bits or more. */
typedef struct CosignKey {
        char fingerprint[COSIGN_FINGERPRINT_MAX]; /* "SHA256:" and 64 digits, lower case: of der */
        char *kind;                               /* for people: "ECDSA P-256", "RSA with 4096 bits" */
        uint8_t *der;                             /* SubjectPublicKeyInfo */
        size_t size;
} CosignKey;

#define COSIGN_KEY_INIT ((CosignKey){})

int cosign_key_parse(const char *pem, size_t size, CosignKey *ret, Error *e);
int cosign_key_from_der(const uint8_t *der, size_t size, CosignKey *ret, Error *e);
int cosign_key_to_pem(const CosignKey *k, char **ret);
void cosign_key_done(CosignKey *k);

/* What the signer must have said the image is called. */
typedef enum CosignIdentity {
        COSIGN_IDENTITY_MATCH, /* the repository asked for; the tag asked for, if the signature names one */
        COSIGN_IDENTITY_REPOSITORY, /* the repository asked for; any tag */
        COSIGN_IDENTITY_EXACT,      /* the repository and the tag (or digest) asked for */
        _COSIGN_IDENTITY_MAX,
        _COSIGN_IDENTITY_INVALID = -EINVAL,
} CosignIdentity;

const char *cosign_identity_to_string(CosignIdentity i);
CosignIdentity cosign_identity_from_string(const char *s);

/* What a signature is held against. */
typedef struct CosignAsked {
        const OciName *name;
        char *const *
                digests; /* "sha256:...": of the manifest, and of the index that led to it; one must be signed */
        CosignIdentity identity;
} CosignAsked;

#define COSIGN_PAYLOAD_COSIGN  "cosign container image signature"
#define COSIGN_PAYLOAD_OPENPGP "atomic container signature"

int cosign_payload_check(const char *payload, size_t size, const char *type, const CosignAsked *asked,
                         usec_t *ret_time_usec, Error *e);
int cosign_verify(const OciSignature *s, const CosignKey *key, const CosignAsked *asked,
                  usec_t *ret_time_usec, Error *e);
