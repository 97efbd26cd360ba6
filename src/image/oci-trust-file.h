/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a file of trust.d says: text to struct, no I/O. */
#pragma once

#include "basic/error.h"
#include "oci/cosign.h"

#define OCI_TRUST_FILE_MAX     (256U * 1024) /* bytes */
#define OCI_TRUST_SECTIONS_MAX 256U          /* of one file */
#define OCI_TRUST_VALUES_MAX   64U           /* of one key of a section */

/* One [Trust] section. */
typedef struct OciTrustSection {
        char *where;                        /* "FILE:LINE" */
        char **prefixes;                    /* normalized, at least one */
        char **cosign_keys, **openpgp_keys; /* paths: absolute, or beneath CONFIG/trustedkeys */
        char **lookaside;
        char *signed_as;         /* normalized, or NULL */
        CosignIdentity identity; /* _COSIGN_IDENTITY_INVALID: not said */
        bool insecure, reject;
} OciTrustSection;

typedef struct OciTrustSections {
        OciTrustSection *sections;
        size_t n_sections;
} OciTrustSections;

int oci_trust_file_parse(const char *data, size_t size, const char *file, OciTrustSections *ret, Error *e);
void oci_trust_sections_done(OciTrustSections *s);
int oci_trust_prefix_normalize(const char *s, char **ret, Error *e);
