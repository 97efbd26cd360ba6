/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Headers in the ustar form; a pax header before them for what that has no room for: long names, large numbers, fractions of
 * a second, attributes. Sparse files are written with their holes as zeros, which every reader understands. */
#include "store/tar-write.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/str.h"
#include "store/tar-header.h"

#define BUFFER     (256U * 1024)
#define NAME_FIELD 100U
#define SIZE_MAX_  UINT64_C(077777777777)
#define ID_MAX_    07777777U
#define PAX_NAME   "././@PaxHeader"

struct TarWriter {
        char *prefix; /* "rootfs", or "" */
        TarSink sink;
        void *userdata;
        uint64_t missing; /* bytes of the content that is due */
        unsigned padding; /* zeros after it */
        size_t n;         /* in buffer */
        uint8_t *buffer;
};

/**
 * tar_writer_new() - begin an archive
 * @prefix:   directory of the archive that all entries are in, as "rootfs"; "": none
 * @sink:     gets the bytes
 * @userdata: for it
 * @ret:      for tar_writer_free()
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0, -ENOMEM.
 */
int tar_writer_new(const char *prefix, TarSink sink, void *userdata, TarWriter **ret, Error *e) {
        _cleanup_(tar_writer_freep) TarWriter *w = new0(TarWriter, 1);

        if (!w)
                return error_oom(e);
        w->sink = sink;
        w->userdata = userdata;
        w->prefix = strdup(prefix);
        w->buffer = malloc(BUFFER);
        if (!w->prefix || !w->buffer)
                return error_oom(e);
        *ret = TAKE_PTR(w);
        return 0;
}

/**
 * tar_writer_free() - free; what was not finished is no archive
 * @w: may be NULL
 *
 * Return: NULL.
 */
TarWriter *tar_writer_free(TarWriter *w) {
        if (!w)
                return NULL;
        free(w->prefix);
        free(w->buffer);
        free(w);
        return NULL;
}

static int flush(TarWriter *w, Error *e) {
        size_t n = w->n;

        w->n = 0;
        return n > 0 ? w->sink(w->userdata, w->buffer, n, e) : 0;
}

/* data NULL: zeros */
static int put(TarWriter *w, const void *data, uint64_t size, Error *e) {
        const uint8_t *p = data;

        while (size > 0) {
                size_t n = (size_t) MIN(size, (uint64_t) (BUFFER - w->n));
                int r = 0;

                if (p && w->n == 0 && n == BUFFER)
                        r = w->sink(w->userdata, p, n, e);
                else {
                        if (p)
                                memcpy(w->buffer + w->n, p, n);
                        else
                                memset(w->buffer + w->n, 0, n);
                        w->n += n;
                        if (w->n == BUFFER)
                                r = flush(w, e);
                }
                if (r < 0)
                        return r;
                if (p)
                        p += n;
                size -= n;
        }
        return 0;
}

static unsigned padding_of(uint64_t size) {
        return (unsigned) ((TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}

/* Octal digits and a NUL; what does not fit is in the pax header. */
static void octal(uint8_t *field, size_t size, uint64_t v) {
        for (size_t i = size - 1; i > 0; i--, v >>= 3)
                field[i - 1] = (uint8_t) ('0' + (v & 7));
}

typedef struct Block {
        const char *name;
        const char *link;
        char type;
        uint32_t mode, uid, gid, major, minor;
        uint64_t size, mtime;
} Block;

static int put_block(TarWriter *w, const Block *b, Error *e) {
        uint8_t h[TAR_BLOCK] = {};
        unsigned sum = 0;

        memcpy(h, b->name, MIN(strlen(b->name), NAME_FIELD));
        octal(h + 100, 8, b->mode);
        octal(h + 108, 8, b->uid <= ID_MAX_ ? b->uid : 0);
        octal(h + 116, 8, b->gid <= ID_MAX_ ? b->gid : 0);
        octal(h + 124, 12, b->size <= SIZE_MAX_ ? b->size : 0);
        octal(h + 136, 12, b->mtime <= SIZE_MAX_ ? b->mtime : 0);
        h[156] = (uint8_t) b->type;
        if (b->link)
                memcpy(h + 157, b->link, MIN(strlen(b->link), NAME_FIELD));
        /* NOLINTNEXTLINE(bugprone-not-null-terminated-result) magic and version, as POSIX has them */
        memcpy(h + 257, "ustar\00000", 8);
        octal(h + 329, 8, b->major);
        octal(h + 337, 8, b->minor);
        memset(h + 148, ' ', 8);
        FOREACH_ARRAY (c, h, sizeof(h))
                sum += *c;
        octal(h + 148, 7, sum);
        return put(w, h, sizeof(h), e);
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts itself */
static void add_record(StrBuf *b, const char *key, const char *value, size_t size) {
        size_t rest = strlen(key) + size + 3, length = rest, digits;

        do {
                digits = (size_t) snprintf(NULL, 0, "%zu", length);
                if (length == rest + digits)
                        break;
                length = rest + digits;
        } while (true);
        strbuf_addf(b, "%zu %s=", length, key);
        strbuf_add_n(b, value, size);
        strbuf_add(b, "\n");
}

static void add_text(StrBuf *b, const char *key, const char *value) {
        add_record(b, key, value, strlen(value));
}

static void add_number(StrBuf *b, const char *key, uint64_t value) {
        char text[32];

        (void) snprintf(text, sizeof(text), "%" PRIu64, value);
        add_text(b, key, text);
}

/* Seconds before 1970 count down, the nanoseconds up: -1.25 is (-2, 750000000). */
static void add_time(StrBuf *b, int64_t sec, uint32_t nsec) {
        bool negative = sec < 0;
        uint64_t whole = negative ? (uint64_t) - (sec + (nsec > 0 ? 1 : 0)) : (uint64_t) sec;
        uint32_t part = negative && nsec > 0 ? 1000000000 - nsec : nsec;
        char text[48];
        int n;

        n = snprintf(text, sizeof(text), "%s%" PRIu64, negative ? "-" : "", whole);
        if (part > 0)
                n += snprintf(text + n, sizeof(text) - (size_t) n, ".%09" PRIu32, part);
        while (part > 0 && text[n - 1] == '0')
                text[--n] = '\0';
        add_text(b, "mtime", text);
}

/* As GNU tar has it: "=" would end the name. */
static char *xattr_key(const char *name) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        char *key = NULL;

        strbuf_add(&b, "SCHILY.xattr.");
        for (; *name; name++)
                if (*name == '=')
                        strbuf_add(&b, "%3D");
                else if (*name == '%')
                        strbuf_add(&b, "%25");
                else
                        strbuf_add_n(&b, name, 1);
        return strbuf_steal(&b, &key) < 0 ? NULL : key;
}

static int compare_xattrs(const void *a, const void *b) {
        return strcmp((*(const TarXattr *const *) a)->name, (*(const TarXattr *const *) b)->name);
}

/* By name: where they come from they have no order. */
static int add_xattrs(StrBuf *b, const TarEntry *t) {
        _cleanup_free_ const TarXattr **sorted = new0(const TarXattr *, t->n_xattrs);

        if (!sorted)
                return -ENOMEM;
        for (size_t i = 0; i < t->n_xattrs; i++)
                sorted[i] = t->xattrs + i;
        /* NOLINTNEXTLINE(bugprone-sizeof-expression) pointers are sorted */
        qsort(sorted, t->n_xattrs, sizeof(*sorted), compare_xattrs);
        for (size_t i = 0; i < t->n_xattrs; i++) {
                _cleanup_free_ char *key = xattr_key(sorted[i]->name);

                if (!key)
                        return -ENOMEM;
                add_record(b, key, sorted[i]->value, sorted[i]->size);
        }
        return 0;
}

static int put_pax(TarWriter *w, const TarEntry *t, const Block *b, Error *e) {
        _cleanup_strbuf_ StrBuf records = STRBUF_INIT;
        Block pax = { .name = PAX_NAME, .type = 'x', .mode = 0644 };
        int r;

        if (b->uid > ID_MAX_)
                add_number(&records, "uid", b->uid);
        if (b->gid > ID_MAX_)
                add_number(&records, "gid", b->gid);
        if (b->link && strlen(b->link) > NAME_FIELD)
                add_text(&records, "linkpath", b->link);
        if (t->mtime_sec < 0 || (uint64_t) t->mtime_sec > SIZE_MAX_ || t->mtime_nsec > 0)
                add_time(&records, t->mtime_sec, t->mtime_nsec);
        if (strlen(b->name) > NAME_FIELD)
                add_text(&records, "path", b->name);
        if (b->size > SIZE_MAX_)
                add_number(&records, "size", b->size);
        r = t->n_xattrs > 0 ? add_xattrs(&records, t) : 0;
        if (r < 0 || records.failed)
                return error_oom(e);
        if (records.size == 0)
                return 0;
        pax.size = records.size;
        r = put_block(w, &pax, e);
        if (r >= 0)
                r = put(w, records.data, records.size, e);
        return r < 0 ? r : put(w, NULL, padding_of(records.size), e);
}

static char *name_in(const TarWriter *w, const char *path, bool is_directory) {
        const char *slash = *w->prefix && *path ? "/" : "";
        bool is_root = !*w->prefix && !*path;

        return strf("%s%s%s%s", is_root ? "." : w->prefix, slash, path, is_directory ? "/" : "");
}

/**
 * tar_writer_entry() - the header of an object
 * @w: archive; the content of the file before is complete
 * @t: entry; the size of a file is what tar_writer_content() gets after this, all else has none
 * @e: sentence on failure; may be NULL
 *
 * Return: 0, -ENOMEM, what the sink returned.
 */
int tar_writer_entry(TarWriter *w, const TarEntry *t, Error *e) {
        static const char types[_TAR_TYPE_MAX] = {
                [TAR_FILE] = '0',   [TAR_DIRECTORY] = '5', [TAR_SYMLINK] = '2', [TAR_HARDLINK] = '1',
                [TAR_CHRDEV] = '3', [TAR_BLKDEV] = '4',    [TAR_FIFO] = '6',
        };
        _cleanup_free_ char *name = name_in(w, t->path, t->type == TAR_DIRECTORY), *link = NULL;
        Block b = { .type = types[t->type],
                    .mode = t->mode,
                    .uid = t->uid,
                    .gid = t->gid,
                    .major = t->major,
                    .minor = t->minor,
                    .size = t->type == TAR_FILE ? t->size : 0,
                    .mtime = (uint64_t) MAX(t->mtime_sec, 0) };
        int r;

        assert(w->missing == 0);
        if (t->link)
                link = t->type == TAR_HARDLINK ? name_in(w, t->link, false) : strdup(t->link);
        if (!name || (t->link && !link))
                return error_oom(e);
        b.name = name;
        b.link = link;
        r = put_pax(w, t, &b, e);
        if (r >= 0)
                r = put_block(w, &b, e);
        w->missing = b.size;
        w->padding = padding_of(b.size);
        return r;
}

/**
 * tar_writer_content() - more bytes of the file whose header was last
 * @w:    archive
 * @data: @size bytes; NULL: zeros
 * @size: not more than are missing
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, what the sink returned.
 */
int tar_writer_content(TarWriter *w, const void *data, size_t size, Error *e) {
        int r;

        assert(size <= w->missing);
        r = put(w, data, size, e);
        if (r < 0)
                return r;
        w->missing -= size;
        return w->missing == 0 ? put(w, NULL, w->padding, e) : 0;
}

static int fill_zeros(TarWriter *w, uint64_t size, Error *e) {
        int r = 0;

        while (r >= 0 && size > 0) {
                size_t n = (size_t) MIN(size, (uint64_t) BUFFER);

                r = tar_writer_content(w, NULL, n, e);
                size -= n;
        }
        return r;
}

static int copy_segment(TarWriter *w, const TarSegment *s, int fd, void *buffer, Error *e) {
        for (uint64_t done = 0; done < s->size;) {
                ssize_t n = pread(fd, buffer, (size_t) MIN(s->size - done, (uint64_t) BUFFER),
                                  (off_t) (s->source + done));
                int r;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return error_setf(e, n < 0 ? -errno : -EBADMSG, "cannot read: %s",
                                          n < 0 ? strerror(errno) : "the blob is too short");
                r = tar_writer_content(w, buffer, (size_t) n, e);
                if (r < 0)
                        return r;
                done += (uint64_t) n;
        }
        return 0;
}

/**
 * tar_writer_file() - an object with its content
 * @w:  archive
 * @t:  entry; segments ascend, and lie within the size
 * @fd: for pread(): what the segments of a file point into
 * @e:  sentence on failure, naming the entry; may be NULL
 *
 * Return: 0, -EBADMSG (less there than the segments say), -ENOMEM, errno of pread(), what the sink returned.
 */
int tar_writer_file(TarWriter *w, const TarEntry *t, int fd, Error *e) {
        _cleanup_free_ uint8_t *buffer = NULL;
        char escaped[TAR_NAME_ESCAPED_MAX];
        uint64_t at = 0;
        int r;

        r = tar_writer_entry(w, t, e);
        if (r < 0 || t->type != TAR_FILE)
                return r;
        if (t->n_segments > 0) {
                buffer = malloc(BUFFER);
                if (!buffer)
                        return error_oom(e);
        }
        FOREACH_ARRAY (s, t->segments, t->n_segments) {
                r = fill_zeros(w, s->offset - at, e);
                if (r >= 0)
                        r = copy_segment(w, s, fd, buffer, e);
                if (r < 0)
                        return error_prefixf(e, r, "'%s'", tar_name_escape(t->path, escaped));
                at = s->offset + s->size;
        }
        return fill_zeros(w, t->size - at, e);
}

/**
 * tar_writer_text() - a small file of ours, beside the prefix
 * @w:    archive
 * @path: in the archive, without the prefix in front
 * @text: @size bytes
 * @size: bytes
 * @e:    sentence on failure; may be NULL
 *
 * Root's, 0644, of 1970.
 *
 * Return: 0, -ENOMEM, what the sink returned.
 */
int tar_writer_text(TarWriter *w, const char *path, const char *text, size_t size, Error *e) {
        const TarEntry none = TAR_ENTRY_INIT;
        Block b = { .name = path, .type = '0', .mode = 0644, .size = size };
        int r;

        assert(w->missing == 0);
        r = put_pax(w, &none, &b, e);
        if (r >= 0)
                r = put_block(w, &b, e);
        if (r >= 0)
                r = put(w, text, size, e);
        return r < 0 ? r : put(w, NULL, padding_of(size), e);
}

/**
 * tar_writer_finish() - the end of the archive
 * @w: archive; the content of the last file is complete
 * @e: sentence on failure; may be NULL
 *
 * Return: 0, what the sink returned.
 */
int tar_writer_finish(TarWriter *w, Error *e) {
        int r;

        assert(w->missing == 0);
        r = put(w, NULL, 2 * TAR_BLOCK, e);
        return r < 0 ? r : flush(w, e);
}
