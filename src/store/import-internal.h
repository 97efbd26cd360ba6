/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The import as store-import.c and store-layer.c see it. */
#pragma once

#include <pthread.h>

#include "basic/digest.h"
#include "basic/process.h"
#include "store/store-import.h"
#include "store/store-internal.h"
#include "store/tree-backend.h"

/* store-layer.c: the digests that a layer shall have. */
typedef struct StoreLayerCheck StoreLayerCheck;

struct StoreImport {
        Store *store;
        StoreImportLimits limits;
        Process parse;
        int in_fd;              /* the caller writes here */
        int frames_fd;          /* the thread reads here */
        int blob_fd;            /* the tar, a file without a name; or the blob that is rendered */
        TreeMaker *maker;       /* gets the entries; ours, or for render_only the caller's */
        StoreLayerCheck *layer; /* what is known of a layer beforehand; NULL: it is an ACI, or rendered */
        bool render_only;
        bool is_layer;
        bool has_thread;
        bool finished;

        pthread_t thread;
        pthread_mutex_t mutex; /* guards manifest while the thread runs */

        /* The thread's, until it was joined. */
        Digest *digest;
        uint64_t size;
        uint64_t n_flushed; /* bytes of the blob that are on their way to the disk */
        uint64_t n_entries;
        uint64_t last_byte; /* the highest one that an entry points at */
        char *manifest;
        size_t manifest_size;
        char **warnings;
        int result;
        bool complete;
        Error error;

        char id[STORE_ID_MAX]; /* of a layer: empty */
        char key[STORE_KEY_MAX];
};

/* What is imported. */
typedef struct StoreImportSpec {
        const StoreImportLimits *limits;
        int source;             /* a blob that is there; -EBADF: what the caller writes */
        TreeMaker *maker;       /* gets the entries of a blob that is there */
        bool is_layer;          /* of an OCI image */
        StoreLayerCheck *layer; /* is taken over, also on failure; NULL: nothing is known beforehand */
} StoreImportSpec;

int store_import_begin(Store *s, const StoreImportSpec *spec, StoreImport **ret, Error *e);
int store_import_place(StoreImport *i, const StoreImage *image, Error *e);

StoreLayerCheck *store_layer_check_free(StoreLayerCheck *c);
DEFINE_CLEANUP(StoreLayerCheck *, store_layer_check_free);
bool store_layer_check_is_plain(const StoreLayerCheck *c);
int store_layer_check_in(StoreLayerCheck *c, const void *data, size_t size);
int store_layer_check_tar(StoreLayerCheck *c, const void *data, size_t size);
int store_layer_check_input(StoreLayerCheck *c, bool is_whole, Error *e);
int store_layer_check_content(StoreLayerCheck *c, const char *hex, Error *e);
