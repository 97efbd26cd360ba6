/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a user may write where an image is wanted: "example.com/app:1.2,channel=beta", "./app.aci",
 * "https://example.com/app.aci", "sha512-fa1c...", "docker://redis:7", "oci:/srv/layout:v1". Text to struct, no I/O. */
#pragma once

#include "basic/alloc.h"
#include "basic/error.h"
#include "oci/oci-name.h"

#define IMAGE_NAME_LENGTH_MAX 4096
#define IMAGE_NAME_LABELS_MAX 64

typedef enum ImageNameType {
        IMAGE_NAME_ID,     /* text: sha512- and 2 to 128 hex digits, perhaps abbreviated */
        IMAGE_NAME_PATH,   /* text: a path that ends in .aci, relative or absolute */
        IMAGE_NAME_URL,    /* text: http:// or https:// */
        IMAGE_NAME_APPC,   /* text: the name; labels: version, os, arch and any other */
        IMAGE_NAME_DOCKER, /* oci; text: the one text for it, "docker://docker.io/library/redis:latest" */
        IMAGE_NAME_OCI,    /* oci; text: the whole oci:, oci-archive: or docker-archive: reference */
        _IMAGE_NAME_TYPE_MAX,
        _IMAGE_NAME_TYPE_INVALID = -EINVAL,
} ImageNameType;

typedef struct ImageLabel {
        char *name;
        char *value;
} ImageLabel;

typedef struct ImageName {
        ImageNameType type;
        char *text;
        ImageLabel *labels; /* in the order given; only for IMAGE_NAME_APPC */
        size_t n_labels;
        OciName *oci; /* only for IMAGE_NAME_DOCKER and IMAGE_NAME_OCI */
} ImageName;

int image_name_parse(const char *s, ImageName **ret, Error *e);
ImageName *image_name_free(ImageName *n);
DEFINE_CLEANUP(ImageName *, image_name_free);
const char *image_name_label(const ImageName *n, const char *label);
int image_name_set_label(ImageName *n, const char *label, const char *value);
int image_name_to_string(const ImageName *n, char **ret);
int image_identifier_check(const char *s);
