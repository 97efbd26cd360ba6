/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames: how entries and bytes travel between processes. */
#include <sys/uio.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/unconst.h"
#include "store/frame.h"
#include "store/tar-entry.h"

#define FRAME_READER_SIZE (2U * FRAME_SIZE_MAX)
#define FRAME_WAITING_MAX (256U * 1024)

/* The fixed part of an entry. Behind it: segments; path, NUL; link, NUL; per attribute: uint32_t size of the value, name,
 * NUL, value. */
typedef struct FrameEntry {
        uint64_t size;
        int64_t mtime_sec;
        uint32_t mtime_nsec;
        uint16_t type;
        uint16_t device;
        uint32_t mode;
        uint32_t uid;
        uint32_t gid;
        uint32_t major;
        uint32_t minor;
        uint32_t has_link;
        uint32_t n_segments;
        uint32_t n_xattrs;
} FrameEntry;

/**
 * frame_reader_done() - free the buffer; the descriptor is the caller's
 * @f: is FRAME_READER_INIT afterwards
 */
void frame_reader_done(FrameReader *f) {
        free(f->buffer);
        *f = FRAME_READER_INIT;
}

/* Makes at least "size" bytes available at start. 0: the stream ended before the first of them. */
static int reader_fill(FrameReader *f, size_t size) {
        if (f->end - f->start >= size)
                return 1;
        if (!f->buffer) {
                f->buffer = malloc(FRAME_READER_SIZE);
                if (!f->buffer)
                        return -ENOMEM;
        }
        /* Only when there is no room behind it: most of what is read is not moved. */
        if (f->start == f->end)
                f->start = f->end = 0;
        else if (f->start + size > FRAME_READER_SIZE) {
                memmove(f->buffer, f->buffer + f->start, f->end - f->start);
                f->end -= f->start;
                f->start = 0;
        }
        while (f->end - f->start < size) {
                ssize_t n = read(f->fd, f->buffer + f->end, FRAME_READER_SIZE - f->end);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return f->end == f->start ? 0 : -EBADMSG;
                f->end += (size_t) n;
        }
        return 1;
}

/**
 * frame_read() - the next frame
 * @f:        its fd is set
 * @ret_type: which
 * @ret:      @ret_size bytes, valid until the next call, not aligned
 * @ret_size: at most FRAME_SIZE_MAX
 * @e:        sentence on failure; may be NULL
 *
 * Return: 1, 0 at the end of the stream; -EBADMSG (cut or impossible frame), errno of read().
 */
int frame_read(FrameReader *f, FrameType *ret_type, const uint8_t **ret, size_t *ret_size, Error *e) {
        FrameHeader h;
        int r;

        r = reader_fill(f, sizeof(h));
        if (r <= 0)
                return r < 0 ? error_setf(e, r, "cannot read from the worker") : 0;
        memcpy(&h, f->buffer + f->start, sizeof(h));
        if (h.type >= _FRAME_TYPE_MAX || h.size > FRAME_SIZE_MAX)
                return error_setf(e, -EBADMSG, "the worker sent an impossible frame");
        r = reader_fill(f, sizeof(h) + h.size);
        if (r < 0)
                return error_setf(e, r, "the worker ended within a frame");
        *ret = f->buffer + f->start + sizeof(h);
        *ret_size = h.size;
        *ret_type = (FrameType) h.type;
        f->start += sizeof(h) + h.size;
        return 1;
}

static int write_vector(int fd, struct iovec *v, int n_v) {
        while (n_v > 0) {
                ssize_t n = writev(fd, v, n_v);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                while (n_v > 0 && (size_t) n >= v->iov_len) {
                        n -= (ssize_t) v->iov_len;
                        v++;
                        n_v--;
                }
                if (n_v > 0) {
                        v->iov_base = (uint8_t *) v->iov_base + n;
                        v->iov_len -= (size_t) n;
                }
        }
        return 0;
}

/**
 * frame_write() - send one
 * @fd:   blocking
 * @type: which
 * @data: @size bytes
 * @size: at most FRAME_SIZE_MAX
 *
 * Return: 0, errno of write(); -EPIPE when the reader is gone (and SIGPIPE is ignored).
 */
int frame_write(int fd, FrameType type, const void *data, size_t size) {
        FrameWriter w = FRAME_WRITER_INIT;

        w.fd = fd;
        return frame_writer_send(&w, type, data, size);
}

/**
 * frame_writer_done() - free what has not been sent; the descriptor is the caller's
 * @w: is FRAME_WRITER_INIT afterwards
 */
void frame_writer_done(FrameWriter *w) {
        strbuf_done(&w->waiting);
        *w = FRAME_WRITER_INIT;
}

static int writer_flush(FrameWriter *w, struct iovec *v, int n_v) {
        int r;

        v[0] = (struct iovec){ .iov_base = w->waiting.data, .iov_len = w->waiting.size };
        r = w->waiting.size > 0 ? write_vector(w->fd, v, n_v) : write_vector(w->fd, v + 1, n_v - 1);
        w->waiting.size = 0;
        return r;
}

/**
 * frame_writer_add() - a frame that may wait for frame_writer_send()
 * @w:    its fd is set
 * @type: which
 * @data: @size bytes, copied
 * @size: at most FRAME_SIZE_MAX
 *
 * Return: 0, -ENOMEM, errno of write().
 */
int frame_writer_add(FrameWriter *w, FrameType type, const void *data, size_t size) {
        FrameHeader h = { .type = (uint32_t) type, .size = (uint32_t) size };
        struct iovec v[1];

        assert(size <= FRAME_SIZE_MAX);
        strbuf_add_n(&w->waiting, (const char *) &h, sizeof(h));
        strbuf_add_n(&w->waiting, data, size);
        if (w->waiting.failed)
                return -ENOMEM;
        return w->waiting.size < FRAME_WAITING_MAX ? 0 : writer_flush(w, v, 1);
}

/**
 * frame_writer_send() - send what waits, and this
 * @w:    its fd is set
 * @type: which
 * @data: @size bytes
 * @size: at most FRAME_SIZE_MAX
 *
 * Return: 0, errno of write(); -EPIPE when the reader is gone (and SIGPIPE is ignored).
 */
int frame_writer_send(FrameWriter *w, FrameType type, const void *data, size_t size) {
        FrameHeader h = { .type = (uint32_t) type, .size = (uint32_t) size };
        struct iovec v[] = { {},
                             { .iov_base = &h, .iov_len = sizeof(h) },
                             { .iov_base = unconst(data), .iov_len = size } };

        assert(size <= FRAME_SIZE_MAX);
        return writer_flush(w, v, size > 0 ? 3 : 2);
}

/**
 * frame_write_error() - tell the store why it ends here
 * @fd:       blocking
 * @error:    negative errno
 * @sentence: cut to 2000 bytes
 *
 * Return: 0, errno of write().
 */
int frame_write_error(int fd, int error, const char *sentence) {
        char buffer[sizeof(int32_t) + 2000];
        size_t n = strnlen(sentence, 2000);
        int32_t code = error;

        memcpy(buffer, &code, sizeof(code));
        memcpy(buffer + sizeof(code), sentence, n);
        return frame_write(fd, FRAME_ERROR, buffer, sizeof(code) + n);
}

/**
 * frame_decode_error() - what frame_write_error() sent
 * @data: @size bytes
 * @size: bytes
 * @e:    gets the sentence, control characters replaced; may be NULL
 *
 * Return: the negative errno; -EPROTO if there is none.
 */
int frame_decode_error(const uint8_t *data, size_t size, Error *e) {
        int32_t code = -EPROTO;
        char text[2001];
        size_t n;

        if (size < sizeof(code))
                return error_setf(e, -EPROTO, "the worker failed without a reason");
        memcpy(&code, data, sizeof(code));
        if (code >= 0 || code < -4095)
                code = -EPROTO;
        n = MIN(size - sizeof(code), sizeof(text) - 1);
        for (size_t i = 0; i < n; i++) {
                uint8_t c = data[sizeof(code) + i];

                text[i] = c < 0x20 || c >= 0x7f ? '?' : (char) c;
        }
        text[n] = '\0';
        return error_setf(e, code, "%s", text);
}

/**
 * frame_decode_end() - the last frame
 * @data: @size bytes
 * @size: bytes
 * @ret:  unchecked numbers
 *
 * Return: 0, -EBADMSG.
 */
int frame_decode_end(const uint8_t *data, size_t size, FrameEnd *ret) {
        if (size != sizeof(*ret))
                return -EBADMSG;
        memcpy(ret, data, sizeof(*ret));
        return 0;
}

static uint8_t *put(uint8_t *p, const void *data, size_t size) {
        if (size > 0)
                memcpy(p, data, size);
        return p + size;
}

/**
 * frame_encode_entry() - as bytes
 * @t:        within the limits of tar-entry.h
 * @ret:      free()
 * @ret_size: bytes
 *
 * Return: 0, -ENOMEM, -E2BIG (FRAME_SIZE_MAX).
 */
int frame_encode_entry(const TarEntry *t, uint8_t **ret, size_t *ret_size) {
        const char *link = t->link ? t->link : "";
        FrameEntry f = {
                .size = t->size,
                .mtime_sec = t->mtime_sec,
                .mtime_nsec = t->mtime_nsec,
                .type = (uint16_t) t->type,
                .device = t->device,
                .mode = t->mode,
                .uid = t->uid,
                .gid = t->gid,
                .major = t->major,
                .minor = t->minor,
                .has_link = t->link ? 1 : 0,
                .n_segments = (uint32_t) t->n_segments,
                .n_xattrs = (uint32_t) t->n_xattrs,
        };
        size_t size = sizeof(f) + t->n_segments * sizeof(TarSegment) + strlen(t->path) + strlen(link) + 2;
        uint8_t *data, *p;

        FOREACH_ARRAY (x, t->xattrs, t->n_xattrs)
                size += sizeof(uint32_t) + strlen(x->name) + 1 + x->size;
        if (size > FRAME_SIZE_MAX)
                return -E2BIG;
        data = malloc(size);
        if (!data)
                return -ENOMEM;
        p = put(data, &f, sizeof(f));
        p = put(p, t->segments, t->n_segments * sizeof(TarSegment));
        p = put(p, t->path, strlen(t->path) + 1);
        p = put(p, link, strlen(link) + 1);
        FOREACH_ARRAY (x, t->xattrs, t->n_xattrs) {
                p = put(p, &(uint32_t){ (uint32_t) x->size }, sizeof(uint32_t));
                p = put(p, x->name, strlen(x->name) + 1);
                p = put(p, x->value, x->size);
        }
        *ret = data;
        *ret_size = size;
        return 0;
}

/* Takes a string with its NUL off the front. */
static int take_string(const uint8_t **p, size_t *size, size_t max, const char **ret) {
        size_t n = strnlen((const char *) *p, *size);

        if (n == *size || n > max)
                return -EBADMSG;
        *ret = (const char *) *p;
        *p += n + 1;
        *size -= n + 1;
        return 0;
}

/* A path as tar-entry.h promises it: relative, no empty component, no "." and "..", no long ones. */
static int check_path(const char *path) {
        size_t depth = 0;

        if (*path == '\0')
                return 0;
        for (const char *p = path;;) {
                size_t n = strcspn(p, "/");

                if (n == 0 || n > TAR_NAME_MAX || (n == 1 && p[0] == '.') ||
                    (n == 2 && p[0] == '.' && p[1] == '.') || ++depth > TAR_DEPTH_MAX)
                        return -EBADMSG;
                if (p[n] == '\0')
                        return 0;
                p += n + 1;
        }
}

/**
 * frame_decode_path() - what FRAME_WHITEOUT and FRAME_OPAQUE hold
 * @data: @size bytes
 * @size: bytes
 * @ret:  as TarEntry's path; free()
 *
 * Return: 0, -EBADMSG, -ENOMEM.
 */
int frame_decode_path(const uint8_t *data, size_t size, char **ret) {
        _cleanup_free_ char *path = NULL;

        if (size > TAR_PATH_MAX || (size > 0 && memchr(data, '\0', size)))
                return -EBADMSG;
        path = strndup((const char *) data, size);
        if (!path)
                return -ENOMEM;
        if (check_path(path) < 0)
                return -EBADMSG;
        *ret = TAKE_PTR(path);
        return 0;
}

static int check_entry(const TarEntry *t) {
        uint64_t end = 0;

        if (t->type >= _TAR_TYPE_MAX || (t->mode & ~07777U) != 0 || t->mtime_nsec >= 1000000000U ||
            t->uid > TAR_ID_MAX || t->gid > TAR_ID_MAX || t->size > INT64_MAX)
                return -EBADMSG;
        if (check_path(t->path) < 0 || (*t->path == '\0' && t->type != TAR_DIRECTORY))
                return -EBADMSG;
        if ((t->link != NULL) != (t->type == TAR_SYMLINK || t->type == TAR_HARDLINK))
                return -EBADMSG;
        if (t->link && (*t->link == '\0' || (t->type == TAR_HARDLINK && check_path(t->link) < 0)))
                return -EBADMSG;
        if (t->type != TAR_FILE && (t->size != 0 || t->n_segments != 0))
                return -EBADMSG;
        /* A whiteout, for which there is a frame of its own. */
        if ((t->type == TAR_CHRDEV || t->type == TAR_BLKDEV) && (t->major | t->minor) == 0)
                return -EBADMSG;
        FOREACH_ARRAY (s, t->segments, t->n_segments) {
                if (s->offset < end || s->offset > t->size || s->size > t->size - s->offset ||
                    s->source > INT64_MAX)
                        return -EBADMSG;
                end = s->offset + s->size;
        }
        return 0;
}

static int decode_xattrs(TarEntry *t, size_t n, const uint8_t *p, size_t size) {
        for (size_t i = 0; i < n; i++) {
                const char *name;
                uint32_t n_value;
                int r;

                if (size < sizeof(n_value))
                        return -EBADMSG;
                memcpy(&n_value, p, sizeof(n_value));
                p += sizeof(n_value);
                size -= sizeof(n_value);
                r = take_string(&p, &size, TAR_NAME_MAX, &name);
                if (r < 0)
                        return r;
                if (n_value > TAR_XATTR_VALUE_MAX || n_value > size)
                        return -EBADMSG;
                r = tar_entry_add_xattr(t, name, (const char *) p, n_value);
                if (r < 0)
                        return r;
                p += n_value;
                size -= n_value;
        }
        return size == 0 ? 0 : -EBADMSG;
}

/**
 * frame_decode_entry() - check and copy
 * @data: @size bytes from another process
 * @size: bytes
 * @ret:  tar_entry_done(); every promise of tar-entry.h holds, except that segments may point behind the blob's end
 *
 * Return: 0, -EBADMSG, -ENOMEM, -E2BIG.
 */
int frame_decode_entry(const uint8_t *data, size_t size, TarEntry *ret) {
        _cleanup_(tar_entry_done) TarEntry t = TAR_ENTRY_INIT;
        const char *path, *link;
        FrameEntry f;
        int r;

        if (size < sizeof(f))
                return -EBADMSG;
        memcpy(&f, data, sizeof(f));
        data += sizeof(f);
        size -= sizeof(f);
        if (f.n_segments > TAR_SEGMENTS_MAX || f.n_xattrs > TAR_XATTRS_MAX ||
            size < f.n_segments * sizeof(TarSegment) || f.type >= _TAR_TYPE_MAX)
                return -EBADMSG;
        for (size_t i = 0; i < f.n_segments; i++) {
                TarSegment s;

                memcpy(&s, data + i * sizeof(s), sizeof(s));
                r = tar_entry_add_segment(&t, s.offset, s.size, s.source);
                if (r < 0)
                        return r;
        }
        data += f.n_segments * sizeof(TarSegment);
        size -= f.n_segments * sizeof(TarSegment);
        r = take_string(&data, &size, TAR_PATH_MAX, &path);
        if (r >= 0)
                r = take_string(&data, &size, TAR_PATH_MAX, &link);
        if (r < 0)
                return r;
        t.path = strdup(path);
        t.link = f.has_link ? strdup(link) : NULL;
        if (!t.path || (f.has_link && !t.link))
                return -ENOMEM;
        t.type = (TarType) f.type;
        t.device = f.device;
        t.size = f.size;
        t.mode = f.mode;
        t.uid = f.uid;
        t.gid = f.gid;
        t.major = f.major;
        t.minor = f.minor;
        t.mtime_sec = f.mtime_sec;
        t.mtime_nsec = f.mtime_nsec;
        r = decode_xattrs(&t, f.n_xattrs, data, size);
        if (r >= 0)
                r = check_entry(&t);
        if (r < 0)
                return r;
        *ret = t;
        t = TAR_ENTRY_INIT;
        return 0;
}
