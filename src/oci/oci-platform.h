/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* os/architecture/variant in the words of Go, and what a machine can run in which order. Facts: ecosystem, section 1.4. */
#pragma once

#include <stdbool.h>

#include "basic/error.h"
#include "basic/json.h"

#define OCI_PLATFORM_VARIANTS_MAX 6

typedef struct OciPlatform {
        char *os;
        char *architecture;
        char *variant; /* NULL or "": none */
} OciPlatform;

int oci_platform_host(OciPlatform *ret);
int oci_platform_from_string(const char *s, OciPlatform *ret, Error *e);
int oci_platform_to_string(const OciPlatform *p, char **ret);
void oci_platform_done(OciPlatform *p);
bool oci_platform_is_set(const OciPlatform *p);
bool oci_platform_is_unknown(const OciPlatform *p);
unsigned oci_platform_variants(const OciPlatform *p, const char *ret[OCI_PLATFORM_VARIANTS_MAX]);
unsigned oci_platform_rank(const OciPlatform *host, const OciPlatform *image);

extern const JsonStruct oci_platform_type;
