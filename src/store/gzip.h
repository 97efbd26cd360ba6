/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gzip, made piece by piece. The same input gives the same bytes with the same zlib. */
#pragma once

#include <stddef.h>

#include "store/tar-write.h"

typedef struct Gzip Gzip;

int gzip_new(TarSink sink, void *userdata, Gzip **ret, Error *e);
Gzip *gzip_free(Gzip *g);
DEFINE_CLEANUP(Gzip *, gzip_free);
int gzip_push(void *gzip, const void *data, size_t size, Error *e);
int gzip_finish(Gzip *g, Error *e);
