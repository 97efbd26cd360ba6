/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Trees: blobs made mountable. Whoever needs an image's files asks here, and does not know which backend answers.
 *
 *   cas/tree/KEY/index.erofs    index: EROFS metadata, whose files are in the blobs
 *   cas/tree/KEY/image.erofs    image: EROFS with everything in it
 *   cas/tree/KEY/rootfs/        dir: plain files
 *   cas/tree/KEY/devices        the blobs that it is made from, one key per line, in the order of their slots; none: KEY's
 *
 * One of the first three. KEY is the image's key; "deps-" and a hash for an image with dependencies, whose tree is made
 * from several blobs. A store may hold trees of all kinds. One that this kernel cannot mount, because it was made under
 * another, is made anew when it is asked for.
 */
#pragma once

#include <stddef.h>

#include "store/store.h"
#include "store/tar-entry.h"

#define STORE_TREE_KEY_MAX (sizeof("deps-") + STORE_KEY_MAX)

typedef enum StoreTreeBackend {
        STORE_TREE_INDEX,      /* mounted from files (Linux 6.12) */
        STORE_TREE_INDEX_LOOP, /* the same on disk, mounted through loop devices (Linux 6.4) */
        STORE_TREE_IMAGE,
        STORE_TREE_DIR,
        _STORE_TREE_BACKEND_MAX,
        _STORE_TREE_BACKEND_INVALID = -EINVAL,
} StoreTreeBackend;

/* One image of a tree that is made from several, the weakest first. */
typedef struct StoreTreePart {
        const char *key; /* of an image in the store; the same may come more than once */
        char *const *
                whitelist; /* paths: nothing else of it is taken; NULL: all is; empty: nothing but the root */
} StoreTreePart;

typedef struct StoreTreeReader StoreTreeReader;

/* One object; its segments point into the file behind blob_fd. Both are lent. */
typedef int (*StoreTreeVisit)(void *userdata, const TarEntry *t, int blob_fd, Error *e);

const char *store_tree_backend_to_string(StoreTreeBackend b);
StoreTreeBackend store_tree_backend_from_string(const char *s);
int store_tree_choose(Store *s, StoreTreeBackend *ret, Error *e);

bool store_tree_key_is_valid(const char *key);
bool store_tree_exists(Store *s, const char *key);
int store_tree_mount(Store *s, const char *key, int *ret_fd, Error *e);
int store_tree_build(Store *s, const char *key, const StoreTreePart *parts, size_t n_parts, Error *e);
int store_tree_unpack(Store *s, const StoreTreePart *parts, size_t n_parts, int dir_fd, Error *e);
int store_tree_reader_new(Store *s, const StoreTreePart *parts, size_t n_parts, StoreTreeReader **ret,
                          Error *e);
StoreTreeReader *store_tree_reader_free(StoreTreeReader *x);
DEFINE_CLEANUP(StoreTreeReader *, store_tree_reader_free);
int store_tree_reader_walk(StoreTreeReader *x, StoreTreeVisit visit, void *userdata, Error *e);
int store_tree_blobs(Store *s, const char *key, char ***ret, Error *e);
int store_tree_remove(Store *s, const char *key, Error *e);
