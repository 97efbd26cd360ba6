/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Import: compressed bytes go in, an image comes out; or nothing does.
 *
 *      r = store_import_new(s, &STORE_IMPORT_LIMITS_DEFAULT, &i, e);
 *      for each piece of the download:
 *              store_import_write(i, piece, size, e);          (also into gpgv, also into the spool file)
 *      r = store_import_finish(i, e);                          (now id and manifest are known)
 *      ... the verdict on the signature, and on store_import_manifest() ...
 *      r = store_import_commit(i, &image, e);                  (the tree is made, everything becomes visible)
 *      store_import_free(i);                                   (not committed: nothing is left)
 *
 * The worker rkt-parse inflates and walks the tar in a process of its own; a thread of ours takes what it hands out,
 * checks it again, hashes it and writes the blob. The caller therefore just writes, and may block doing so.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "store/store-ref.h"
#include "store/store.h"

typedef struct StoreImportLimits {
        uint64_t size_max;     /* bytes of the uncompressed tar */
        uint64_t entries_max;  /* files in it */
        uint64_t ratio_max;    /* uncompressed bytes per compressed byte ... */
        uint64_t ratio_after;  /* ... once there are so many uncompressed bytes */
        uint64_t manifest_max; /* bytes of the manifest, not above STORE_MANIFEST_MAX */
} StoreImportLimits;

#define STORE_IMPORT_LIMITS_DEFAULT                                                                          \
        ((StoreImportLimits){                                                                                \
                .size_max = UINT64_C(8) << 30,                                                               \
                .entries_max = 1000000,                                                                      \
                .ratio_max = 1000,                                                                           \
                .ratio_after = UINT64_C(64) << 20,                                                           \
                .manifest_max = 1024 * 1024,                                                                 \
        })

typedef struct StoreImport StoreImport;

int store_import_new(Store *s, const StoreImportLimits *limits, StoreImport **ret, Error *e);
StoreImport *store_import_free(StoreImport *i);
DEFINE_CLEANUP(StoreImport *, store_import_free);

int store_import_fd(const StoreImport *i);
int store_import_write(StoreImport *i, const void *data, size_t size, Error *e);
int store_import_finish(StoreImport *i, Error *e);
int store_import_get_manifest(StoreImport *i, const char **ret, size_t *ret_size);
const char *store_import_id(const StoreImport *i);
const char *store_import_key(const StoreImport *i);
uint64_t store_import_size(const StoreImport *i);
uint64_t store_import_n_entries(const StoreImport *i);
char *const *store_import_warnings(const StoreImport *i);
int store_import_commit(StoreImport *i, const StoreImage *image, Error *e);
