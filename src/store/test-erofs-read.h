/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads an EROFS image for tests, without the writer's code, and aborts on whatever is not as it must be. */
#pragma once

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "basic/alloc.h"
#include "basic/str.h"
#include "store/erofs-format.h"
#include "store/erofs-writer.h"

#define MUST(x)                                                                                              \
        do {                                                                                                 \
                if (!(x)) {                                                                                  \
                        (void) fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #x);               \
                        abort();                                                                             \
                }                                                                                            \
        } while (0)

typedef struct ReadBlob {
        const uint8_t *data;
        size_t size;
} ReadBlob;

typedef struct ReadImage {
        ReadBlob self;
        const ReadBlob *blobs;
        size_t n_blobs;
        uint32_t root;
        uint64_t n_inodes;
        size_t block;
        uint64_t xattr_start;
        int64_t time_sec;
        uint32_t time_nsec;
} ReadImage;

typedef struct ReadInode {
        uint32_t nid;
        uint32_t mode, n_links, uid, gid;
        int64_t mtime_sec;
        uint32_t mtime_nsec;
        uint64_t size;
        unsigned layout;
        uint32_t u;
        size_t n_xattrs;
        uint64_t xattr_at; /* of the list */
        uint64_t end;      /* of inode and list */
} ReadInode;

static inline const uint8_t *read_at(const ReadImage *m, uint64_t at, uint64_t size) {
        MUST(at <= m->self.size && size <= m->self.size - at);
        return m->self.data + at;
}

/* The sum over all but the four bytes at "skip". */
static inline uint32_t read_crc32c(const uint8_t *p, size_t n, size_t skip) {
        static uint32_t table[256];
        uint32_t crc = ~UINT32_C(0);

        for (uint32_t i = 0; table[255] == 0 && i < 256; i++) {
                table[i] = i;
                for (int k = 0; k < 8; k++)
                        table[i] = (table[i] >> 1) ^ ((table[i] & 1) * UINT32_C(0x82f63b78));
        }
        for (size_t i = 0; i < n; i++)
                crc = table[(crc ^ (i >= skip && i < skip + 4 ? 0U : p[i])) & 0xff] ^ (crc >> 8);
        return crc;
}

static inline void read_super(ReadImage *m) {
        const uint8_t *s = read_at(m, 1024, 128);
        uint32_t incompat = get_le32(s + 80);

        MUST(get_le32(s) == UINT32_C(0xe0f5e1e2));
        MUST(s[12] == 9 || s[12] == 12);
        m->block = (size_t) 1 << s[12];
        MUST(m->self.size % m->block == 0 && get_le32(s + 36) == m->self.size / m->block);
        if (m->block > 1024)
                MUST(get_le32(s + 4) == read_crc32c(s, m->block - 1024, 4) && get_le32(s + 8) == 1);
        else
                MUST(get_le32(s + 4) == 0 && get_le32(s + 8) == 0);
        MUST(s[13] == 0 && s[90] == 0);
        MUST((incompat & ~UINT32_C(0xc)) == 0);
        MUST(get_le32(s + 40) == 0);
        m->root = get_le16(s + 14);
        m->n_inodes = get_le64(s + 16);
        m->time_sec = (int64_t) get_le64(s + 24);
        m->time_nsec = get_le32(s + 32);
        m->xattr_start = (uint64_t) get_le32(s + 44) * m->block;
        MUST(get_le16(s + 86) == (m->block == 512 ? m->n_blobs : 0));
        MUST(!(incompat & 8) == (get_le16(s + 86) == 0));
        for (size_t i = 0; i < get_le16(s + 86); i++) {
                const uint8_t *d = read_at(m, (get_le16(s + 88) + i) * 128, 128);

                MUST(get_le32(d + 64) == m->blobs[i].size / 512 && get_le32(d + 68) == 0);
        }
}

static inline ReadInode read_inode(const ReadImage *m, uint32_t nid) {
        const uint8_t *p = read_at(m, (uint64_t) nid * 32, 32);
        ReadInode n = {
                .nid = nid, .mode = get_le16(p + 4), .u = get_le32(p + 16), .n_links = get_le16(p + 6)
        };
        unsigned format = get_le16(p), icount = get_le16(p + 2);
        bool extended = format & 1;

        MUST(nid != 0 && format < 16);
        n.layout = format >> 1;
        MUST(n.layout == 0 || n.layout == 2 || n.layout == 4);
        n.size = get_le32(p + 8);
        n.uid = get_le16(p + 24);
        n.gid = get_le16(p + 26);
        n.mtime_sec = m->time_sec;
        n.mtime_nsec = m->time_nsec;
        if (extended) {
                p = read_at(m, (uint64_t) nid * 32, 64);
                MUST(get_le16(p + 6) == 0);
                n.size = get_le64(p + 8);
                n.uid = get_le32(p + 24);
                n.gid = get_le32(p + 28);
                n.mtime_sec = (int64_t) get_le64(p + 32);
                n.mtime_nsec = get_le32(p + 40);
                n.n_links = get_le32(p + 44);
        }
        n.end = (uint64_t) nid * 32 + (extended ? 64 : 32);
        if (icount > 0) {
                const uint8_t *x = read_at(m, n.end, 12 + 4 * (icount - 1));

                n.n_xattrs = icount - 1;
                n.xattr_at = n.end + 12;
                MUST(x[4] == n.n_xattrs && n.n_xattrs > 0);
                n.end += 12 + 4 * n.n_xattrs;
        }
        MUST(n.end <= m->xattr_start && n.n_links > 0);
        return n;
}

/* Up to the end of the run of bytes that begins at "offset". NULL: zeros. */
static inline const uint8_t *read_run(const ReadImage *m, const ReadInode *n, uint64_t offset,
                                      uint64_t *ret_size) {
        uint64_t blocks = (n->size + m->block - 1) / m->block;

        MUST(offset < n->size);
        if (n->layout == 4) {
                unsigned bits = (n->u & 0x1f) + (m->block == 512 ? 9 : 12);
                uint64_t chunk = offset >> bits, in = offset - (chunk << bits);
                const uint8_t *index = read_at(m, ((n->end + 7) & ~UINT64_C(7)) + 8 * chunk, 8);
                unsigned device = get_le16(index + 2);
                ReadBlob b = m->self;
                uint64_t at = (uint64_t) get_le32(index + 4) * m->block + in;

                MUST((n->u & ~0x1fU) == 0x20 && get_le16(index) == 0);
                *ret_size = MIN(n->size - offset, (UINT64_C(1) << bits) - in);
                if (get_le32(index + 4) == UINT32_MAX) {
                        MUST(device == 0);
                        return NULL;
                }
                MUST(device <= m->n_blobs && (m->block == 512 || device == 0));
                if (device > 0)
                        b = m->blobs[device - 1];
                else
                        MUST(at - in >= m->xattr_start);
                /* As the kernel reads it: whole blocks. */
                MUST(at <= b.size && *ret_size <= b.size - at &&
                     (at + *ret_size + m->block - 1) / m->block * m->block <= b.size);
                return b.data + at;
        }
        if (n->layout == 2 && offset / m->block == blocks - 1) {
                uint64_t at = n->end + offset % m->block;

                *ret_size = n->size - offset;
                MUST(n->end / m->block == (n->end + n->size - (blocks - 1) * m->block - 1) / m->block);
                MUST(n->end + n->size % m->block <= m->xattr_start);
                return read_at(m, at, *ret_size);
        }
        if (n->layout == 2)
                blocks--;
        *ret_size = MIN(n->size, blocks * m->block) - offset;
        MUST((uint64_t) n->u * m->block >= m->xattr_start);
        (void) read_at(m, (uint64_t) n->u * m->block, blocks * m->block);
        return m->self.data + (uint64_t) n->u * m->block + offset;
}

static inline void read_content(const ReadImage *m, const ReadInode *n, uint64_t offset, uint8_t *to,
                                uint64_t size) {
        while (size > 0) {
                uint64_t k = 0;
                const uint8_t *p = read_run(m, n, offset, &k);

                k = MIN(k, size);
                if (p)
                        memcpy(to, p, k);
                else
                        memset(to, 0, k);
                offset += k;
                to += k;
                size -= k;
        }
}

/* Calls back for each name, "." and ".." too; checks form and order. 1 from the callback ends it. */
typedef int (*ReadName)(void *userdata, const char *name, size_t size, uint32_t nid, uint8_t type);

static inline int read_directory(const ReadImage *m, const ReadInode *dir, ReadName callback,
                                 void *userdata) {
        char last[256] = "";
        size_t n_last = 0, n_names = 0;

        MUST(S_ISDIR(dir->mode) && dir->layout != 4 && dir->size > 0);
        for (uint64_t at = 0; at < dir->size; at += m->block) {
                size_t size = MIN(m->block, dir->size - at), count;
                uint64_t run = 0;
                const uint8_t *p = read_run(m, dir, at, &run);

                MUST(run >= size);
                count = get_le16(p + 8) / 12U;
                MUST(get_le16(p + 8) % 12 == 0 && count > 0 && count * 12 < size);
                for (size_t i = 0; i < count; i++) {
                        const uint8_t *d = p + 12 * i;
                        size_t from = get_le16(d + 8), to = i + 1 < count ? get_le16(d + 12 + 8) : size, n;
                        int r;

                        MUST(from >= count * 12 && from < to && to <= size && d[11] == 0);
                        n = strnlen((const char *) p + from, to - from);
                        MUST(n > 0 && n <= 255 && !memchr(p + from, '/', n));
                        MUST(i + 1 == count || n == to - from);
                        r = memcmp(last, p + from, MIN(n, n_last));
                        MUST(n_names == 0 || r < 0 || (r == 0 && n_last < n));
                        memcpy(last, p + from, n);
                        n_last = n;
                        n_names++;
                        MUST(get_le64(d) <= UINT32_MAX);
                        r = callback(userdata, (const char *) p + from, n, (uint32_t) get_le64(d), d[10]);
                        if (r != 0)
                                return r;
                }
        }
        return 0;
}

typedef struct ReadSearch {
        const char *name;
        size_t size;
        uint32_t nid;
} ReadSearch;

static inline int read_search(void *userdata, const char *name, size_t size, uint32_t nid, uint8_t type) {
        ReadSearch *s = userdata;

        (void) type;
        if (s->size != size || memcmp(s->name, name, size) != 0)
                return 0;
        s->nid = nid;
        return 1;
}

/* The inode of a path; nid 0: there is none. */
static inline ReadInode read_lookup(const ReadImage *m, const char *path) {
        ReadInode n = read_inode(m, m->root);

        while (*path) {
                ReadSearch s = { .name = path, .size = strcspn(path, "/") };

                if (!S_ISDIR(n.mode) || read_directory(m, &n, read_search, &s) != 1)
                        return (ReadInode){};
                n = read_inode(m, s.nid);
                path += s.size + (path[s.size] == '/');
        }
        return n;
}

/* The whole tree, breadth first: that it is one, and that links are counted right. */
typedef struct ReadWalk {
        const ReadImage *image;
        uint32_t *dirs, *parents;
        uint32_t *seen; /* by nid: how often */
        size_t n_dirs, dir;
        uint64_t n_inodes, n_names, n_subdirs;
        bool has_dot, has_dots;
} ReadWalk;

static inline int read_walk_name(void *userdata, const char *name, size_t size, uint32_t nid, uint8_t type) {
        static const uint8_t types[] = { [1] = S_IFREG >> 12, [2] = S_IFDIR >> 12, [3] = S_IFCHR >> 12,
                                         [4] = S_IFBLK >> 12, [5] = S_IFIFO >> 12, [7] = S_IFLNK >> 12 };
        ReadWalk *w = userdata;
        ReadInode n;

        if (size <= 2 && name[0] == '.' && (size == 1 || name[1] == '.')) {
                MUST(nid == (size == 1 ? w->dirs[w->dir] : w->parents[w->dir]) && type == 2);
                *(size == 1 ? &w->has_dot : &w->has_dots) = true;
                return 0;
        }
        n = read_inode(w->image, nid);
        MUST(type < ELEMENTSOF(types) && types[type] == n.mode >> 12);
        w->n_names++;
        if (w->seen[nid]++ == 0)
                w->n_inodes++;
        if (type == 2) {
                MUST(w->seen[nid] == 1);
                w->n_subdirs++;
                w->dirs[w->n_dirs] = nid;
                w->parents[w->n_dirs++] = w->dirs[w->dir];
        }
        return 0;
}

/* Returns the names, "." and ".." not counted. */
static inline uint64_t read_walk(const ReadImage *m) {
        size_t n_slots = (size_t) (m->xattr_start / 32) + 1;
        ReadWalk w = { .image = m, .n_dirs = 1, .n_inodes = 1 };

        w.dirs = new0(uint32_t, n_slots);
        w.parents = new0(uint32_t, n_slots);
        w.seen = new0(uint32_t, n_slots);
        MUST(w.dirs && w.parents && w.seen);
        w.dirs[0] = w.parents[0] = m->root;
        w.seen[m->root] = 1;
        for (; w.dir < w.n_dirs; w.dir++) {
                ReadInode n = read_inode(m, w.dirs[w.dir]);

                w.has_dot = w.has_dots = false;
                w.n_subdirs = 0;
                MUST(read_directory(m, &n, read_walk_name, &w) == 0 && w.has_dot && w.has_dots);
                MUST(n.n_links == 2 + w.n_subdirs);
        }
        for (size_t i = 0; i < n_slots; i++)
                if (w.seen[i] > 0) {
                        ReadInode n = read_inode(m, (uint32_t) i);

                        MUST(S_ISDIR(n.mode) || n.n_links == w.seen[i]);
                }
        MUST(w.n_inodes == m->n_inodes);
        free(w.dirs);
        free(w.parents);
        free(w.seen);
        return w.n_names;
}

/* The value of an attribute; NULL: none. */
static inline const uint8_t *read_xattr(const ReadImage *m, const ReadInode *n, const char *name,
                                        size_t *ret_size) {
        static const char *const prefixes[] = { [1] = "user.",
                                                [2] = "system.posix_acl_access",
                                                [3] = "system.posix_acl_default",
                                                [4] = "trusted.",
                                                [6] = "security." };

        for (size_t i = 0; i < n->n_xattrs; i++) {
                uint64_t at = m->xattr_start + UINT64_C(4) * get_le32(read_at(m, n->xattr_at + 4 * i, 4));
                const uint8_t *x = read_at(m, at, 4);
                size_t n_prefix;

                (void) read_at(m, at, 4U + x[0] + get_le16(x + 2));
                MUST(x[1] < ELEMENTSOF(prefixes) && prefixes[x[1]]);
                n_prefix = strlen(prefixes[x[1]]);
                *ret_size = get_le16(x + 2);
                if (strlen(name) == n_prefix + x[0] && memcmp(name, prefixes[x[1]], n_prefix) == 0 &&
                    memcmp(name + n_prefix, x + 4, x[0]) == 0)
                        return x + 4 + x[0];
        }
        return NULL;
}

/* Is the object in the image what the entry says? Not for hard links. */
static inline void read_compare(const ReadImage *m, const TarEntry *t, unsigned device) {
        static const uint32_t types[] = {
                [TAR_FILE] = S_IFREG,   [TAR_DIRECTORY] = S_IFDIR, [TAR_SYMLINK] = S_IFLNK,
                [TAR_CHRDEV] = S_IFCHR, [TAR_BLKDEV] = S_IFBLK,    [TAR_FIFO] = S_IFIFO
        };
        ReadInode n = read_lookup(m, t->path);
        uint64_t end = 0;

        MUST(n.nid != 0 && n.mode == (types[t->type] | t->mode) && n.uid == t->uid && n.gid == t->gid);
        MUST(n.mtime_sec == t->mtime_sec && n.mtime_nsec == t->mtime_nsec);
        MUST(n.n_xattrs == t->n_xattrs);
        FOREACH_ARRAY (x, t->xattrs, t->n_xattrs) {
                size_t size = 0;
                const uint8_t *v = read_xattr(m, &n, x->name, &size);

                MUST(v && size == x->size && memcmp(v, x->value, size) == 0);
        }
        if (t->type == TAR_SYMLINK) {
                char target[TAR_PATH_MAX + 1];

                MUST(n.size == strlen(t->link));
                read_content(m, &n, 0, (uint8_t *) target, n.size);
                MUST(memcmp(target, t->link, n.size) == 0);
        }
        if (t->type == TAR_CHRDEV || t->type == TAR_BLKDEV)
                MUST(n.u == ((t->minor & 0xff) | t->major << 8 | (t->minor & 0xfff00) << 12));
        if (t->type != TAR_FILE)
                return;
        MUST(n.size == t->size);
        FOREACH_ARRAY (s, t->segments, t->n_segments) {
                for (uint64_t at = s->offset; at < s->offset + s->size;) {
                        uint8_t got[4096];
                        uint64_t k = MIN(sizeof(got), s->offset + s->size - at);

                        read_content(m, &n, at, got, k);
                        MUST(memcmp(got, m->blobs[device].data + s->source + (at - s->offset), k) == 0);
                        at += k;
                }
                /* The hole in front: looking at its edges is enough. */
                for (uint64_t i = 0; i < 2 && s->offset > end; i++) {
                        uint8_t got;

                        read_content(m, &n, i == 0 ? end : s->offset - 1, &got, 1);
                        MUST(got == 0);
                }
                end = s->offset + s->size;
        }
        if (end < t->size) {
                uint8_t got[2];

                read_content(m, &n, end, got, 1);
                read_content(m, &n, t->size - 1, got + 1, 1);
                MUST(got[0] == 0 && got[1] == 0);
        }
}

typedef struct ReadCompare {
        const ReadImage *image;
        uint64_t n;
} ReadCompare;

static inline int read_compare_visit(void *userdata, const TarEntry *entry, unsigned device, Error *e) {
        ReadCompare *c = userdata;

        (void) e;
        c->n++;
        if (entry->type == TAR_HARDLINK)
                MUST(read_lookup(c->image, entry->path).nid == read_lookup(c->image, entry->link).nid);
        else
                read_compare(c->image, entry, device);
        return 0;
}

/* The image is a good file system, and says what the tree says. */
static inline void read_check(ReadImage *m, ErofsTree *t) {
        ReadCompare c = { .image = m };

        read_super(m);
        MUST(erofs_tree_walk(t, read_compare_visit, &c, NULL) == 0);
        MUST(c.n == read_walk(m) + 1);
}
