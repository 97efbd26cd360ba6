/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The signature of one image, from where it lies to what is remembered of it. The image's bytes pass by once; nothing that
 * an unsigned archive contains is looked at before the verdict. */
#pragma once

#include "image/image-fetch.h"

typedef struct ImageVerify ImageVerify;

int image_verify_new_file(const ImageFetch *f, const char *path, ImageVerify **ret, Error *e);
int image_verify_new_url(const ImageFetch *f, const char *url, const char *what, ImageVerify **ret, Error *e);
ImageVerify *image_verify_free(ImageVerify *v);
DEFINE_CLEANUP(ImageVerify *, image_verify_free);

int image_verify_write(ImageVerify *v, const void *data, size_t size, Error *e);
int image_verify_finish(ImageVerify *v, Error *e);
int image_verify_name(ImageVerify *v, StoreImage *image, Error *e);
