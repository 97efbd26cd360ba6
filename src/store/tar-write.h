/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A tar archive, made entry by entry: POSIX pax. The same entries give the same bytes. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "basic/error.h"
#include "store/tar-entry.h"

/* Gets the archive's bytes in order; a negative errno ends it. */
typedef int (*TarSink)(void *userdata, const void *data, size_t size, Error *e);

typedef struct TarWriter TarWriter;

int tar_writer_new(const char *prefix, TarSink sink, void *userdata, TarWriter **ret, Error *e);
TarWriter *tar_writer_free(TarWriter *w);
DEFINE_CLEANUP(TarWriter *, tar_writer_free);
int tar_writer_entry(TarWriter *w, const TarEntry *t, Error *e);
int tar_writer_content(TarWriter *w, const void *data, size_t size, Error *e);
int tar_writer_file(TarWriter *w, const TarEntry *t, int fd, Error *e);
int tar_writer_text(TarWriter *w, const char *path, const char *text, size_t size, Error *e);
int tar_writer_finish(TarWriter *w, Error *e);
