/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting rkt-pull and reading what it says. The worker talks to the network, so everything it sends is as hostile as the
 * network: lines are bounded, lengths are counted again. */
#include <unistd.h>

#include "basic/str.h"
#include "net/download.h"
#include "net/pull-worker.h"

struct Download {
        PullWorker worker;
        PullHead head;
        bool head_done;
        uint64_t n_body;
        uint64_t size_max;
        uint64_t n_meta;
};

/**
 * download_free() - end a download, whatever state it is in
 * @d: may be NULL; a worker that still runs is killed
 *
 * Return: NULL.
 */
Download *download_free(Download *d) {
        if (!d)
                return NULL;
        pull_worker_done(&d->worker);
        pull_head_done(&d->head);
        free(d);
        return NULL;
}

/**
 * download_start() - start a worker on a URL
 * @q:   copied; what and within which limits. Without proxies of its own, those of the environment are used
 * @ret: for download_free()
 * @e:   sentence on failure; may be NULL
 *
 * Return: as pull_worker_start().
 */
int download_start(const PullRequest *q, Download **ret, Error *e) {
        _cleanup_(download_freep) Download *d = new0(Download, 1);
        int r;

        if (!d)
                return error_oom(e);
        d->worker = PULL_WORKER_INIT;
        d->head = PULL_HEAD_INIT;
        d->size_max = q->size_max > 0 ? q->size_max : PULL_SIZE_MAX;
        r = pull_worker_start(NULL, q, "", &d->worker, e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(d);
        return 0;
}

/* One line, byte by byte, since there are few of them and what follows may not come for long. */
static int read_line(Download *d, char *line, size_t size, size_t *ret_length, Error *e) {
        size_t n = 0;

        while (n < size) {
                ssize_t k;
                int r = pull_worker_wait(&d->worker, d->worker.meta_fd, e);

                if (r < 0)
                        return r;
                k = read(d->worker.meta_fd, line + n, 1);
                if (k < 0 && errno == EINTR)
                        continue;
                if (k <= 0)
                        break;
                if (line[n++] == '\n')
                        break;
        }
        *ret_length = n;
        return 0;
}

static int meta_line(Download *d, PullLineType *ret, uint64_t *ret_size, Error *e) {
        char line[PULL_TEXT_MAX + 2];
        size_t length;
        int r;

        r = read_line(d, line, sizeof(line), &length, e);
        if (r < 0)
                return r;
        if (length == 0) {
                int status = 0;

                (void) process_reap(&d->worker.process, &status, NULL);
                return error_setf(e, -EPROTO, "the download worker ended too early (status %d)", status);
        }
        d->n_meta += length;
        if (d->n_meta > PULL_META_MAX || line[length - 1] != '\n' || memchr(line, 0, length))
                return error_setf(e, -EPROTO, "the download worker says too much");
        line[length - 1] = 0;
        r = pull_meta_parse_line(line, &d->head, ret_size, e);
        if (r < 0)
                return r;
        *ret = (PullLineType) r;
        return 0;
}

/**
 * download_head() - wait for the head
 * @d:   a download
 * @ret: valid as long as @d
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, -EPROTO (the worker died), and what http_get() returns.
 */
int download_head(Download *d, const PullHead **ret, Error *e) {
        while (!d->head_done) {
                PullLineType type = PULL_LINE_END;
                uint64_t size = 0;
                int r;

                r = meta_line(d, &type, &size, e);
                if (r < 0)
                        return r;
                if (type == PULL_LINE_END)
                        return error_setf(e, -EPROTO, "the download worker sent an end without a head");
                d->head_done = type == PULL_LINE_HEAD_END;
        }
        *ret = &d->head;
        return 0;
}

static int check_end(Download *d, Error *e) {
        PullLineType type = PULL_LINE_END;
        uint64_t size = 0;
        int r;

        r = meta_line(d, &type, &size, e);
        if (r < 0)
                return r;
        if (type != PULL_LINE_END || size != d->n_body)
                return error_setf(e, -EPROTO, "the download is not complete");
        return 0;
}

/**
 * download_read() - read more of the body
 * @d:        a download whose head was read
 * @buffer:   @size bytes
 * @size:     not 0
 * @ret_size: bytes read; 0 at the end of a body that is complete
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0, -EFBIG, -EPROTO, and what http_get() returns. On failure the bytes read so far mean nothing.
 */
int download_read(Download *d, void *buffer, size_t size, size_t *ret_size, Error *e) {
        ssize_t n;
        int r;

        assert(d->head_done && size > 0);
        r = pull_worker_wait(&d->worker, d->worker.body_fd, e);
        if (r < 0)
                return r;
        do
                n = read(d->worker.body_fd, buffer, size);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return error_setf(e, -errno, "cannot read from the download worker: %m");
        d->n_body += (uint64_t) n;
        if (d->n_body > d->size_max - MIN(d->head.offset, d->size_max))
                return error_setf(e, -EFBIG, "the download has more than %llu bytes",
                                  (unsigned long long) d->size_max);
        if (n == 0) {
                r = check_end(d, e);
                if (r < 0)
                        return r;
        }
        *ret_size = (size_t) n;
        return 0;
}

/**
 * download_small() - get a small body whole
 * @q:        size_max is the limit in memory
 * @ret:      for free(); NUL-terminated behind its end
 * @ret_size: bytes
 * @e:        sentence on failure; may be NULL
 *
 * Return: as download_read().
 */
int download_small(const PullRequest *q, char **ret, size_t *ret_size, Error *e) {
        _cleanup_(download_freep) Download *d = NULL;
        _cleanup_free_ char *data = NULL;
        const PullHead *head;
        size_t used = 0, n = 0;
        int r;

        data = malloc((size_t) q->size_max + 2);
        if (!data)
                return error_oom(e);
        r = download_start(q, &d, e);
        if (r < 0)
                return r;
        assert(d);
        r = download_head(d, &head, e);
        if (r < 0)
                return r;
        do {
                r = download_read(d, data + used, (size_t) q->size_max + 1 - used, &n, e);
                if (r < 0)
                        return r;
                used += n;
        } while (n > 0);
        data[used] = 0;
        *ret = TAKE_PTR(data);
        *ret_size = used;
        return 0;
}
