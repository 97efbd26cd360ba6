/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* "sha256:..." as registries and layouts write digests, and the ChainID of a stack of layers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "basic/digest.h"
#include "basic/error.h"
#include "basic/json.h"

#define OCI_DIGEST_MAX    (sizeof("sha512:") + 128)       /* with the NUL */
#define OCI_BLOB_PATH_MAX (sizeof("blobs/sha512/") + 128) /* with the NUL */

int oci_digest_parse(const char *s, DigestType *ret_type, const char **ret_hex, Error *e);
bool oci_digest_is_valid(const char *s);
int oci_digest_of(DigestType type, const void *data, size_t size, char ret[OCI_DIGEST_MAX]);
int oci_digest_verify(const char *digest, const void *data, size_t size, const char *what, Error *e);
int oci_digest_to_path(const char *digest, char ret[OCI_BLOB_PATH_MAX]);
int oci_chain_id(char *const *diff_ids, size_t n, char ret[OCI_DIGEST_MAX], Error *e);

/* char *, checked */
extern const JsonKind oci_kind_digest;
