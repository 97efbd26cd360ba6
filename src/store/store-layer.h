/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* OCI images: their layers, each kept once and shared, and the image that consists of them.
 *
 *      for each layer of the manifest that store_layer_find() does not find (several at once is fine):
 *              r = store_layer_import_new(s, &limits, &(StoreLayerExpect){ digest, size, diff_id }, &i, e);
 *              for each piece of the download:
 *                      store_import_write(i, piece, size, e);
 *              r = store_import_finish(i, e);          (what came is what was expected; store_import_key() is known)
 *              r = store_layer_commit(i, e);
 *              store_import_free(i);
 *      r = store_oci_commit(s, &parts, &image, e);     (-EAGAIN: a layer has gone meanwhile, start again)
 *
 * A layer's key is "sha256-" and the SHA-256 of its uncompressed tar, whatever the manifest calls it by. It is visible as
 * soon as it is whole; while no image has it, it stays for STORE_LAYER_AGE_USEC after its last use, so that a pull that was
 * broken off goes on where it was. Its tree (store-tree.h, under the same key) has whiteouts as overlayfs wants them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "store/store-import.h"
#include "store/store-tree.h"

#define STORE_LAYERS_MAX       500U /* of an image; as overlayfs */
#define STORE_OCI_DOCUMENT_MAX (4U * 1024 * 1024)
#define STORE_LAYER_AGE_USEC   (24 * 60 * 60 * USEC_PER_SEC)

/* What others say of a layer. All of it is checked; NULL: not known. */
typedef struct StoreLayerExpect {
        const char *digest;  /* "sha256:..." or "sha512:..." of the bytes as they come */
        uint64_t size;       /* of these; UINT64_MAX: not known */
        const char *diff_id; /* likewise of the uncompressed tar */
} StoreLayerExpect;

/* The documents of an image, byte for byte. */
typedef struct StoreOciParts {
        const void *manifest; /* its SHA-512 is the image's id */
        size_t manifest_size;
        const void *config;
        size_t config_size;
        const char *appc_manifest; /* the image manifest that was made of them */
} StoreOciParts;

int store_layer_import_new(Store *s, const StoreImportLimits *limits, const StoreLayerExpect *expect,
                           StoreImport **ret, Error *e);
int store_layer_commit(StoreImport *i, Error *e);
int store_layer_touch(Store *s, const char *key);
int store_layer_find(Store *s, const char *diff_id, char ret[STORE_KEY_MAX]);
int store_layer_blob_open(Store *s, const char *layer_key, int *ret_fd, uint64_t *ret_size, Error *e);
int store_layers_stack(Store *s, char *const *layers, char ***ret, Error *e);
int store_layers_top(Store *s, char *const *layers, char ret_key[STORE_TREE_KEY_MAX], char ***ret_stack,
                     Error *e);
int store_layers_unpack(Store *s, char *const *layers, int dir_fd, Error *e);

int store_oci_commit(Store *s, const StoreOciParts *parts, StoreImage *image, Error *e);
int store_oci_verify(Store *s, const StoreImage *image, Error *e);
int store_oci_config_read(Store *s, const char *key, char **ret, size_t *ret_size, Error *e);
