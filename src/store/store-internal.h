/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the modules of the store share among themselves. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "basic/digest.h"
#include "basic/process.h"
#include "store/store-ref.h"
#include "store/store.h"

struct Store {
        char *dir;
        int dir_fd;
        int cas_fd;
        bool read_only;
        /* StoreTreeBackend; -EINVAL: store_tree_choose() was not asked yet. Layers are imported by several threads: each may
         * find out, and all find the same. */
        _Atomic int tree_backend;
};

#define STORE_BLOB_PATH_MAX  (sizeof("blob/sha512/xx/.manifest") + STORE_KEY_MAX)
#define STORE_TREE_PATH_MAX  (sizeof("tree/deps-") + STORE_KEY_MAX)
#define STORE_IMAGE_PATH_MAX (sizeof("ref/remote//") + STORE_KEY_MAX + DIGEST_HEX_MAX)
#define STORE_IMAGE_FOLDER   "ref/image"
#define STORE_LAYER_PREFIX   "sha256-"
#define STORE_TMP_INTENT     "intent"

void store_blob_path(const char *key, const char *suffix, char ret[STORE_BLOB_PATH_MAX]);
void store_tree_path(const char *key, char ret[STORE_TREE_PATH_MAX]);
int store_tmp_new(Store *s, char **ret_name, int *ret_fd, Error *e);
int store_intent_write(Store *s, int tmp_fd, const char *key, bool tree, Error *e);
int store_commit_lock(Store *s, int *ret_fd, Error *e);
int store_image_path(const char *key, const char *name, char ret[STORE_IMAGE_PATH_MAX]);
int store_image_read_at(Store *s, int folder_fd, const char *path, StoreImage *ret, Error *e);
bool store_is_image_file(const char *name);
bool store_image_exists(Store *s, const char *key);
int store_image_unlink(Store *s, const char *key);
int store_image_discard(Store *s, const char *path);
int store_image_drop(Store *s, const StoreImage *i, Error *e);
int store_layers_check(char *const *layers, Error *e);
int store_layers_size(Store *s, char *const *layers, uint64_t *ret_size, uint64_t *ret_tree);
int store_blob_write(Store *s, const void *data, size_t size, int *ret_fd, Error *e);
int store_blob_place(Store *s, int tmp_fd, int fd, const char *path, Error *e);
int store_blob_unlink(Store *s, const char *key);
