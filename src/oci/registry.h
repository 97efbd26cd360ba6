/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An image's documents from a registry (OCI distribution 1.1, Docker v2 schema 2), seen from the trusted side: a worker,
 * rkt-pull, has the network and the credentials of one registry and nothing else. What it sends is bytes, whose digests are
 * computed here. Nothing here reads JSON before registry_answer_check() is called, so that a caller can ask first who
 * signed it. */
#pragma once

#include "net/pull-protocol.h"
#include "oci/oci-document.h"
#include "oci/oci-name.h"

#define REGISTRY_ENDPOINTS_MAX      16U
#define REGISTRY_SIGNATURES_MAX     32U        /* of one image, of all kinds together */
#define REGISTRY_SIGNATURE_SIZE_MAX (1U << 20) /* bytes of one payload, bundle or signature */
#define REGISTRY_DOCUMENTS_MAX      (4U + REGISTRY_SIGNATURES_MAX)
#define REGISTRY_SIZE_MAX           (32U << 20) /* bytes of all documents together */

/* Where to ask, and who we are there. Credentials are for this endpoint and the token server that it names. */
typedef struct RegistryEndpoint {
        char *base;           /* "https://mirror.example.com:5000", or http:// with allow_http; no path */
        char *repository;     /* as it is called there; NULL: as the name says */
        bool allow_http;      /* plain http too, if it does not speak https */
        bool insecure_tls;    /* certificates are not checked */
        char **ca_files;      /* PEM: these authorities instead of the machine's; or NULL */
        char *cert_file;      /* PEM: who we are, for this host; or NULL */
        char *key_file;       /* PEM; set if cert_file is */
        char *username;       /* NULL: anonymous */
        char *password;       /* set if username is; may be empty */
        char *identity_token; /* OAuth2 refresh token, instead of a password; or NULL */
        char *token_host;     /* another HOST[:PORT] whose token server may get the credentials; or NULL */
} RegistryEndpoint;

typedef enum RegistryRole {
        REGISTRY_INDEX,    /* what the name leads to, and then perhaps one inside it */
        REGISTRY_MANIFEST, /* the image for the platform */
        REGISTRY_CONFIG,   /* its config */
        REGISTRY_COSIGN,   /* payload of a cosign signature (simple signing); the signature is beside it */
        REGISTRY_BUNDLE,   /* a sigstore bundle, JSON */
        REGISTRY_OPENPGP,  /* a simple-signing signature of a lookaside server: an OpenPGP message */
        _REGISTRY_ROLE_MAX,
        _REGISTRY_ROLE_INVALID = -EINVAL,
} RegistryRole;

typedef struct RegistryDocument {
        RegistryRole role;
        char *media_type; /* Content-Type, as it came; or NULL. Of signatures that of the layer */
        char *digest;     /* of data, computed here; sha256, unless the document was asked for by another */
        char *about;      /* signatures: digest of the index or manifest for which it was found; else NULL */
        char *signature;  /* REGISTRY_COSIGN: base64, printable, not checked; else NULL */
        char *data;       /* @size bytes and a NUL; hostile, but what @digest says */
        size_t size;
} RegistryDocument;

typedef struct RegistryRequest {
        const OciName *name;               /* of a registry */
        const RegistryEndpoint *endpoints; /* asked in this order until one answers: mirrors first */
        size_t n_endpoints;                /* at least 1 */
        OciPlatform platform;              /* wanted */
        const char *known_digest;          /* of what the name led to last time: asked for by HEAD; or NULL */
        bool want_cosign;                  /* signatures at the tag sha256-HEX.sig */
        bool want_referrers;               /* bundles, by the referrers API or the tag sha256-HEX */
        char **lookaside;                  /* base URLs of simple-signing servers; or NULL */
        const PullRequest
                *limits; /* limits, proxies; its URL, headers and tags do not count; NULL: defaults */
} RegistryRequest;

typedef struct RegistryAnswer {
        bool unchanged;  /* the name still leads to known_digest; then there are no documents */
        char *digest;    /* what the name leads to */
        char *endpoint;  /* base URL of who answered */
        char **warnings; /* of the registry, and of endpoints that failed before; printable; or NULL */
        RegistryDocument *documents; /* index, inner index, manifest, config, signatures; in this order */
        size_t n_documents;
        char *repository;  /* as the endpoint calls it */
        PullRequest blobs; /* what requests for blobs have in common; its headers are secrets */
} RegistryAnswer;

int registry_resolve(const RegistryRequest *q, RegistryAnswer **ret, Error *e);
RegistryAnswer *registry_answer_free(RegistryAnswer *a);
DEFINE_CLEANUP(RegistryAnswer *, registry_answer_free);
const RegistryDocument *registry_answer_find(const RegistryAnswer *a, RegistryRole role);
int registry_answer_check(const RegistryAnswer *a, const RegistryRequest *q, OciDocument **ret, Error *e);
int registry_blob_request(const RegistryAnswer *a, const char *digest, uint64_t size, PullRequest *ret,
                          Error *e);
const char *registry_role_to_string(RegistryRole role);
RegistryRole registry_role_from_string(const char *s);
