/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order of blocks in a tar archive: extended headers, header, data, padding, end.
 *
 * A push parser: whoever has bytes hands them in, so that the same bytes can be hashed and stored by others at the same
 * time. It knows what follows what, and how large everything may be. It does not know what an image looks like (that is
 * tar-check.c), and not how a header is spelled (tar-header.c).
 *
 * The archive ends at the first block of zeros. What comes behind it belongs to the blob, and so to its digest, but is
 * never looked at (robustness.md 80, 81).
 */
#include <inttypes.h>

#include "store/tar-stream.h"

#include "basic/alloc.h"
#include "basic/str.h"
#include "store/tar-header.h"

#define META_SIZE_MAX     (1024U * 1024) /* bytes of one extended header */
#define META_RUN_MAX      8U             /* extended headers before one entry */
#define SPARSE_MAP_BLOCKS 1024U

typedef enum TarState {
        TAR_STATE_HEADER,
        TAR_STATE_META,       /* body of an extended header, into block-wise grown memory */
        TAR_STATE_SPARSE,     /* extension blocks of GNU's old sparse format */
        TAR_STATE_SPARSE_MAP, /* the map in front of the data, GNU sparse 1.0 */
        TAR_STATE_DATA,
        TAR_STATE_PADDING,
        TAR_STATE_END,
} TarState;

struct TarStream {
        const TarStreamOps *ops;
        void *userdata;
        TarStreamLimits limits;
        TarState state;
        uint64_t position; /* bytes consumed */
        uint64_t n_headers;
        unsigned n_meta; /* extended headers since the last entry */

        uint8_t block[TAR_BLOCK]; /* the block being collected */
        size_t n_block;

        char meta_type;
        StrBuf meta;
        uint64_t left;    /* bytes of the current body */
        uint64_t padding; /* and behind it */
        bool wanted;      /* the body goes to content() */
        bool may_end;     /* between two entries */

        TarHeader header;
        TarExtra extra;
};

/**
 * tar_stream_new() - at the beginning of an archive
 * @ops:      callbacks; must outlive the stream
 * @userdata: for them
 * @limits:   copied
 * @ret:      for tar_stream_free()
 *
 * Return: 0, -ENOMEM.
 */
int tar_stream_new(const TarStreamOps *ops, void *userdata, const TarStreamLimits *limits, TarStream **ret) {
        TarStream *t;

        t = new0(TarStream, 1);
        if (!t)
                return -ENOMEM;
        t->ops = ops;
        t->userdata = userdata;
        t->limits = *limits;
        *ret = t;
        return 0;
}

/**
 * tar_stream_free() - give up or end
 * @t: may be NULL
 *
 * Return: NULL.
 */
TarStream *tar_stream_free(TarStream *t) {
        if (!t)
                return NULL;
        strbuf_done(&t->meta);
        tar_extra_done(&t->extra);
        free(t);
        return NULL;
}

/**
 * tar_stream_may_end() - the archive may end between two entries, without the blocks of zeros that say so
 * @t: stream
 *
 * For archives of which a digest tells that they are whole: there are tools that write none.
 */
void tar_stream_may_end(TarStream *t) {
        t->may_end = true;
}

/**
 * tar_stream_size() - how far it got
 * @t: stream
 *
 * Return: bytes pushed so far.
 */
uint64_t tar_stream_size(const TarStream *t) {
        return t->position;
}

static int name_error(const char *name, int r, Error *e) {
        char buffer[TAR_NAME_ESCAPED_MAX];

        return error_prefixf(e, r, "entry '%s'", tar_name_escape(name, buffer));
}

/* Segments must ascend, must not overlap, must stay within the file, and their sum is what the archive holds. */
static int place_segments(TarEntry *entry, uint64_t source, uint64_t n_data, Error *e) {
        uint64_t end = 0, sum = 0;

        FOREACH_ARRAY (s, entry->segments, entry->n_segments) {
                if (s->offset < end || s->offset > entry->size || s->size > entry->size - s->offset ||
                    s->size > n_data - sum)
                        return error_setf(e, -EBADMSG, "a sparse file has an impossible map");
                s->source = source + sum;
                sum += s->size;
                end = s->offset + s->size;
        }
        if (sum != n_data)
                return error_setf(e, -EBADMSG, "a sparse file's map does not fit its data");
        return 0;
}

static int type_from_flag(char flag, TarType *ret) {
        switch (flag) {
        case '0':
        case '7': /* contiguous: a file */
        case 'S': /* GNU sparse */ *ret = TAR_FILE; return 0;
        case '1': *ret = TAR_HARDLINK; return 0;
        case '2': *ret = TAR_SYMLINK; return 0;
        case '3': *ret = TAR_CHRDEV; return 0;
        case '4': *ret = TAR_BLKDEV; return 0;
        case '5': *ret = TAR_DIRECTORY; return 0;
        case '6': *ret = TAR_FIFO; return 0;
        default: return -EOPNOTSUPP;
        }
}

static const char *entry_name(const TarStream *t) {
        const TarExtra *x = &t->extra;

        return x->sparse_name ? x->sparse_name : x->path ? x->path : t->header.name;
}

/* Everything about the entry is known: hand it out. "left" is the size of its data from here on. */
static int entry_begin(TarStream *t, Error *e) {
        TarHeader *h = &t->header;
        TarExtra *x = &t->extra;
        TarStreamEntry s = {
                .entry = x->entry,
                .id_is_invalid = h->id_is_invalid && !(x->has_uid && x->has_gid),
                .device_is_invalid = h->device_is_invalid,
                .dropped = x->dropped,
        };
        const char *link = x->link ? x->link : h->link;
        TarEntry *n = &s.entry;
        int r;

        x->entry = TAR_ENTRY_INIT;
        r = type_from_flag(h->type, &n->type);
        if (r >= 0) {
                size_t length = strlen(entry_name(t));

                /* v7 marks directories by a slash only. */
                if (h->type == '0' && length > 0 && entry_name(t)[length - 1] == '/' && !x->is_sparse)
                        n->type = TAR_DIRECTORY;
        }
        n->path = strdup(entry_name(t));
        n->link = n->type == TAR_SYMLINK || n->type == TAR_HARDLINK ? strdup(link) : NULL;
        n->mode = h->mode;
        n->uid = x->has_uid ? x->uid : h->uid;
        n->gid = x->has_gid ? x->gid : h->gid;
        n->mtime_sec = x->has_mtime ? x->mtime_sec : h->mtime;
        n->mtime_nsec = x->has_mtime ? x->mtime_nsec : 0;
        if (n->type == TAR_CHRDEV || n->type == TAR_BLKDEV) {
                n->major = h->major;
                n->minor = h->minor;
        }
        n->size = x->has_real_size ? x->real_size : t->left;
        if (!n->path || (!n->link && (n->type == TAR_SYMLINK || n->type == TAR_HARDLINK)))
                r = error_oom(e);
        else if (n->size > t->limits.size_max)
                r = error_setf(e, -E2BIG, "the file is larger than the limit of %" PRIu64 " bytes",
                               t->limits.size_max);
        else if (n->type != TAR_FILE && (t->left > 0 || n->size > 0))
                r = error_setf(e, -EBADMSG, "it is no file, but has content");
        else if (x->is_sparse)
                r = place_segments(n, t->position, t->left, e);
        else if (t->left > 0)
                r = tar_entry_add_segment(n, 0, t->left, t->position);
        if (r >= 0)
                r = t->ops->entry(t->userdata, &s, e);
        tar_entry_done(n);
        if (r < 0)
                return name_error(entry_name(t), r, e);
        t->wanted = r > 0;
        t->n_meta = 0;
        tar_extra_done(x);
        t->state = TAR_STATE_DATA;
        return 0;
}

/* A sparse file's size must be known from its extended header, the others bring it along. */
static int entry_data(TarStream *t, Error *e) {
        if (t->extra.is_sparse && !t->extra.has_real_size)
                return name_error(entry_name(t), error_setf(e, -EBADMSG, "a sparse file has no size"), e);
        if (t->extra.is_sparse && t->extra.sparse_major == 1) {
                t->state = TAR_STATE_SPARSE_MAP;
                return 0;
        }
        if (t->extra.sparse_major > 1)
                return name_error(entry_name(t), error_setf(e, -EOPNOTSUPP, "unknown sparse format"), e);
        return entry_begin(t, e);
}

static int meta_begin(TarStream *t, Error *e) {
        if (t->left > META_SIZE_MAX)
                return error_setf(e, -E2BIG, "an extended tar header is larger than %u bytes", META_SIZE_MAX);
        if (++t->n_meta > META_RUN_MAX)
                return error_setf(e, -E2BIG, "more than %u extended tar headers stand before one entry",
                                  META_RUN_MAX);
        t->meta_type = t->header.type;
        strbuf_done(&t->meta);
        t->state = TAR_STATE_META;
        return 0;
}

static int header_block(TarStream *t, Error *e) {
        TarHeader *h = &t->header;
        TarExtra *x = &t->extra;
        int r;

        if (tar_block_is_zero(t->block)) {
                if (t->n_meta > 0)
                        return error_setf(e, -EBADMSG, "the archive ends behind an extended tar header");
                t->state = TAR_STATE_END;
                return 0;
        }
        if (++t->n_headers > t->limits.entries_max)
                return error_setf(e, -E2BIG, "the archive has more than %" PRIu64 " entries",
                                  t->limits.entries_max);
        r = tar_header_decode(t->block, h, e);
        if (r < 0)
                return error_prefixf(e, r, "at byte %" PRIu64, t->position - TAR_BLOCK);
        t->left = h->size;
        t->padding = (TAR_BLOCK - h->size % TAR_BLOCK) % TAR_BLOCK;
        if (strchr("xgLK", h->type))
                return meta_begin(t, e);
        if (x->has_size) {
                if (x->size != h->size)
                        return name_error(entry_name(t),
                                          error_setf(e, -EBADMSG, "its two headers give different sizes"), e);
        }
        if (h->size > t->limits.size_max)
                return name_error(entry_name(t),
                                  error_setf(e, -E2BIG, "it is larger than the limit of %" PRIu64 " bytes",
                                             t->limits.size_max),
                                  e);
        if (type_from_flag(h->type, &(TarType){ 0 }) < 0) {
                char flag[2] = { h->type, '\0' }, buffer[TAR_NAME_ESCAPED_MAX];

                return name_error(
                        entry_name(t),
                        error_setf(e, -EOPNOTSUPP, "unknown type '%s'", tar_name_escape(flag, buffer)), e);
        }
        if (h->type == 'S') {
                int64_t real_size;

                if (!h->is_gnu || x->is_sparse || tar_number_parse(t->block + 483, 12, &real_size) < 0 ||
                    real_size < 0 || tar_sparse_decode(t->block + 386, 4, x) < 0)
                        return name_error(entry_name(t),
                                          error_setf(e, -EBADMSG, "a sparse file has an impossible map"), e);
                x->is_sparse = x->has_real_size = true;
                x->real_size = (uint64_t) real_size;
                if (t->block[482]) {
                        t->state = TAR_STATE_SPARSE;
                        return 0;
                }
        }
        return entry_data(t, e);
}

static int sparse_block(TarStream *t, Error *e) {
        if (tar_sparse_decode(t->block, 21, &t->extra) < 0)
                return name_error(entry_name(t),
                                  error_setf(e, -EBADMSG, "a sparse file has an impossible map"), e);
        /* An extension that brings nothing, again and again, would never end. */
        if (t->block[504] && t->block[0] != '\0' && t->extra.entry.n_segments < TAR_SEGMENTS_MAX)
                return 0;
        if (t->block[504])
                return name_error(entry_name(t), error_setf(e, -E2BIG, "a sparse file has too many pieces"),
                                  e);
        return entry_data(t, e);
}

/* Reads one decimal number and its newline off the collected map. 0: not there yet. */
static int map_number(const char *data, size_t size, size_t *at, uint64_t *ret) {
        uint64_t v = 0;
        size_t i = *at;

        for (; i < size && data[i] != '\n'; i++) {
                if (data[i] < '0' || data[i] > '9' || i - *at >= 18)
                        return -EBADMSG;
                v = v * 10 + (uint64_t) (data[i] - '0');
        }
        if (i == size)
                return 0;
        if (i == *at)
                return -EBADMSG;
        *at = i + 1;
        *ret = v;
        return 1;
}

/* "N\n", then N times "OFFSET\nSIZE\n", padded to whole blocks, all of it part of the entry's data. Parsed anew with each
 * block until it is complete; SPARSE_MAP_BLOCKS bounds that. */
static int map_block(TarStream *t, Error *e) {
        uint64_t n = 0, pair[2];
        size_t at = 0;
        int r;

        strbuf_add_n(&t->meta, (const char *) t->block, TAR_BLOCK);
        if (t->meta.failed)
                return error_oom(e);
        if (t->left < TAR_BLOCK || t->meta.size > SPARSE_MAP_BLOCKS * TAR_BLOCK)
                r = -EBADMSG;
        else {
                t->left -= TAR_BLOCK;
                r = map_number(t->meta.data, t->meta.size, &at, &n);
        }
        if (r > 0 && n > TAR_SEGMENTS_MAX)
                r = -E2BIG;
        free(t->extra.entry.segments);
        t->extra.entry.segments = NULL;
        t->extra.entry.n_segments = 0;
        for (uint64_t i = 0; r > 0 && i < n; i++) {
                for (size_t k = 0; r > 0 && k < 2; k++)
                        r = map_number(t->meta.data, t->meta.size, &at, &pair[k]);
                if (r > 0) {
                        int k = tar_entry_add_segment(&t->extra.entry, pair[0], pair[1], 0);

                        if (k < 0)
                                r = k;
                }
        }
        if (r < 0)
                return name_error(entry_name(t), error_setf(e, r, "a sparse file has an impossible map"), e);
        if (r == 0)
                return 0;
        strbuf_done(&t->meta);
        return entry_begin(t, e);
}

static int block_complete(TarStream *t, Error *e) {
        switch (t->state) {
        case TAR_STATE_HEADER: return header_block(t, e);
        case TAR_STATE_SPARSE: return sparse_block(t, e);
        default: return map_block(t, e);
        }
}

static int meta_end(TarStream *t, Error *e) {
        _cleanup_strbuf_ StrBuf body = t->meta;
        const char *data = body.data ? body.data : "";
        char **p;
        size_t n;

        t->meta = STRBUF_INIT;
        t->state = TAR_STATE_PADDING;
        if (t->meta_type == 'x' || t->meta_type == 'g')
                return tar_pax_decode((const uint8_t *) data, body.size, t->meta_type == 'g', &t->extra, e);
        /* GNU: a long name, with a NUL at its end. */
        p = t->meta_type == 'L' ? &t->extra.path : &t->extra.link;
        n = strnlen(data, body.size);
        if (body.size - n > 1)
                return error_setf(e, -EBADMSG, "a long name in the archive contains a NUL byte");
        if (n > TAR_PATH_MAX)
                return error_setf(e, -ENAMETOOLONG, "a name in the archive is longer than %d bytes",
                                  TAR_PATH_MAX);
        return str_replace(p, data) < 0 ? error_oom(e) : 0;
}

/* Consumes what belongs to the current body. Returns the bytes taken. */
static int push_body(TarStream *t, const uint8_t *data, size_t size, size_t *ret_taken, Error *e) {
        size_t n = t->left < size ? (size_t) t->left : size;
        int r = 0;

        t->left -= n;
        *ret_taken = n;
        if (t->state == TAR_STATE_META) {
                strbuf_add_n(&t->meta, (const char *) data, n);
                if (t->meta.failed)
                        return error_oom(e);
                return t->left == 0 ? meta_end(t, e) : 0;
        }
        if (t->wanted && n > 0)
                r = t->ops->content(t->userdata, data, n, e);
        if (r >= 0 && t->left == 0) {
                t->state = TAR_STATE_PADDING;
                if (t->wanted)
                        r = t->ops->content(t->userdata, NULL, 0, e);
        }
        return r;
}

/**
 * tar_stream_push() - the next bytes of the archive
 * @t:    stream; unusable after a failure
 * @data: @size bytes
 * @size: any
 * @e:    sentence on failure, naming the entry; may be NULL
 *
 * Return: 0; -EBADMSG (breaks the format), -EOPNOTSUPP (a kind of entry that images do not have), -E2BIG, -ENAMETOOLONG
 * (limits), -ENOMEM, whatever a callback returned.
 */
int tar_stream_push(TarStream *t, const uint8_t *data, size_t size, Error *e) {
        if (size > t->limits.size_max - MIN(t->position, t->limits.size_max))
                return error_setf(e, -E2BIG, "the archive is larger than the limit of %" PRIu64 " bytes",
                                  t->limits.size_max);
        while (size > 0 || (t->state == TAR_STATE_DATA && t->left == 0) ||
               (t->state == TAR_STATE_META && t->left == 0) ||
               (t->state == TAR_STATE_PADDING && t->padding == 0)) {
                size_t n = 0;
                int r = 0;

                switch (t->state) {
                case TAR_STATE_END: n = size; break;
                case TAR_STATE_META:
                case TAR_STATE_DATA: r = push_body(t, data, size, &n, e); break;
                case TAR_STATE_PADDING:
                        n = t->padding < size ? (size_t) t->padding : size;
                        t->padding -= n;
                        if (t->padding == 0)
                                t->state = TAR_STATE_HEADER;
                        break;
                default:
                        n = MIN(TAR_BLOCK - t->n_block, size);
                        memcpy(t->block + t->n_block, data, n);
                        t->n_block += n;
                        break;
                }
                t->position += n;
                data += n;
                size -= n;
                if (r >= 0 && t->n_block == TAR_BLOCK) {
                        t->n_block = 0;
                        r = block_complete(t, e);
                }
                if (r < 0)
                        return r;
        }
        return 0;
}

/**
 * tar_stream_finish() - that was all
 * @t: stream
 * @e: sentence on failure; may be NULL
 *
 * Return: 0, -EBADMSG (the archive has no end: it was cut).
 */
int tar_stream_finish(TarStream *t, Error *e) {
        if (t->position == 0)
                return error_setf(e, -EBADMSG, "the archive is empty");
        if (t->may_end && t->state == TAR_STATE_HEADER && t->n_block == 0 && t->n_meta == 0)
                return 0;
        if (t->state != TAR_STATE_END)
                return error_setf(e, -EBADMSG, "the archive is cut off at byte %" PRIu64, t->position);
        return 0;
}
