/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A tar archive, pushed in pieces of any size; entries come out. Constant memory, no I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "basic/error.h"
#include "store/tar-entry.h"

/* An entry as the archive has it: path and link are its own spelling, the type '0'..'7' is decoded, nothing is judged. */
typedef struct TarStreamEntry {
        TarEntry entry;
        bool id_is_invalid;
        bool device_is_invalid;
        const char *dropped; /* a record that will not be restored; may be NULL */
} TarStreamEntry;

typedef struct TarStreamOps {
        /* May take members of t->entry. 1: content() shall get the bytes of this one; negative errno ends the stream. */
        int (*entry)(void *userdata, TarStreamEntry *t, Error *e);
        /* Pieces in order; @size 0: that was all. */
        int (*content)(void *userdata, const uint8_t *data, size_t size, Error *e);
} TarStreamOps;

typedef struct TarStreamLimits {
        uint64_t size_max;    /* bytes of the archive, and of one file with its holes */
        uint64_t entries_max; /* headers, whatever becomes of them */
} TarStreamLimits;

typedef struct TarStream TarStream;

int tar_stream_new(const TarStreamOps *ops, void *userdata, const TarStreamLimits *limits, TarStream **ret);
TarStream *tar_stream_free(TarStream *t);
DEFINE_CLEANUP(TarStream *, tar_stream_free);
int tar_stream_push(TarStream *t, const uint8_t *data, size_t size, Error *e);
int tar_stream_finish(TarStream *t, Error *e);
void tar_stream_may_end(TarStream *t);
uint64_t tar_stream_size(const TarStream *t);
