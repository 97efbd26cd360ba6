/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What runs through the pipes between the store and its workers. Both ends are the same build on the same machine, so
 * numbers are in its own order; but the writer may have been taken over by what it reads, so the reader believes nothing.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "basic/error.h"
#include "basic/str.h"
#include "store/tar-entry.h"

#define FRAME_SIZE_MAX (1024U * 1024 + 64)

typedef enum FrameType {
        FRAME_DATA,     /* bytes of the tar, in order */
        FRAME_ENTRY,    /* frame_encode_entry() */
        FRAME_MANIFEST, /* the whole file */
        FRAME_WARNING,  /* a sentence */
        FRAME_ERROR,    /* FrameError, then a sentence; the last frame */
        FRAME_END,      /* FrameEnd; the last frame */
        FRAME_WHITEOUT, /* of a layer: a path of which nothing below shows; no NUL */
        FRAME_OPAQUE,   /* likewise the path of a directory in which nothing below shows */
        _FRAME_TYPE_MAX,
} FrameType;

typedef struct FrameHeader {
        uint32_t type;
        uint32_t size; /* of what follows */
} FrameHeader;

typedef struct FrameEnd {
        uint64_t size;      /* parse: bytes of the tar; untar: bytes of all files */
        uint64_t n_entries; /* entries sent; objects made */
} FrameEnd;

/* Reads frames from a descriptor. */
typedef struct FrameReader {
        int fd;
        uint8_t *buffer; /* FRAME_READER_SIZE */
        size_t start;
        size_t end;
} FrameReader;

#define FRAME_READER_INIT ((FrameReader){ .fd = -EBADF })

/* Writes frames: small ones are collected, and leave with the next large one, in one call. */
typedef struct FrameWriter {
        int fd;
        StrBuf waiting;
} FrameWriter;

#define FRAME_WRITER_INIT ((FrameWriter){ .fd = -EBADF, .waiting = STRBUF_INIT })

void frame_reader_done(FrameReader *f);
int frame_read(FrameReader *f, FrameType *ret_type, const uint8_t **ret, size_t *ret_size, Error *e);
void frame_writer_done(FrameWriter *w);
int frame_writer_add(FrameWriter *w, FrameType type, const void *data, size_t size);
int frame_writer_send(FrameWriter *w, FrameType type, const void *data, size_t size);
int frame_write(int fd, FrameType type, const void *data, size_t size);
int frame_write_error(int fd, int error, const char *sentence);
int frame_decode_error(const uint8_t *data, size_t size, Error *e);
int frame_decode_end(const uint8_t *data, size_t size, FrameEnd *ret);
int frame_decode_path(const uint8_t *data, size_t size, char **ret);
int frame_encode_entry(const TarEntry *t, uint8_t **ret, size_t *ret_size);
int frame_decode_entry(const uint8_t *data, size_t size, TarEntry *ret);
