/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which Docker and OCI images may come in, by registry and repository:
 *
 *   CONFIG/trust.d/NAME.conf       [Trust] sections: a prefix, and keys or a word (rkt-config(5))
 *   CONFIG/trustedkeys/cosign.d/   where rkt trust keeps public keys
 *
 * CONFIG is /usr/lib/rkt, /etc/rkt, and the user's directory; a file of a later one hides that of the same name in an earlier
 * one. The longest prefix counts, by whole components. What several sections say for one prefix counts together. */
#pragma once

#include <stdbool.h>

#include "image/keyring.h"
#include "oci/cosign.h"
#include "store/store-ref.h"

#define OCI_TRUST_FILES_MAX      4096U
#define OCI_TRUST_KEYS_MAX       64U /* of a prefix */
#define OCI_TRUST_SIGNATURES_MAX 64U /* of an image; what comes behind is not looked at */
#define OCI_TRUST_EVERY          "*" /* the prefix of every image of every registry */

/* A public key and where it was found. */
typedef struct OciTrustKey {
        char *path;
        CosignKey key;
} OciTrustKey;

typedef struct OciTrustPolicy {
        char *prefix; /* "quay.io/coreos", or OCI_TRUST_EVERY */
        char **where; /* "/etc/rkt/trust.d/coreos.conf:1", one for each section */
        bool insecure;
        bool reject;
        OciTrustKey *keys;
        size_t n_keys;
        Keyring *openpgp; /* NULL: none */
        char **lookaside; /* URLs beneath which signatures by these OpenPGP keys are */
        char *signed_as;  /* stands for prefix in what is signed; NULL: nothing does */
        CosignIdentity identity;
} OciTrustPolicy;

typedef struct OciTrust {
        OciTrustPolicy *policies;
        size_t n_policies;
} OciTrust;

int oci_trust_load(const char *system_config, const char *local_config, const char *user_config,
                   OciTrust **ret, Error *e);
OciTrust *oci_trust_free(OciTrust *t);
DEFINE_CLEANUP(OciTrust *, oci_trust_free);

/* What must be done before an image is taken. */
typedef enum OciTrustDemand {
        OCI_TRUST_NOTHING, /* it is taken as it is */
        OCI_TRUST_VERIFY,  /* oci_trust_verify() must be content with its signatures */
} OciTrustDemand;

const OciTrustPolicy *oci_trust_policy(const OciTrust *t, const OciName *name);
int oci_trust_demand(const OciTrustPolicy *p, const OciName *name, bool insecure_image, OciTrustDemand *ret,
                     Error *e);
const OciTrustPolicy *oci_trust_find_prefix(const OciTrust *t, const char *prefix);
bool oci_trust_wants_cosign(const OciTrustPolicy *p);
int oci_trust_verify(const OciTrustPolicy *p, const OciName *name, char *const *digests,
                     const OciSignature *signatures, size_t n_signatures, StoreSignature **ret, size_t *ret_n,
                     Error *e);
int oci_trust_still_vouches(const OciTrustPolicy *p, const OciName *name, const StoreImage *image, Error *e);
