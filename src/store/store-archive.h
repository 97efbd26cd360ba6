/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An archive from which files are read that are not unpacked: an OCI layout or a "docker save" in a tar, compressed or not.
 * The worker rkt-parse walks it in a process of its own and says what lies where; what was compressed is then in a file
 * without a name in cas/tmp, which costs its size for as long as the archive is open. */
#pragma once

#include <stdint.h>

#include "basic/alloc.h"
#include "basic/error.h"
#include "store/store-import.h"
#include "store/store.h"

#define STORE_ARCHIVE_ENTRIES_MAX 16384U /* files and links: 500 layers of several images, and more */

typedef struct StoreArchive StoreArchive;

int store_archive_open(Store *s, const char *path, const StoreImportLimits *limits, StoreArchive **ret,
                       Error *e);
StoreArchive *store_archive_close(StoreArchive *a);
DEFINE_CLEANUP(StoreArchive *, store_archive_close);
int store_archive_fd(const StoreArchive *a);
int store_archive_find(const StoreArchive *a, const char *path, uint64_t *ret_offset, uint64_t *ret_size,
                       Error *e);
