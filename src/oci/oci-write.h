/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The documents of an image, written: manifest, index and config of OCI, the list of a docker-archive. Struct to text, no I/O;
 * the same image gives the same bytes, so that it has the same digest wherever it is made. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "basic/error.h"
#include "manifest/image-manifest.h"
#include "oci/oci-document.h"

#define OCI_LAYOUT_TEXT "{\"imageLayoutVersion\":\"1.0.0\"}"
#define OCI_TYPE_LAYER  "application/vnd.oci.image.layer.v1.tar" /* uncompressed */

/* A blob by what it is called. */
typedef struct OciBlob {
        const char *digest;
        uint64_t size; /* bytes */
} OciBlob;

typedef struct OciImageParts {
        OciBlob config;
        const OciBlob *layers; /* uncompressed tars, lowest first */
        size_t n_layers;
        const AcPair *annotations; /* sorted here */
        size_t n_annotations;
} OciImageParts;

int oci_manifest_write(const OciImageParts *p, char **ret);
bool oci_manifest_is_plain(const OciDocument *manifest, const OciImageParts *p);
int oci_index_write(const OciBlob *manifest, const char *reference, char **ret);
int oci_config_write(const ImageManifest *m, char *const *diff_ids, char **ret, Error *e);
int docker_archive_write(const char *config, const char *tag, char *const *layers, char **ret);
