/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading an image's bytes in order, and keeping a copy of what a download brought until the image is complete. */
#include <inttypes.h>
#include <unistd.h>

#include "basic/log.h"
#include "basic/str.h"
#include "image/image-source.h"

/**
 * image_source_download() - read from a download from now on
 * @s:    source with a spool, or without
 * @d:    stays the caller's
 * @head: of @d, status 200
 * @e:    sentence on failure; may be NULL
 *
 * Decides what becomes of the spool: it is continued, begun anew, or dropped.
 *
 * Return: 0, -EPROTO (the worker continues something else than it was asked to).
 */
int image_source_download(ImageSource *s, Download *d, const PullHead *head, Error *e) {
        StoreSpool *p = s->spool;

        s->fd = -EBADF;
        s->download = d;
        s->position = 0;
        s->offset = head->offset;
        s->total = head->length != UINT64_MAX ? head->length : 0;
        if (head->offset > 0) {
                if (!p || head->offset != store_spool_size(p) || head->length != store_spool_total(p))
                        return error_setf(e, -EPROTO, "the download worker continues something else");
                return 0;
        }
        if (!p)
                return 0;
        store_spool_remove(p);
        if (head->resume_tag && s->total >= IMAGE_SPOOL_MIN &&
            store_spool_begin(p, head->resume_tag, s->total) < 0)
                log_debug("cannot keep what is downloaded of '%s', ignoring", s->what);
        return 0;
}

static int read_file(ImageSource *s, void *buffer, size_t size, size_t *ret_size, Error *e) {
        ssize_t n;

        do
                n = read(s->fd, buffer, size);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return error_setf(e, -errno, "cannot read '%s': %m", s->what);
        *ret_size = (size_t) n;
        return 0;
}

static int read_download(ImageSource *s, void *buffer, size_t size, size_t *ret_size, Error *e) {
        int r;

        r = download_read(s->download, buffer, size, ret_size, e);
        if (r < 0) {
                s->broken = r != -ESTALE && r != -EFBIG;
                if (s->broken && s->spool && store_spool_size(s->spool) > 0)
                        return error_setf(
                                e, r, "%s; what has come is kept: fetch it again, and it goes on from there",
                                error_text(e, r));
                return r;
        }
        /* A full disk, most likely: the image itself may still fit. */
        if (*ret_size > 0 && s->spool && store_spool_tag(s->spool) &&
            store_spool_append(s->spool, buffer, *ret_size) < 0)
                log_debug("cannot keep what is downloaded of '%s', ignoring", s->what);
        return 0;
}

/**
 * image_source_read() - the next bytes
 * @s:        source
 * @buffer:   @size bytes
 * @size:     not 0
 * @ret_size: bytes; 0: that was all
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0, errno of read(), and what download_read() returns.
 */
int image_source_read(ImageSource *s, void *buffer, size_t size, size_t *ret_size, Error *e) {
        int r;

        if (s->position < s->offset) {
                r = store_spool_read(s->spool, s->position, buffer,
                                     (size_t) MIN((uint64_t) size, s->offset - s->position), ret_size);
                if (r < 0)
                        return error_setf(e, r, "cannot read what was downloaded of '%s' before: %s", s->what,
                                          strerror(-r));
        } else {
                r = s->download ? read_download(s, buffer, size, ret_size, e)
                                : read_file(s, buffer, size, ret_size, e);
                if (r < 0)
                        return r;
        }
        s->position += *ret_size;
        return 0;
}

/**
 * image_source_end() - the bytes were used, or are of no use: keep no copy, unless the download broke
 * @s: source
 */
void image_source_end(ImageSource *s) {
        if (s->spool && (!s->broken || store_spool_size(s->spool) == 0))
                store_spool_remove(s->spool);
}
