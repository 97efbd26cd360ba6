/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The layout of an EROFS image: which inode stands where, and how the bytes of each file are found.
 *
 * Inodes stand in the order of the walk: a directory's names together, as `ls -l` reads them. What a directory or a link
 * says stands behind its inode as far as it fits, since a block of its own would mostly be empty.
 *
 * A file is described in chunks of one size, each of which is a hole, or a run of blocks of any device. Tar pads to 512
 * bytes and so do we; so a file without holes is one chunk. With holes, chunks that are wholly covered by one piece point
 * into the blob, those without any piece are holes, and the others, at the edges of pieces, are copied. The size of chunks is
 * that at which index and copies together are smallest.
 */
#include "store/erofs-layout.h"

#include <inttypes.h>
#include <sys/stat.h>

#include "basic/alloc.h"
#include "store/erofs-format.h"

/* Bytes that all sparse files together may add: a small archive must not become a large index. */
#define SCATTER_MAX (UINT64_C(1) << 30)

static uint64_t align(uint64_t v, uint64_t n) {
        return (v + n - 1) & ~(n - 1);
}

/**
 * erofs_inodes_next() - the next inode
 * @i:   starts with the tree only; once the layout is made, or while it is
 * @ret: node
 *
 * Return: false at the end.
 */
bool erofs_inodes_next(ErofsInodes *i, uint32_t *ret) {
        const ErofsTree *t = i->tree;

        if (!i->begun) {
                i->begun = true;
                i->last_nid = t->nodes[0].nid;
                *ret = 0;
                return true;
        }
        for (; i->dir < t->n_dirs; i->dir++, i->name = 0) {
                const ErofsNode *dir = &t->nodes[t->dirs[i->dir]];

                while (i->name < dir->u.list.n) {
                        uint32_t id = t->order[dir->u.list.first + i->name++];

                        if (t->nodes[id].type == TAR_HARDLINK)
                                id = t->nodes[id].u.target;
                        /* Numbers ascend: a smaller one was seen under its first name. 0: not placed yet. */
                        if (t->nodes[id].nid != 0 && t->nodes[id].nid <= i->last_nid)
                                continue;
                        i->last_nid = MAX(i->last_nid, t->nodes[id].nid);
                        *ret = id;
                        return true;
                }
        }
        return false;
}

static int compare_bytes(const char *a, size_t n, const char *b, size_t m) {
        int r = memcmp(a, b, MIN(n, m));

        return r != 0 ? r : n < m ? -1 : n > m;
}

/**
 * erofs_names_next() - the next name of a directory
 * @n: starts with tree and dir only; the name is in it
 *
 * Return: false at the end.
 */
bool erofs_names_next(ErofsNames *n) {
        const ErofsTree *t = n->tree;
        const ErofsNode *dir = &t->nodes[n->dir];
        bool has_name = n->next < dir->u.list.n;

        if (has_name) {
                n->inode = t->order[dir->u.list.first + n->next];
                n->name = t->text + t->nodes[n->inode].name + 1;
                n->size = (unsigned char) n->name[-1];
        }
        if (n->n_dots < 2 && (!has_name || compare_bytes("..", n->n_dots + 1, n->name, n->size) < 0)) {
                n->n_dots++;
                n->name = "..";
                n->size = n->n_dots;
                n->inode = n->n_dots == 1 ? n->dir : dir->parent;
                return true;
        }
        if (!has_name)
                return false;
        if (t->nodes[n->inode].type == TAR_HARDLINK)
                n->inode = t->nodes[n->inode].u.target;
        n->next++;
        return true;
}

/**
 * erofs_dir_block() - how much fits into the next block of a directory
 * @l:         layout
 * @n:         a copy of the walk, at the block's beginning
 * @ret_count: names
 *
 * Return: bytes, 0 at the directory's end.
 */
size_t erofs_dir_block(const ErofsLayout *l, ErofsNames n, size_t *ret_count) {
        size_t size = 0;

        *ret_count = 0;
        while (erofs_names_next(&n)) {
                if (size + EROFS_DIRENT_SIZE + n.size > (size_t) 1 << l->block_bits)
                        break;
                size += EROFS_DIRENT_SIZE + n.size;
                ++*ret_count;
        }
        return size;
}

static uint64_t measure_dir(const ErofsLayout *l, uint32_t dir) {
        ErofsNames n = { .tree = l->tree, .dir = dir };
        uint64_t blocks = 0;
        size_t size, last = 0, count;

        while ((size = erofs_dir_block(l, n, &count)) > 0) {
                while (count-- > 0)
                        (void) erofs_names_next(&n);
                last = size;
                blocks++;
        }
        return ((blocks - 1) << l->block_bits) + last;
}

/**
 * erofs_inode_is_compact() - do 32 bytes hold it?
 * @l: layout
 * @n: inode
 *
 * Return: true if its numbers are small, and its time is that of most.
 */
bool erofs_inode_is_compact(const ErofsLayout *l, const ErofsNode *n) {
        return n->mtime_sec == l->time_sec && n->mtime_nsec == l->time_nsec && n->uid <= UINT16_MAX &&
               n->gid <= UINT16_MAX && n->n_links <= UINT16_MAX && n->size <= UINT32_MAX;
}

/**
 * erofs_inode_has_chunks() - or are its bytes in one run of blocks of the image?
 * @l: layout
 * @n: inode
 *
 * Return: true if chunks describe it.
 */
bool erofs_inode_has_chunks(const ErofsLayout *l, const ErofsNode *n) {
        return n->type == TAR_FILE && n->size > 0 && (!l->copy || (n->flags & EROFS_NODE_PIECES));
}

/**
 * erofs_inode_size() - bytes of the inode and of the list of its attributes
 * @l: layout
 * @n: inode
 *
 * Return: bytes, a multiple of 4.
 */
size_t erofs_inode_size(const ErofsLayout *l, const ErofsNode *n) {
        size_t n_xattrs;

        (void) erofs_xattrs_get(l->tree, n->xattrs, &n_xattrs);
        return (erofs_inode_is_compact(l, n) ? EROFS_COMPACT_SIZE : EROFS_EXTENDED_SIZE) +
               (n_xattrs > 0 ? EROFS_XATTR_BODY_SIZE + 4 * n_xattrs : 0);
}

/**
 * erofs_chunks_get() - the pieces of a file
 * @l:      layout
 * @n:      file that has chunks
 * @buffer: for the only piece of a file that has one
 *
 * Return: a description that is valid as long as tree and buffer.
 */
ErofsChunks erofs_chunks_get(const ErofsLayout *l, const ErofsNode *n, TarSegment *buffer) {
        ErofsChunks c = { .segments = buffer,
                          .n_segments = 1,
                          .size = n->size,
                          .device = n->device,
                          .bits = n->chunk_bits };

        *buffer = (TarSegment){ .size = n->size };
        if (n->flags & EROFS_NODE_PIECES) {
                c.segments = l->tree->segments ? l->tree->segments + n->u.list.first : buffer;
                c.n_segments = n->u.list.n;
        } else
                buffer->source = n->u.source;
        return c;
}

/* Do the blob's blocks hold [from, to) of the file as they are? */
static bool is_direct(const ErofsLayout *l, const ErofsChunks *c, const TarSegment *s, uint64_t from,
                      uint64_t to) {
        uint64_t block = UINT64_C(1) << l->block_bits;

        return !l->copy && s->offset <= from && s->offset + s->size >= to &&
               (s->source - s->offset) % block == 0 &&
               s->source + (from - s->offset) + align(to - from, block) <= l->sizes[c->device];
}

/**
 * erofs_chunk_kind() - where a chunk's bytes are
 * @l:          layout
 * @c:          file
 * @chunk:      number; to be asked in ascending order
 * @cursor:     0 at first
 * @ret_source: EROFS_CHUNK_DIRECT: byte in the device; EROFS_CHUNK_COPY: the first piece is segments[*cursor]
 *
 * Return: the kind.
 */
ErofsChunkKind erofs_chunk_kind(const ErofsLayout *l, const ErofsChunks *c, uint64_t chunk, size_t *cursor,
                                uint64_t *ret_source) {
        uint64_t from = chunk << c->bits, to = MIN(c->size, (chunk + 1) << c->bits);
        const TarSegment *s;

        while (*cursor < c->n_segments && c->segments[*cursor].offset + c->segments[*cursor].size <= from)
                ++*cursor;
        s = c->segments + *cursor;
        if (*cursor == c->n_segments || s->offset >= to)
                return EROFS_CHUNK_HOLE;
        if (!is_direct(l, c, s, from, to))
                return EROFS_CHUNK_COPY;
        *ret_source = s->source + (from - s->offset);
        return EROFS_CHUNK_DIRECT;
}

/* How many chunks of this size would have to be copied? Those inside a piece are all alike. */
static uint64_t count_copies(const ErofsLayout *l, const ErofsChunks *c, unsigned bits) {
        uint64_t copies = 0, seen = UINT64_MAX;

        FOREACH_ARRAY (s, c->segments, c->n_segments) {
                uint64_t first = s->offset >> bits, last = (s->offset + s->size - 1) >> bits;
                uint64_t ends[2] = { first, last };

                for (size_t i = 0; i < 2; i++) {
                        uint64_t from = ends[i] << bits, to = MIN(c->size, from + (UINT64_C(1) << bits));

                        if (ends[i] != seen && !is_direct(l, c, s, from, to))
                                copies++;
                        seen = ends[i];
                }
                if (last > first + 1 && !is_direct(l, c, s, (first + 1) << bits, (first + 2) << bits))
                        copies += last - first - 1;
        }
        return copies;
}

/* Finds the best size of chunks. Returns the bytes that the file needs in the image, besides its inode. */
static uint64_t choose_chunks(const ErofsLayout *l, ErofsChunks *c, uint64_t *ret_blocks) {
        uint64_t best = UINT64_MAX, copies = 0;

        for (unsigned bits = l->block_bits; bits <= l->block_bits + EROFS_CHUNK_BITS_MAX; bits++) {
                uint64_t n = ((c->size - 1) >> bits) + 1, k = count_copies(l, c, bits);
                uint64_t cost = n * EROFS_CHUNK_SIZE + (k << bits);

                if (cost <= best) {
                        best = cost;
                        copies = k;
                        c->bits = bits;
                }
                if (n == 1)
                        break;
        }
        *ret_blocks = copies << (c->bits - l->block_bits);
        return best;
}

/* All pieces must be in the blob. Adds their bytes up. */
static int check_pieces(const ErofsLayout *l, const ErofsChunks *c, uint64_t *bytes, Error *e) {
        if (c->device >= l->n_devices)
                return error_setf(e, -EBADMSG, "a file is in the blob %u of %zu", c->device, l->n_devices);
        FOREACH_ARRAY (s, c->segments, c->n_segments) {
                uint64_t size = l->sizes[c->device];

                if (s->source > size || s->size > size - s->source || s->size > c->size ||
                    s->offset > c->size - s->size)
                        return error_setf(e, -EBADMSG,
                                          "the content of a file lies behind the end of the blob");
                *bytes += s->size;
        }
        return 0;
}

/**
 * erofs_data_blocks() - blocks of the data area that an inode needs, if it has no chunks
 * @l: layout
 * @n: inode, placed
 *
 * Return: a count.
 */
uint64_t erofs_data_blocks(const ErofsLayout *l, const ErofsNode *n) {
        if (n->type != TAR_DIRECTORY && n->type != TAR_SYMLINK && n->type != TAR_FILE)
                return 0;
        return n->flags & EROFS_NODE_INLINE ? n->size >> l->block_bits
                                            : align(n->size, UINT64_C(1) << l->block_bits) >> l->block_bits;
}

/* May the inode's last bytes stand behind it? They must not cross into another block; if they would, that costs either
 * what is left of this block, or what would be left of one of their own. */
static bool place_tail(const ErofsLayout *l, size_t size, uint64_t tail, uint64_t *at) {
        uint64_t block = UINT64_C(1) << l->block_bits, used = *at & (block - 1);

        if (tail == 0 || size + tail > block)
                return false;
        if (used + size + tail > block) {
                if (block - used > block - tail)
                        return false;
                *at += block - used;
        }
        return true;
}

typedef struct Sums {
        uint64_t at;        /* end of the inodes so far */
        uint64_t bytes;     /* of files */
        uint64_t scattered; /* by sparse files */
} Sums;

static int place_chunks(ErofsLayout *l, ErofsNode *n, Sums *sums, Error *e) {
        uint64_t cost, blocks = 0;
        TarSegment buffer;
        ErofsChunks c;
        int r;

        c = erofs_chunks_get(l, n, &buffer);
        r = check_pieces(l, &c, &sums->bytes, e);
        if (r < 0)
                return r;
        cost = choose_chunks(l, &c, &blocks);
        sums->scattered +=
                cost > EROFS_CHUNK_SIZE && (n->flags & EROFS_NODE_PIECES) ? MIN(cost, SCATTER_MAX) : 0;
        /* A full image holds the bytes anyway. */
        if (sums->scattered > SCATTER_MAX + (l->copy ? sums->bytes : 0))
                return error_setf(e, -E2BIG,
                                  "the pieces of the sparse files are too scattered to be indexed");
        n->chunk_bits = (uint8_t) c.bits;
        l->has_chunks = true;
        l->data_blocks += blocks;
        sums->at = align(sums->at, EROFS_CHUNK_SIZE) + (((c.size - 1) >> c.bits) + 1) * EROFS_CHUNK_SIZE;
        return 0;
}

static int place(ErofsLayout *l, uint32_t id, Sums *sums, Error *e) {
        ErofsNode *n = &l->tree->nodes[id];
        size_t size;
        int r;

        if (n->type == TAR_DIRECTORY)
                n->size = measure_dir(l, id);
        size = erofs_inode_size(l, n);
        sums->at = align(sums->at, EROFS_SLOT_SIZE);
        n->flags &= (uint8_t) ~EROFS_NODE_INLINE;
        n->chunk_bits = 0;
        if (!erofs_inode_has_chunks(l, n) && erofs_data_blocks(l, n) > 0 &&
            place_tail(l, size, n->size & ((UINT64_C(1) << l->block_bits) - 1), &sums->at))
                n->flags |= EROFS_NODE_INLINE;
        if (sums->at / EROFS_SLOT_SIZE > UINT32_MAX)
                return error_setf(e, -E2BIG, "the index would be too large");
        n->nid = (uint32_t) (sums->at / EROFS_SLOT_SIZE);
        l->n_inodes++;
        sums->at += size;
        if (erofs_inode_has_chunks(l, n))
                return place_chunks(l, n, sums, e);
        if (n->type == TAR_FILE && n->size > 0) {
                ErofsChunks c = { .segments = &(TarSegment){ .size = n->size, .source = n->u.source },
                                  .n_segments = 1,
                                  .size = n->size,
                                  .device = n->device };

                r = check_pieces(l, &c, &sums->bytes, e);
                if (r < 0)
                        return r;
        }
        if (n->flags & EROFS_NODE_INLINE)
                sums->at += n->size & ((UINT64_C(1) << l->block_bits) - 1);
        l->data_blocks += erofs_data_blocks(l, n);
        return 0;
}

/* The time that most inodes have, if one has the majority; else that of some. */
static void choose_time(ErofsLayout *l) {
        ErofsInodes i = { .tree = l->tree };
        uint64_t votes = 0;
        uint32_t id;

        while (erofs_inodes_next(&i, &id)) {
                const ErofsNode *n = &l->tree->nodes[id];

                if (votes == 0) {
                        l->time_sec = n->mtime_sec;
                        l->time_nsec = n->mtime_nsec;
                }
                if (n->mtime_sec == l->time_sec && n->mtime_nsec == l->time_nsec)
                        votes++;
                else
                        votes--;
        }
}

static int get_sizes(ErofsLayout *l, uint64_t *ret_total, Error *e) {
        l->sizes = new0(uint64_t, l->n_devices);
        if (!l->sizes)
                return error_oom(e);
        for (size_t i = 0; i < l->n_devices; i++) {
                struct stat st;

                if (fstat(l->devices[i].fd, &st) < 0)
                        return error_setf(e, -errno, "cannot examine a blob: %m");
                l->sizes[i] = (uint64_t) st.st_size;
                if (l->sizes[i] >> l->block_bits >= UINT32_MAX)
                        return error_setf(e, -E2BIG, "a blob is too large to be indexed");
                *ret_total += l->sizes[i];
        }
        return 0;
}

/**
 * erofs_layout_make() - decide where everything stands
 * @l: tree, devices, block_bits and copy are set; the rest is filled. @l->sizes is to be freed, also on failure
 * @e: sentence on failure; may be NULL
 *
 * Return: 0, -EBADMSG (a file outside its blob), -E2BIG, -ENOMEM, errno of fstat().
 */
int erofs_layout_make(ErofsLayout *l, Error *e) {
        uint64_t block = UINT64_C(1) << l->block_bits, total = 0;
        ErofsInodes i = { .tree = l->tree };
        Sums sums = {};
        uint32_t id;
        int r;

        r = get_sizes(l, &total, e);
        if (r < 0)
                return r;
        if (erofs_tree_sort(l->tree) < 0)
                return error_oom(e);
        choose_time(l);
        l->head = align(EROFS_SUPER_OFFSET + EROFS_SUPER_SIZE +
                                (l->copy ? 0 : l->n_devices) * EROFS_DEVICE_SIZE,
                        block);
        sums.at = l->head;
        while (erofs_inodes_next(&i, &id)) {
                if (l->tree->nodes[id].nid != 0)
                        continue;
                r = place(l, id, &sums, e);
                if (r < 0)
                        return r;
        }
        /* In an archive each byte is in one file. */
        if (sums.bytes > total)
                return error_setf(e, -EBADMSG, "the files together are larger than the blobs that hold them");
        l->xattr_start = align(sums.at, block);
        l->data_start = align(l->xattr_start + l->tree->xattrs.size, block);
        if ((l->data_start >> l->block_bits) + l->data_blocks >= UINT32_MAX)
                return error_setf(e, -E2BIG, "the index would be too large");
        return 0;
}
