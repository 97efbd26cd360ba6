/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is a tree still what its blobs say? And what is done about it, and about a file in cas/ref that is damaged. */
#pragma once

#include "store/store-ref.h"
#include "store/store-tree.h"

typedef enum StoreVerdict {
        STORE_VERDICT_GOOD,
        STORE_VERDICT_NO_TREE,
        STORE_VERDICT_DAMAGED,  /* and still so */
        STORE_VERDICT_REPAIRED, /* it was damaged, and was made anew */
        _STORE_VERDICT_MAX,
        _STORE_VERDICT_INVALID = -EINVAL,
} StoreVerdict;

int store_tree_verify(Store *s, const char *key, const StoreTreePart *parts, size_t n_parts, bool repair,
                      StoreVerdict *ret, char **ret_difference, Error *e);
int store_top_verify(Store *s, const char *key, char *const *stack, bool repair, StoreVerdict *ret,
                     char **ret_difference, Error *e);
int store_image_restore(Store *s, const char *path, const StoreImage *i, Error *e);
