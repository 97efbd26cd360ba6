/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images out of the store, as files that other programs read. */
#pragma once

#include "basic/error.h"
#include "manifest/image-manifest.h"
#include "store/store-ref.h"
#include "store/store.h"

typedef enum ImageFormat {
        IMAGE_FORMAT_DEFAULT, /* as the image came: an ACI leaves as an ACI, an OCI image as an OCI layout */
        IMAGE_FORMAT_ACI,     /* appc's: the manifest, and rootfs/ */
        IMAGE_FORMAT_OCI_ARCHIVE,    /* an OCI layout, in a tar */
        IMAGE_FORMAT_DOCKER_ARCHIVE, /* what "docker load" reads */
        _IMAGE_FORMAT_MAX,
        _IMAGE_FORMAT_INVALID = -EINVAL,
} ImageFormat;

typedef enum ImageExportFlags {
        IMAGE_EXPORT_OVERWRITE = 1 << 0, /* what is there goes away */
        IMAGE_EXPORT_GZIP = 1 << 1,      /* compress the file */
} ImageExportFlags;

ImageFormat image_format_from_string(const char *s);
const char *image_format_to_string(ImageFormat f);
bool image_export_converts(const StoreImage *image, ImageFormat format);
int image_export(Store *s, const StoreImage *image, const char *path, ImageFormat format,
                 ImageExportFlags flags, Error *e);
int image_export_aci(Store *s, const StoreImage *image, const char *manifest, const char *path,
                     ImageExportFlags flags, Error *e);
int image_export_layers(Store *s, const StoreImage *image, ImageManifest *manifest, const char *base,
                        ImageExportFlags flags, char ***ret_files, Error *e);
