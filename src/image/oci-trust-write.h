/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What rkt trust does with trust.d: one file for each prefix and key, whose name follows from both. */
#pragma once

#include "image/oci-trust.h"

/* What is written, or removed. */
typedef struct OciTrustEntry {
        const char *system_config;
        const char *local_config;
        const char *prefix;   /* normalized */
        const CosignKey *key; /* NULL: without verification (Insecure=yes) */
} OciTrustEntry;

int oci_trust_add(const OciTrustEntry *t, char **ret_path, Error *e);
int oci_trust_remove(const OciTrustEntry *t, const char *fingerprint, char **ret_path, Error *e);
