/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an ACI may contain: judges each entry of a tar stream, and turns its names into paths beneath the root. */
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
} TarCheckOps;

typedef struct TarCheck TarCheck;

int tar_check_new(const TarCheckOps *ops, void *userdata, const TarStreamLimits *limits,
                  uint64_t manifest_max, TarCheck **ret);
TarCheck *tar_check_free(TarCheck *c);
DEFINE_CLEANUP(TarCheck *, tar_check_free);
void tar_check_strict(TarCheck *c);
int tar_check_push(TarCheck *c, const uint8_t *data, size_t size, Error *e);
int tar_check_finish(TarCheck *c, Error *e);
uint64_t tar_check_n_entries(const TarCheck *c);
