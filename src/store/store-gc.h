/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taking things out of the store: one image, or all that nobody needs.
 *
 * The store does not know pods. Who calls this says which trees pods refer to; a tree that is in use stays, and so do the
 * blobs that it is made from, until store_gc() finds it unused.
 */
#pragma once

#include <stdbool.h>

#include "basic/parse.h"
#include "store/store.h"

typedef enum StoreChangeType {
        STORE_CHANGE_TREE,  /* a tree that no pod refers to */
        STORE_CHANGE_IMAGE, /* an image that was not used for longer than the grace period */
        STORE_CHANGE_BROKEN, /* an image whose file in cas/ref is damaged, or whose blob is missing or cut off */
        STORE_CHANGE_BLOB,  /* a blob of no image, a layer among them */
        STORE_CHANGE_SPOOL, /* the rest of a download that was given up */
        _STORE_CHANGE_TYPE_MAX,
        _STORE_CHANGE_TYPE_INVALID = -EINVAL,
} StoreChangeType;

/* Something is gone: name is a key, or the name of a file. */
typedef void (*StoreChangeFunc)(void *userdata, StoreChangeType type, const char *name);

typedef struct StoreGcOptions {
        char *const *used_trees; /* keys of trees that pods refer to; NULL: none */
        usec_t grace_usec; /* images stay this long after their last use; 0: none stays but those in use */
        usec_t tree_grace_usec; /* likewise trees */
        usec_t now_usec;        /* CLOCK_REALTIME; 0: now */
        StoreChangeFunc change; /* or NULL */
        void *userdata;
} StoreGcOptions;

#define STORE_SPOOL_AGE_USEC                                                                                 \
        (24 * 60 * 60 * USEC_PER_SEC) /* a download that was given up can be resumed so long */

bool store_tree_needs(Store *s, const char *tree, const char *key);
int store_image_remove(Store *s, const char *key, Error *e);
int store_image_take(Store *s, const char *key, char *const *used_trees, Error *e);
int store_gc(Store *s, const StoreGcOptions *options, Error *e);
