/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the root of an image is made of: its dependencies, theirs, and the image itself over all of them, each cut down to what
 * the pathWhitelists let through. Only what is in the store counts here; image_get() brings it in. Facts: appc, section 6. */
#pragma once

#include "manifest/image-manifest.h"
#include "store/store-ref.h"
#include "store/store-tree.h"
#include "store/store.h"

#define IMAGE_DEPENDENCY_DEPTH_MAX 32U      /* an image, its dependency, that one's dependency, ... */
#define IMAGE_RENDER_PARTS_MAX     1000U    /* an image that is reached twice counts twice */
#define IMAGE_WHITELIST_MAX        4000000U /* paths in all lists together */

typedef struct ImageRender {
        StoreTreePart *
                parts; /* the weakest first, the last one is the image; without what a later one replaces wholly */
        size_t n_parts;
        char tree_key
                [STORE_TREE_KEY_MAX]; /* the image's key if it is alone and whole; else "deps-" and a hash */
        void *memory;                 /* of what parts points to */
} ImageRender;

#define IMAGE_RENDER_INIT ((ImageRender){})

void image_render_done(ImageRender *r);
int image_render_list(Store *s, const char *key, ImageRender *ret, Error *e);
int image_dependency_find(Store *s, const AcDependency *d, const ImageManifest *root, StoreImage *ret,
                          Error *e);
int image_dependency_check(const AcDependency *d, const StoreImage *image, Error *e);
int image_dependency_to_string(const AcDependency *d, char **ret);
int image_tree_ensure(Store *s, const char *key, char ***ret_trees, Error *e);
