/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an ACI or a layer may contain: judges each entry of a tar stream, and turns its names into paths beneath the root.
 *
 * A layer's names begin at the root, it has no manifest, and a file called .wh.NAME says that NAME of the layers below is
 * not there. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "basic/error.h"
#include "store/tar-stream.h"

#define TAR_CHECK_WARNINGS_MAX 20

typedef struct TarCheckOps {
        int (*entry)(void *userdata, const TarEntry *t);
        int (*manifest)(void *userdata, const char *data, size_t size);
        int (*warning)(void *userdata, const char *sentence);
        /* Layers only. "path" of the layers below is not there; nothing of them that is in the directory "path" is. */
        int (*whiteout)(void *userdata, const char *path);
        int (*opaque)(void *userdata, const char *path);
} TarCheckOps;

typedef struct TarCheck TarCheck;

int tar_check_new(const TarCheckOps *ops, void *userdata, const TarStreamLimits *limits,
                  uint64_t manifest_max, TarCheck **ret);
TarCheck *tar_check_free(TarCheck *c);
DEFINE_CLEANUP(TarCheck *, tar_check_free);
void tar_check_strict(TarCheck *c);
void tar_check_layer(TarCheck *c);
int tar_check_push(TarCheck *c, const uint8_t *data, size_t size, Error *e);
int tar_check_finish(TarCheck *c, Error *e);
uint64_t tar_check_n_entries(const TarCheck *c);
