/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A Docker or OCI image becomes one of the store: documents, checks, layers, record. */
#pragma once

#include "image/image-fetch.h"
#include "oci/oci-name.h"

int image_get_oci(const ImageFetch *f, const ImageName *name, const char *reference, char **ret_id, Error *e);
int image_oci_check_stored(const ImageFetch *f, const ImageName *name, const StoreImage *image, Error *e);
