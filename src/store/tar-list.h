/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is where in an archive that is not unpacked: an OCI layout or a "docker save" in a tar. Worker side. */
#pragma once

#include "basic/alloc.h"
#include "basic/error.h"
#include "store/frame.h"
#include "store/tar-stream.h"

#define TAR_LIST_NAME_MAX 512U /* bytes; what has a longer name is no part of an image */

typedef struct TarList TarList;

int tar_list_new(FrameWriter *out, const TarStreamLimits *limits, TarList **ret);
TarList *tar_list_free(TarList *l);
DEFINE_CLEANUP(TarList *, tar_list_free);
int tar_list_push(TarList *l, const uint8_t *data, size_t size, Error *e);
int tar_list_finish(TarList *l, Error *e);
uint64_t tar_list_n_entries(const TarList *l);
