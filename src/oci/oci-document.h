/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Image indexes and manifests (OCI, and Docker's schema 2), and which image of an index or of a layout is meant. Bytes to
 * struct, no I/O. Facts: ecosystem, sections 1.2 to 1.6; robustness, 3.10. */
#pragma once

#include "basic/alloc.h"
#include "basic/error.h"
#include "basic/json.h"
#include "manifest/ac-types.h"
#include "oci/oci-platform.h"

#define OCI_DOCUMENT_MAX                                                                                     \
        JSON_SIZE_MAX       /* bytes of an index, a manifest or a config: what registries must accept */
#define OCI_LAYERS_MAX 500U /* the kernel's limit for layers of an overlay; Docker builds at most 127 */

#define OCI_TYPE_INDEX           "application/vnd.oci.image.index.v1+json"
#define OCI_TYPE_MANIFEST        "application/vnd.oci.image.manifest.v1+json"
#define OCI_TYPE_DOCKER_LIST     "application/vnd.docker.distribution.manifest.list.v2+json"
#define OCI_TYPE_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define OCI_TYPE_CONFIG          "application/vnd.oci.image.config.v1+json"
#define OCI_TYPE_DOCKER_CONFIG   "application/vnd.docker.container.image.v1+json"
#define OCI_ACCEPT                                                                                           \
        OCI_TYPE_INDEX ", " OCI_TYPE_MANIFEST ", " OCI_TYPE_DOCKER_LIST ", " OCI_TYPE_DOCKER_MANIFEST
#define OCI_ANNOTATION_REFERENCE  "org.opencontainers.image.ref.name"
#define OCI_ANNOTATION_CONTAINERD "io.containerd.image.name"

typedef struct OciDescriptor {
        char *media_type;
        char *digest;
        uint64_t size;
        char **urls;
        AcPair *annotations;
        size_t n_annotations;
        OciPlatform platform; /* of an image in an index; may be empty */
} OciDescriptor;

typedef struct OciDocument {
        char *media_type; /* what it is, wherever that was said */
        char *artifact_type;
        bool is_index;
        OciDescriptor *config; /* of a manifest */
        OciDescriptor *layers; /* of a manifest, lowest first */
        size_t n_layers;
        OciDescriptor *manifests; /* of an index */
        size_t n_manifests;
        OciDescriptor *subject; /* what a signature or an attestation is about */
        AcPair *annotations;
        size_t n_annotations;
        int64_t schema_version;
} OciDocument;

int oci_document_parse(const char *data, size_t size, const char *content_type, const char *descriptor_type,
                       OciDocument **ret, Error *e);
OciDocument *oci_document_free(OciDocument *d);
DEFINE_CLEANUP(OciDocument *, oci_document_free);
int oci_document_check_image(const OciDocument *d, Error *e);

bool oci_type_is_index(const char *media_type);
bool oci_type_is_manifest(const char *media_type);
bool oci_type_is_layer(const char *media_type);

int oci_index_choose(const OciDocument *index, const OciPlatform *platform, unsigned depth,
                     const OciDescriptor **ret, Error *e);
int oci_layout_check(const char *data, size_t size, Error *e);
int oci_layout_choose(const OciDocument *index, const char *reference, const OciPlatform *platform,
                      const OciDescriptor **ret, Error *e);
