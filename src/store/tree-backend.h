/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a backend of store-tree.c can do. */
#pragma once

#include <stdbool.h>

#include "store/store-tree.h"

typedef struct TreeBackend {
        const char *name;
        bool (*exists)(Store *s, const char *key);
        int (*open)(Store *s, const char *key, StoreTree *ret, Error *e);
        int (*remove)(Store *s, const char *key, Error *e);
} TreeBackend;

extern const TreeBackend tree_dir;

int store_tree_render(Store *s, const char *key, Error *e);
