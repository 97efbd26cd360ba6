/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One object of an archive, after all checks: what a tree, or an index over the blob, is made from. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "basic/macro.h"

#define TAR_PATH_MAX        4095  /* bytes of a name or a link's target */
#define TAR_NAME_MAX        255   /* bytes between two slashes */
#define TAR_DEPTH_MAX       256   /* components of a name */
#define TAR_SEGMENTS_MAX    16384 /* pieces of a sparse file */
#define TAR_XATTRS_MAX      128   /* of one entry */
#define TAR_XATTR_VALUE_MAX 65535 /* bytes; EROFS has 16 bits for it */
#define TAR_XATTR_TOTAL_MAX (256U * 1024)
#define TAR_ID_MAX          (UINT32_MAX - 2) /* -1 and -2 are not owners */

typedef enum TarType {
        TAR_FILE,
        TAR_DIRECTORY,
        TAR_SYMLINK,
        TAR_HARDLINK,
        TAR_CHRDEV,
        TAR_BLKDEV,
        TAR_FIFO,
        _TAR_TYPE_MAX,
        _TAR_TYPE_INVALID = -EINVAL,
} TarType;

/* A run of bytes of a file. What lies between segments is a hole. */
typedef struct TarSegment {
        uint64_t offset; /* in the file */
        uint64_t size;
        uint64_t source; /* in the entry's blob */
} TarSegment;

typedef struct TarXattr {
        char *name;
        char *value;
        size_t size;
} TarXattr;

typedef struct TarEntry {
        TarType type;
        char *path;    /* beneath the root, normalized, no leading slash; "" is the root itself */
        char *link;    /* symbolic link: as it is; hard link: a path as above; else NULL */
        uint32_t mode; /* low 12 bits */
        uint32_t uid;
        uint32_t gid;
        uint32_t major;
        uint32_t minor;
        int64_t mtime_sec;
        uint32_t mtime_nsec;
        uint64_t size;   /* of the file, holes included */
        uint16_t device; /* which blob the segments are in, where there are several; else 0 */
        TarSegment *segments;
        size_t n_segments;
        TarXattr *xattrs;
        size_t n_xattrs;
} TarEntry;

#define TAR_ENTRY_INIT       ((TarEntry){})
#define TAR_NAME_ESCAPED_MAX 256

void tar_entry_done(TarEntry *t);
int tar_entry_add_xattr(TarEntry *t, const char *name, const char *value, size_t size);
int tar_entry_add_segment(TarEntry *t, uint64_t offset, uint64_t size, uint64_t source);
const char *tar_name_escape(const char *name, char buffer[TAR_NAME_ESCAPED_MAX]);
