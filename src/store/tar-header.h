/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fields of a tar header block, and the records of a pax header. Bytes in, numbers and strings out. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "basic/error.h"
#include "store/tar-entry.h"

#define TAR_BLOCK 512U

/* A header block, decoded. Strings are NUL-terminated copies. */
typedef struct TarHeader {
        char type; /* as in the block; '\0' is '0' */
        bool is_gnu;
        char name[257]; /* prefix, slash, name */
        char link[101];
        uint32_t mode; /* low 12 bits */
        uint32_t uid;
        uint32_t gid;
        uint64_t size;
        int64_t mtime;
        uint32_t major;
        uint32_t minor;
        bool id_is_invalid;     /* uid or gid; a pax record may still replace them */
        bool device_is_invalid; /* major or minor; matters for devices only */
} TarHeader;

/* What extended headers said about the next entry. Strings are NULL if they said nothing. */
typedef struct TarExtra {
        char *path;
        char *link;
        char *sparse_name;
        bool has_size, has_uid, has_gid, has_mtime;
        uint64_t size;
        uint32_t uid;
        uint32_t gid;
        int64_t mtime_sec;
        uint32_t mtime_nsec;
        bool is_sparse;        /* any GNU.sparse record */
        unsigned sparse_major; /* 1: the map stands before the data */
        bool has_real_size;
        uint64_t real_size;
        uint64_t sparse_offset; /* a GNU.sparse.offset that waits for its numbytes */
        bool has_sparse_offset;
        TarEntry entry; /* collects attributes and segments; their source is not known yet */
        char *dropped;  /* the first record that means something, but is not restored (ACL, SELinux) */
} TarExtra;

#define TAR_EXTRA_INIT ((TarExtra){})

bool tar_block_is_zero(const uint8_t block[TAR_BLOCK]);
bool tar_block_has_magic(const uint8_t block[TAR_BLOCK]);
int tar_number_parse(const uint8_t *field, size_t size, int64_t *ret);
int tar_header_decode(const uint8_t block[TAR_BLOCK], TarHeader *ret, Error *e);
int tar_sparse_decode(const uint8_t *field, size_t n, TarExtra *x);
int tar_pax_decode(const uint8_t *data, size_t size, bool global, TarExtra *x, Error *e);
void tar_extra_done(TarExtra *x);
