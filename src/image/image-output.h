/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images out of the store, into directories that the user names. They appear whole, or nothing does, even if we are killed. */
#pragma once

#include <stdbool.h>

#include "basic/error.h"
#include "store/store.h"

typedef enum ImageOutputFlags {
        IMAGE_OUTPUT_OVERWRITE = 1 << 0,    /* what is there goes away */
        IMAGE_OUTPUT_ROOTFS_ONLY = 1 << 1,  /* the directory is the root, without a manifest beside it */
        IMAGE_OUTPUT_DEPENDENCIES = 1 << 2, /* with dependencies and whitelists: what a pod would see */
} ImageOutputFlags;

int image_unpack(Store *s, const char *key, const char *path, ImageOutputFlags flags, Error *e);
