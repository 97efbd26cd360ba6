/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The layers of an image into the store: those that are not there yet, several at the same time. */
#pragma once

#include "image/image-fetch.h"
#include "image/oci-image.h"

int oci_layers_fetch(const ImageFetch *f, const char *what, OciImage *image, Error *e);
