/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an EROFS image looks like, as far as we write it. Numbers are little-endian.
 *
 *      superblock    at 1024, 128 bytes
 *      device        128 bytes each
 *      inode         at a multiple of 32, which is its number (nid): 32 or 64 bytes; then the list of its shared attributes;
 *                    then the index of its chunks, or the last piece of its bytes
 *      attributes    each at a multiple of 4
 *      blocks        of directories, long links, and what had to be copied
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define EROFS_MAGIC             UINT32_C(0xe0f5e1e2)
#define EROFS_SUPER_OFFSET      1024U
#define EROFS_SUPER_SIZE        128U
#define EROFS_DEVICE_SIZE       128U
#define EROFS_SLOT_SIZE         32U /* an inode's number counts these */
#define EROFS_COMPACT_SIZE      32U
#define EROFS_EXTENDED_SIZE     64U
#define EROFS_DIRENT_SIZE       12U
#define EROFS_CHUNK_SIZE        8U /* one line of a chunk index */
#define EROFS_CHUNK_BITS_MAX    31U
#define EROFS_CHUNK_INDEXES     0x20U
#define EROFS_HOLE              UINT32_MAX
#define EROFS_XATTR_BODY_SIZE   12U
#define EROFS_XATTR_ENTRY_SIZE  4U
#define EROFS_COMPAT_CHECKSUM   0x1U
#define EROFS_INCOMPAT_CHUNKS   0x4U
#define EROFS_INCOMPAT_DEVICES  0x8U
#define EROFS_LAYOUT_PLAIN      0U
#define EROFS_LAYOUT_INLINE     2U
#define EROFS_LAYOUT_CHUNKS     4U
#define EROFS_XATTR_USER        1
#define EROFS_XATTR_ACL_ACCESS  2
#define EROFS_XATTR_ACL_DEFAULT 3
#define EROFS_XATTR_TRUSTED     4
#define EROFS_XATTR_SECURITY    6

static inline void put_le16(uint8_t *p, uint16_t v) {
        p[0] = (uint8_t) v;
        p[1] = (uint8_t) (v >> 8);
}
static inline void put_le32(uint8_t *p, uint32_t v) {
        put_le16(p, (uint16_t) v);
        put_le16(p + 2, (uint16_t) (v >> 16));
}
static inline void put_le64(uint8_t *p, uint64_t v) {
        put_le32(p, (uint32_t) v);
        put_le32(p + 4, (uint32_t) (v >> 32));
}
static inline uint16_t get_le16(const uint8_t *p) {
        return (uint16_t) (p[0] | p[1] << 8);
}
static inline uint32_t get_le32(const uint8_t *p) {
        return get_le16(p) | (uint32_t) get_le16(p + 2) << 16;
}
static inline uint64_t get_le64(const uint8_t *p) {
        return get_le32(p) | (uint64_t) get_le32(p + 4) << 32;
}
