/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checked entries and the blobs that they point into become a directory tree. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "basic/error.h"
#include "store/tar-entry.h"

typedef struct Untar Untar;

int untar_new(int root_fd, const int *blob_fds, size_t n_blobs, Untar **ret, Error *e);
Untar *untar_free(Untar *u);
DEFINE_CLEANUP(Untar *, untar_free);
int untar_entry(Untar *u, const TarEntry *t, Error *e);
int untar_whiteout(Untar *u, const char *path, Error *e);
int untar_finish(Untar *u, uint64_t *ret_size, uint64_t *ret_n, Error *e);
