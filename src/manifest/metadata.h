/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the metadata service says of one pod, as a document: an index of paths, then the answers as they are sent. Who starts
 * the pod writes it; the service, which talks to strangers, only looks paths up in it. Pure. Facts: appc, section 13.
 *
 *   rkt-metadata-1 UUID 0000000123      header, of METADATA_HEADER_SIZE bytes; the number is the index's size
 *   TYPE OFFSET SIZE PATH               one line per answer; the offset counts from the end of the index
 *   ...
 *   the answers, one after the other */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "manifest/image-manifest.h"
#include "manifest/pod-manifest.h"

#define METADATA_HEADER_SIZE  63U
#define METADATA_INDEX_MAX    (1024U * 1024)
#define METADATA_TOKEN_DIGITS 64U /* hex: 256 bits */
#define METADATA_NAME_MAX     (METADATA_TOKEN_DIGITS + 1)
#define METADATA_LOCK         ".lock" /* behind the name of a document */

/* Shared by whoever registers pods and the service. */
#define METADATA_PODS_DIR   "/run/rkt/metadata-pods" /* a document of each pod, and its lock */
#define METADATA_SOCKET_DIR "/run/rkt/metadata"
#define METADATA_SOCKET     METADATA_SOCKET_DIR "/http"
/* The directory in a pod; not below /run/rkt, which nspawn of 252 would make as nobody's in a pod with users of its own. */
#define METADATA_POD_DIR "/run/rkt-metadata"
#define METADATA_PORT    18112
#define METADATA_USER    "rkt-metadata"

typedef enum MetadataType {
        METADATA_JSON,
        METADATA_ASCII,
        METADATA_UTF8,
        _METADATA_TYPE_MAX,
        _METADATA_TYPE_INVALID = -EINVAL,
} MetadataType;

/* The image of an app. */
typedef struct MetadataImage {
        const char *text; /* its manifest as it came */
        size_t text_size;
        const ImageManifest *manifest; /* the same, parsed */
} MetadataImage;

typedef struct MetadataAnswer {
        MetadataType type;
        uint64_t offset; /* bytes, from the end of the index */
        uint64_t size;
} MetadataAnswer;

const char *metadata_content_type(MetadataType t);
int metadata_write(const char *uuid, const PodManifest *m, const MetadataImage *images, char **ret,
                   size_t *ret_size);
int metadata_parse_header(const char *data, size_t size, char ret_uuid[37], size_t *ret_index_size);
int metadata_find(const char *index, size_t size, const char *path, MetadataAnswer *ret);
int metadata_parse_url(const char *url, char ret_token[METADATA_NAME_MAX], const char **ret_path);
int metadata_file_name(const char *token, char ret[METADATA_NAME_MAX]);
