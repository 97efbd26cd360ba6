/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes an EROFS image in one pass from its first byte to its last, once erofs-layout.c has said where everything is.
 *
 * An index holds names, inodes and attributes; what its files contain is in the blobs, which are further devices of the
 * same file system. A full image holds that too, with blocks of 4096 bytes, for kernels that know no other size.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "store/erofs-format.h"
#include "store/erofs-layout.h"

#define INDEX_BLOCK_BITS 9
#define IMAGE_BLOCK_BITS 12
#define BUFFER_SIZE      IO_BUFFER(128U * 1024)

typedef struct Writer {
        ErofsLayout layout;
        int fd;
        uint8_t *buffer;
        size_t n_buffer;
        uint64_t at;         /* bytes written, with those in the buffer */
        uint64_t next_block; /* of the data area, absolute */
        uint32_t n_inodes;
} Writer;

static int flush(Writer *w) {
        int r = fd_write_all(w->fd, w->buffer, w->n_buffer);

        w->n_buffer = 0;
        return r;
}

/* Memory for the next bytes, at most BUFFER_SIZE, zeroed. NULL: cannot write, errno. */
static uint8_t *extend(Writer *w, size_t size) {
        uint8_t *p;

        if (w->n_buffer + size > BUFFER_SIZE) {
                int r = flush(w);

                if (r < 0) {
                        errno = -r;
                        return NULL;
                }
        }
        p = w->buffer + w->n_buffer;
        memset(p, 0, size);
        w->n_buffer += size;
        w->at += size;
        return p;
}

static int zero_to(Writer *w, uint64_t at) {
        while (w->at < at)
                if (!extend(w, (size_t) MIN(at - w->at, BUFFER_SIZE)))
                        return -errno;
        return 0;
}

static int append(Writer *w, const void *data, size_t size) {
        const uint8_t *from = data;

        while (size > 0) {
                size_t n = MIN(size, BUFFER_SIZE);
                uint8_t *p = extend(w, n);

                if (!p)
                        return -errno;
                memcpy(p, from, n);
                from += n;
                size -= n;
        }
        return 0;
}

/* Bytes of a blob. */
static int copy(Writer *w, unsigned device, uint64_t source, uint64_t size) {
        while (size > 0) {
                size_t wanted = (size_t) MIN(size, BUFFER_SIZE);
                uint8_t *p = extend(w, wanted);
                size_t n = 0;

                if (!p)
                        return -errno;
                while (n < wanted) {
                        ssize_t k =
                                pread(w->layout.devices[device].fd, p + n, wanted - n, (off_t) (source + n));

                        if (k < 0 && errno == EINTR)
                                continue;
                        if (k <= 0)
                                return k < 0 ? -errno : -EBADMSG;
                        n += (size_t) k;
                }
                source += wanted;
                size -= wanted;
        }
        return 0;
}

/* CRC-32C, four bits at a time. Not inverted at the end: so the kernel wants it. */
static uint32_t crc32c(const uint8_t *p, size_t size) {
        static const uint32_t table[16] = {
                0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
                0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
        };
        uint32_t crc = UINT32_MAX;

        while (size-- > 0) {
                crc ^= *p++;
                crc = crc >> 4 ^ table[crc & 15];
                crc = crc >> 4 ^ table[crc & 15];
        }
        return crc;
}

static void fill_super(const Writer *w, const uint8_t uuid[EROFS_UUID_SIZE], uint8_t *p) {
        const ErofsLayout *l = &w->layout;
        bool has_devices = !l->copy && l->n_devices > 0;

        put_le32(p, EROFS_MAGIC);
        put_le32(p + 8, l->copy ? EROFS_COMPAT_CHECKSUM : 0);
        p[12] = (uint8_t) l->block_bits;
        put_le16(p + 14, (uint16_t) l->tree->nodes[0].nid);
        put_le64(p + 16, l->n_inodes);
        put_le64(p + 24, (uint64_t) l->time_sec);
        put_le32(p + 32, l->time_nsec);
        put_le32(p + 36, (uint32_t) ((l->data_start >> l->block_bits) + l->data_blocks));
        put_le32(p + 44, (uint32_t) (l->xattr_start >> l->block_bits));
        memcpy(p + 48, uuid, EROFS_UUID_SIZE);
        put_le32(p + 80,
                 (l->has_chunks ? EROFS_INCOMPAT_CHUNKS : 0) | (has_devices ? EROFS_INCOMPAT_DEVICES : 0));
        put_le16(p + 86, has_devices ? (uint16_t) l->n_devices : 0);
        put_le16(p + 88, has_devices ? (EROFS_SUPER_OFFSET + EROFS_SUPER_SIZE) / EROFS_DEVICE_SIZE : 0);
}

/* The superblock and the devices. The sum covers what is left of the superblock's block. An index has none: fsck.erofs of
 * Debian 13 (1.8.6) computes the size of that as 512 - 1024, and dies. */
static int write_head(Writer *w, const uint8_t uuid[EROFS_UUID_SIZE]) {
        const ErofsLayout *l = &w->layout;
        size_t block = (size_t) 1 << l->block_bits;
        _cleanup_free_ uint8_t *head = NULL;
        uint8_t *super, *p;

        head = new0(uint8_t, (size_t) l->head);
        if (!head)
                return -ENOMEM;
        super = head + EROFS_SUPER_OFFSET;
        p = super + EROFS_SUPER_SIZE;
        fill_super(w, uuid, super);
        for (size_t i = 0; !l->copy && i < l->n_devices; i++, p += EROFS_DEVICE_SIZE) {
                const char *tag = l->devices[i].tag;

                if (tag)
                        memcpy(p, tag, strnlen(tag, EROFS_TAG_MAX));
                put_le32(p + EROFS_TAG_MAX, (uint32_t) (l->sizes[i] >> l->block_bits));
        }
        if (l->copy)
                put_le32(super + 4, crc32c(super, block - EROFS_SUPER_OFFSET));
        return append(w, head, (size_t) l->head);
}

static uint32_t type_bits(uint8_t type) {
        static const uint32_t bits[_TAR_TYPE_MAX] = {
                [TAR_FILE] = S_IFREG,   [TAR_DIRECTORY] = S_IFDIR, [TAR_SYMLINK] = S_IFLNK,
                [TAR_CHRDEV] = S_IFCHR, [TAR_BLKDEV] = S_IFBLK,    [TAR_FIFO] = S_IFIFO,
        };

        return bits[type];
}

static uint8_t dirent_type(uint8_t type) {
        static const uint8_t types[_TAR_TYPE_MAX] = {
                [TAR_FILE] = 1,   [TAR_DIRECTORY] = 2, [TAR_CHRDEV] = 3,
                [TAR_BLKDEV] = 4, [TAR_FIFO] = 5,      [TAR_SYMLINK] = 7,
        };

        return types[type];
}

static uint32_t device_number(const ErofsNode *n) {
        return (n->u.number.minor & 0xff) | n->u.number.major << 8 |
               (n->u.number.minor & ~UINT32_C(0xff)) << 12;
}

static int write_chunks(Writer *w, const ErofsNode *n) {
        const ErofsLayout *l = &w->layout;
        uint64_t n_chunks, source = 0;
        TarSegment buffer;
        size_t cursor = 0;
        ErofsChunks c;
        int r;

        c = erofs_chunks_get(l, n, &buffer);
        r = zero_to(w, (w->at + EROFS_CHUNK_SIZE - 1) & ~(uint64_t) (EROFS_CHUNK_SIZE - 1));
        if (r < 0)
                return r;
        n_chunks = ((c.size - 1) >> c.bits) + 1;
        for (uint64_t i = 0; i < n_chunks; i++) {
                uint8_t *p = extend(w, EROFS_CHUNK_SIZE);

                if (!p)
                        return -errno;
                switch (erofs_chunk_kind(l, &c, i, &cursor, &source)) {
                case EROFS_CHUNK_HOLE: put_le32(p + 4, EROFS_HOLE); break;
                case EROFS_CHUNK_DIRECT:
                        put_le16(p + 2, (uint16_t) (c.device + 1));
                        put_le32(p + 4, (uint32_t) (source >> l->block_bits));
                        break;
                case EROFS_CHUNK_COPY:
                        put_le32(p + 4, (uint32_t) w->next_block);
                        w->next_block += UINT64_C(1) << (c.bits - l->block_bits);
                        break;
                }
        }
        return 0;
}

/* The directory's names, up to the end or as many blocks, each filled up. */
static int write_dir(Writer *w, ErofsNames *n, uint64_t n_blocks) {
        const ErofsLayout *l = &w->layout;
        size_t count;

        while (n_blocks-- > 0 && erofs_dir_block(l, *n, &count) > 0) {
                uint8_t *p = extend(w, (size_t) 1 << l->block_bits);
                size_t at = count * EROFS_DIRENT_SIZE;

                if (!p)
                        return -errno;
                for (size_t i = 0; i < count; i++, p += EROFS_DIRENT_SIZE) {
                        (void) erofs_names_next(n);
                        put_le64(p, l->tree->nodes[n->inode].nid);
                        put_le16(p + 8, (uint16_t) at);
                        p[10] = dirent_type(l->tree->nodes[n->inode].type);
                        memcpy(p - i * EROFS_DIRENT_SIZE + at, n->name, n->size);
                        at += n->size;
                }
        }
        return 0;
}

/* The last bytes, behind the inode. */
static int write_tail(Writer *w, uint32_t id) {
        const ErofsLayout *l = &w->layout;
        const ErofsNode *n = &l->tree->nodes[id];
        uint64_t blocks = n->size >> l->block_bits, tail = n->size - (blocks << l->block_bits);
        ErofsNames names = { .tree = l->tree, .dir = id };
        uint64_t end = w->at + tail;
        size_t count;
        int r;

        if (n->type == TAR_FILE)
                return copy(w, n->device, n->u.source + (blocks << l->block_bits), tail);
        if (n->type == TAR_SYMLINK)
                return append(w, l->tree->text + n->u.target + (blocks << l->block_bits), (size_t) tail);
        for (; blocks > 0; blocks--) {
                (void) erofs_dir_block(l, names, &count);
                while (count-- > 0)
                        (void) erofs_names_next(&names);
        }
        /* A block is written whole, and the rest of it, zeros, is taken back. */
        r = write_dir(w, &names, 1);
        w->n_buffer -= (size_t) (w->at - end);
        w->at = end;
        return r;
}

static int write_xattr_list(Writer *w, const ErofsNode *n) {
        const uint32_t *ids;
        size_t count;
        uint8_t *p;

        ids = erofs_xattrs_get(w->layout.tree, n->xattrs, &count);
        if (count == 0)
                return 0;
        p = extend(w, EROFS_XATTR_BODY_SIZE + 4 * count);
        if (!p)
                return -errno;
        p[4] = (uint8_t) count;
        for (size_t i = 0; i < count; i++)
                put_le32(p + EROFS_XATTR_BODY_SIZE + 4 * i, ids[i] / 4);
        return 0;
}

static int write_inode(Writer *w, uint32_t id) {
        const ErofsLayout *l = &w->layout;
        const ErofsNode *n = &l->tree->nodes[id];
        bool is_compact = erofs_inode_is_compact(l, n), has_chunks = erofs_inode_has_chunks(l, n);
        unsigned layout = has_chunks                     ? EROFS_LAYOUT_CHUNKS
                          : n->flags & EROFS_NODE_INLINE ? EROFS_LAYOUT_INLINE
                                                         : EROFS_LAYOUT_PLAIN;
        uint64_t blocks = has_chunks ? 0 : erofs_data_blocks(l, n);
        uint32_t u = blocks > 0 ? (uint32_t) w->next_block : 0;
        size_t n_xattrs;
        uint8_t *p;
        int r;

        (void) erofs_xattrs_get(l->tree, n->xattrs, &n_xattrs);
        r = zero_to(w, (uint64_t) n->nid * EROFS_SLOT_SIZE);
        if (r < 0)
                return r;
        p = extend(w, is_compact ? EROFS_COMPACT_SIZE : EROFS_EXTENDED_SIZE);
        if (!p)
                return -errno;
        if (n->type == TAR_CHRDEV || n->type == TAR_BLKDEV)
                u = device_number(n);
        if (has_chunks)
                u = EROFS_CHUNK_INDEXES | (n->chunk_bits - l->block_bits);
        put_le16(p, (uint16_t) (layout << 1 | (is_compact ? 0 : 1)));
        put_le16(p + 2, (uint16_t) (n_xattrs > 0 ? n_xattrs + 1 : 0));
        put_le16(p + 4, (uint16_t) (type_bits(n->type) | n->mode));
        put_le32(p + 16, u);
        put_le32(p + 20, ++w->n_inodes);
        if (is_compact) {
                put_le16(p + 6, (uint16_t) n->n_links);
                put_le32(p + 8, (uint32_t) n->size);
                put_le16(p + 24, (uint16_t) n->uid);
                put_le16(p + 26, (uint16_t) n->gid);
        } else {
                put_le64(p + 8, n->size);
                put_le32(p + 24, n->uid);
                put_le32(p + 28, n->gid);
                put_le64(p + 32, (uint64_t) n->mtime_sec);
                put_le32(p + 40, n->mtime_nsec);
                put_le32(p + 44, n->n_links);
        }
        r = write_xattr_list(w, n);
        if (r < 0)
                return r;
        w->next_block += blocks;
        if (has_chunks)
                return write_chunks(w, n);
        return layout == EROFS_LAYOUT_INLINE ? write_tail(w, id) : 0;
}

/* Puts one chunk together: pieces where there are any, zeros between. */
static int write_copied_chunk(Writer *w, const ErofsChunks *c, uint64_t chunk, size_t cursor) {
        uint64_t from = chunk << c->bits, to = MIN(c->size, (chunk + 1) << c->bits), start = w->at;

        for (const TarSegment *s = c->segments + cursor; s < c->segments + c->n_segments && s->offset < to;
             s++) {
                uint64_t a = MAX(from, s->offset), b = MIN(to, s->offset + s->size);
                int r = zero_to(w, start + (a - from));

                if (r >= 0)
                        r = copy(w, c->device, s->source + (a - s->offset), b - a);
                if (r < 0)
                        return r;
        }
        return zero_to(w, start + (UINT64_C(1) << c->bits));
}

/* What an inode has in the data area. */
static int write_data(Writer *w, uint32_t id) {
        const ErofsLayout *l = &w->layout;
        const ErofsNode *n = &l->tree->nodes[id];
        ErofsNames names = { .tree = l->tree, .dir = id };
        uint64_t end, size, blocks;
        TarSegment buffer;
        int r = 0;

        if (erofs_inode_has_chunks(l, n)) {
                ErofsChunks c = erofs_chunks_get(l, n, &buffer);
                uint64_t n_chunks = ((c.size - 1) >> c.bits) + 1, source = 0;
                size_t cursor = 0;

                for (uint64_t i = 0; r >= 0 && i < n_chunks; i++)
                        if (erofs_chunk_kind(l, &c, i, &cursor, &source) == EROFS_CHUNK_COPY)
                                r = write_copied_chunk(w, &c, i, cursor);
                return r;
        }
        blocks = erofs_data_blocks(l, n);
        if (blocks == 0)
                return 0;
        end = w->at + (blocks << l->block_bits);
        size = MIN(n->size, blocks << l->block_bits);
        if (n->type == TAR_FILE)
                r = copy(w, n->device, n->u.source, size);
        else if (n->type == TAR_SYMLINK)
                r = append(w, l->tree->text + n->u.target, (size_t) size);
        else
                r = write_dir(w, &names, blocks);
        return r < 0 ? r : zero_to(w, end);
}

static int write_all(Writer *w, const uint8_t uuid[EROFS_UUID_SIZE]) {
        const ErofsLayout *l = &w->layout;
        ErofsInodes inodes = { .tree = l->tree }, again = inodes;
        uint32_t id;
        int r;

        w->next_block = l->data_start >> l->block_bits;
        r = write_head(w, uuid);
        while (r >= 0 && erofs_inodes_next(&inodes, &id))
                r = write_inode(w, id);
        if (r >= 0)
                r = zero_to(w, l->xattr_start);
        if (r >= 0 && l->tree->xattrs.size > 0)
                r = append(w, l->tree->xattrs.data, l->tree->xattrs.size);
        if (r >= 0)
                r = zero_to(w, l->data_start);
        while (r >= 0 && erofs_inodes_next(&again, &id))
                r = write_data(w, id);
        return r < 0 ? r : flush(w);
}

static int write_tree(ErofsTree *t, const ErofsDevice *devices, size_t n_devices, const uint8_t *uuid, int fd,
                      bool full, uint64_t *ret_size, Error *e) {
        Writer w = { .layout = { .tree = t,
                                 .devices = devices,
                                 .n_devices = n_devices,
                                 .block_bits = full ? IMAGE_BLOCK_BITS : INDEX_BLOCK_BITS,
                                 .copy = full },
                     .fd = fd };
        _cleanup_free_ uint8_t *buffer = NULL;
        int r;

        if (n_devices > EROFS_DEVICES_MAX)
                return error_setf(e, -E2BIG, "an image can be made of %d parts at most", EROFS_DEVICES_MAX);
        buffer = malloc(BUFFER_SIZE);
        if (!buffer)
                return error_oom(e);
        w.buffer = buffer;
        r = erofs_layout_make(&w.layout, e);
        if (r >= 0) {
                r = write_all(&w, uuid);
                if (r < 0)
                        (void) error_setf(e, r, "cannot write the file system: %s", strerror(-r));
        }
        free(w.layout.sizes);
        if (r < 0)
                return r;
        assert(w.at == w.layout.data_start + (w.layout.data_blocks << w.layout.block_bits));
        *ret_size = w.at;
        return 0;
}

/**
 * erofs_write_index() - names and attributes; the files' bytes stay in the blobs
 * @t:         tree; may be added to and written again
 * @devices:   the blobs; read only where a sparse file's pieces do not fit into chunks
 * @n_devices: as many must be given to mount(8) as device=, in this order; at most EROFS_DEVICES_MAX
 * @uuid:      of the file system; the same input gives the same bytes
 * @fd:        empty file, written from its beginning; not synced
 * @ret_size:  bytes written
 * @e:         sentence on failure; may be NULL
 *
 * Blocks have 512 bytes, as in tar: Linux 6.4 or later, on machines with pages of 4096 bytes.
 *
 * Return: 0; -EBADMSG (a file lies outside its blob), -E2BIG, -ENOMEM, -ENOSPC and other errno of write(), pread().
 */
int erofs_write_index(ErofsTree *t, const ErofsDevice *devices, size_t n_devices,
                      const uint8_t uuid[EROFS_UUID_SIZE], int fd, uint64_t *ret_size, Error *e) {
        return write_tree(t, devices, n_devices, uuid, fd, false, ret_size, e);
}

/**
 * erofs_write_image() - a file system that needs no blob
 * @t:         tree; may be added to and written again
 * @devices:   the blobs, from which the files' bytes are copied
 * @n_devices: at most EROFS_DEVICES_MAX
 * @uuid:      of the file system; the same input gives the same bytes
 * @fd:        empty file, written from its beginning; not synced
 * @ret_size:  bytes written
 * @e:         sentence on failure; may be NULL
 *
 * Blocks have 4096 bytes; Linux 5.16 or later.
 *
 * Return: 0; -EBADMSG (a file lies outside its blob), -E2BIG, -ENOMEM, -ENOSPC and other errno of write(), pread().
 */
int erofs_write_image(ErofsTree *t, const ErofsDevice *devices, size_t n_devices,
                      const uint8_t uuid[EROFS_UUID_SIZE], int fd, uint64_t *ret_size, Error *e) {
        return write_tree(t, devices, n_devices, uuid, fd, true, ret_size, e);
}
