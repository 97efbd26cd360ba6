/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where everything of an image is going to be. */
#pragma once

#include "store/erofs-internal.h"

typedef struct ErofsLayout {
        ErofsTree *tree;
        const ErofsDevice *devices;
        uint64_t *sizes; /* of the devices */
        size_t n_devices;
        unsigned block_bits;
        bool copy; /* the bytes of files go into the image */

        int64_t time_sec; /* of most inodes; those need no time of their own */
        uint32_t time_nsec;
        uint64_t n_inodes;
        bool has_chunks;
        uint64_t head;        /* bytes of superblock and devices; here the inodes begin */
        uint64_t xattr_start; /* bytes, as all of these; a multiple of the block */
        uint64_t data_start;
        uint64_t data_blocks;
} ErofsLayout;

/* A file that is described in chunks: its pieces, and how they are cut. */
typedef struct ErofsChunks {
        const TarSegment *segments;
        size_t n_segments;
        uint64_t size;
        unsigned device;
        unsigned bits;
} ErofsChunks;

typedef enum ErofsChunkKind {
        EROFS_CHUNK_HOLE,
        EROFS_CHUNK_DIRECT, /* in the device */
        EROFS_CHUNK_COPY,   /* put together in the image */
} ErofsChunkKind;

/* A walk over all inodes, each once, in the order in which they stand in the image. */
typedef struct ErofsInodes {
        const ErofsTree *tree;
        size_t dir;
        size_t name;
        bool begun;
        uint32_t last_nid;
} ErofsInodes;

/* A walk over the names of a directory, with "." and "..", in order. */
typedef struct ErofsNames {
        const ErofsTree *tree;
        uint32_t dir;
        uint32_t next;
        unsigned n_dots;

        const char *name; /* the current one */
        size_t size;
        uint32_t inode;
} ErofsNames;

int erofs_layout_make(ErofsLayout *l, Error *e);
bool erofs_inodes_next(ErofsInodes *i, uint32_t *ret);
bool erofs_names_next(ErofsNames *n);
bool erofs_inode_is_compact(const ErofsLayout *l, const ErofsNode *n);
bool erofs_inode_has_chunks(const ErofsLayout *l, const ErofsNode *n);
size_t erofs_inode_size(const ErofsLayout *l, const ErofsNode *n);
uint64_t erofs_data_blocks(const ErofsLayout *l, const ErofsNode *n);
size_t erofs_dir_block(const ErofsLayout *l, ErofsNames n, size_t *ret_count);
ErofsChunks erofs_chunks_get(const ErofsLayout *l, const ErofsNode *n, TarSegment *buffer);
ErofsChunkKind erofs_chunk_kind(const ErofsLayout *l, const ErofsChunks *c, uint64_t chunk, size_t *cursor,
                                uint64_t *ret_source);
