/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An image's dependencies, and theirs, are brought into the store. */
#pragma once

#include "image/image-get.h"
#include "manifest/image-manifest.h"

int image_get_dependencies(Store *store, const char *id, const ImageGetOptions *options, Error *e);

/* image-get.c: one of them, from afar. */
int image_get_dependency(Store *store, const AcDependency *d, const ImageManifest *root,
                         const ImageGetOptions *options, char **ret_id, Error *e);
