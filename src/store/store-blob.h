/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Blobs by key: uncompressed tars of images and layers, manifests of OCI images; and the image manifest of each image. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "store/store.h"
#include "store/tar-write.h"

#define STORE_MANIFEST_MAX (1024U * 1024)
#define STORE_BLOB_REMEDY  "fetch it again (rkt fetch --pull-policy=always)" /* of what is damaged */

int store_blob_open(Store *s, const char *key, int *ret_fd, uint64_t *ret_size, Error *e);
int store_blob_verify(Store *s, const char *key, Error *e);
int store_blob_copy(Store *s, const char *key, TarSink sink, void *userdata, Error *e);
int store_manifest_read(Store *s, const char *key, char **ret, size_t *ret_size, Error *e);
