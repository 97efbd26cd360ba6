/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Trees: a blob made mountable. Whoever starts a pod asks here, and does not know which backend answered. */
#pragma once

#include "store/store.h"

/* One image of a tree that is made from several, the weakest first. */
typedef struct StoreTreePart {
        const char *key;        /* of an image in the store; the same may come more than once */
        char *const *whitelist; /* paths: nothing else of it is taken; NULL: all is; empty: nothing but the root */
} StoreTreePart;

/* Something that overlayfs can take as a lower layer. */
typedef struct StoreTree {
        char *path;  /* absolute path of the root directory; valid as long as the image is not removed */
        int root_fd; /* O_PATH descriptor of the same directory */
} StoreTree;

#define STORE_TREE_INIT ((StoreTree){ .root_fd = -EBADF })

void store_tree_done(StoreTree *t);
int store_tree_open(Store *s, const char *key, StoreTree *ret, Error *e);
bool store_tree_exists(Store *s, const char *key);
int store_tree_remove(Store *s, const char *key, Error *e);
