/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The store: what is kept beneath the data directory, and its locks. Root's own; a reader needs no daemon.
 *
 *   cas/version                          layout version, "1\n"
 *   cas/lock                             shared: somebody relies on images; exclusive: somebody removes some
 *   cas/turn.lock                        who wants cas/lock for himself, so that those who share let him
 *   cas/commit.lock                      who makes images visible, or removes them
 *   cas/blob/sha512/fa/sha512-fa1c...    an uncompressed tar, byte for byte
 *   cas/blob/sha512/fa/sha512-fa1c....manifest    the image manifest that was in it
 *                                        of an OCI image: its manifest; beside it the image manifest made of that, and
 *   cas/blob/sha512/fa/sha512-fa1c....config      its configuration
 *   cas/blob/sha256/fa/sha256-fa1c...    the uncompressed tar of a layer (store-layer.h)
 *   cas/tree/KEY/rootfs/                 the tree that was in it (store-tree.h)
 *   cas/ref/image/, cas/ref/remote/      small JSON files (store-ref.h). An image is in the store when its file is here
 *   cas/tmp/                             what is being made; a directory whose lock nobody holds is rubbish
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "basic/error.h"
#include "basic/lock.h"
#include "basic/macro.h"

#define STORE_LAYOUT_VERSION  1
#define STORE_DIGEST_HEX      128                                    /* digits of a SHA-512 */
#define STORE_KEY_HEX         64                                     /* rkt's key: the first half of them */
#define STORE_KEY_PREFIX_SIZE (sizeof("sha512-") - 1)                /* as "sha256-" */
#define STORE_ID_MAX          (sizeof("sha512-") + STORE_DIGEST_HEX) /* "sha512-" + 128 digits + NUL */
#define STORE_KEY_MAX         (sizeof("sha512-") + STORE_KEY_HEX)

#define STORE_LOCK_WAIT_MSEC 30000U /* for those who share, before somebody who wants to be alone gives up */

typedef enum StoreOpenFlags {
        STORE_OPEN_READ_ONLY = 1 << 0, /* make nothing, clean nothing; -ENOENT when there is no store yet */
} StoreOpenFlags;

typedef struct Store Store;

int store_open(const char *dir, StoreOpenFlags flags, Store **ret, Error *e);
Store *store_free(Store *s);
DEFINE_CLEANUP(Store *, store_free);
const char *store_dir(const Store *s);
int store_dir_fd(const Store *s);
int store_cas_fd(const Store *s);
int store_lock(Store *s, LockMode mode, int wait, int *ret_fd, Error *e);
int store_tmp_clean(Store *s, Error *e);
int store_lock_holder(Store *s, char **ret);

bool store_id_is_valid(const char *id);
bool store_key_is_valid(const char *key);
bool store_layer_key_is_valid(const char *key);
bool store_blob_key_is_valid(const char *key);
int store_key_from_id(const char *id, char ret[STORE_KEY_MAX]);
int store_key_find(Store *s, const char *prefix, char ret[STORE_KEY_MAX], Error *e);
