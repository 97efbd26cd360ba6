/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting rkt-pull and reading what it says. The worker talks to the network, so everything it sends is as hostile as the
 * network: lines are bounded, lengths are counted again. */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/worker.h"
#include "net/download.h"
#include "net/proxy.h"

#define PULL_USER "rkt-pull"
#define GRACE_SEC 30U /* the worker ends by itself before that */

struct Download {
        Process worker;
        int meta_fd;
        usec_t deadline; /* CLOCK_MONOTONIC; the worker has one of its own, which it might not keep */
        int body_fd;
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
        process_done(&d->worker);
        (void) fd_close(d->meta_fd);
        (void) fd_close(d->body_fd);
        pull_head_done(&d->head);
        free(d);
        return NULL;
}

/**
 * pull_worker_spawn() - start rkt-pull
 * @discovery: it reads a page (see rkt-pull.c) instead of getting a URL
 * @fds:   become 0, 1, 2, ...
 * @n_fds: count
 * @ret:   for process_wait() and process_done()
 * @e:     sentence on failure; may be NULL
 *
 * Return: as worker_spawn().
 */
int pull_worker_spawn(bool discovery, const int *fds, size_t n_fds, Process *ret, Error *e) {
        char name[] = "rkt-pull", mode[] = "discovery";
        char *const argv[] = { name, discovery ? mode : NULL, NULL };

        return worker_spawn("rkt-pull", PULL_USER, argv, fds, n_fds, ret, e);
}

static int spawn(Download *d, int request_fd, Error *e) {
        _cleanup_close_ int body_w = -EBADF, meta_w = -EBADF;
        int p[2];

        if (pipe2(p, O_CLOEXEC) < 0)
                return error_setf(e, -errno, "cannot make a pipe: %m");
        d->body_fd = p[0];
        body_w = p[1];
        (void) fcntl(body_w, F_SETPIPE_SZ, 1024 * 1024);
        if (pipe2(p, O_CLOEXEC) < 0)
                return error_setf(e, -errno, "cannot make a pipe: %m");
        d->meta_fd = p[0];
        meta_w = p[1];
        return pull_worker_spawn(false, (const int[]){ request_fd, body_w, STDERR_FILENO, meta_w }, 4,
                                 &d->worker, e);
}

static usec_t now_usec(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (usec_t) t.tv_sec * USEC_PER_SEC + (usec_t) t.tv_nsec / 1000;
}

/* Until the worker says something, or its time is over. */
static int wait_readable(const Download *d, int fd, Error *e) {
        struct pollfd p = { .fd = fd, .events = POLLIN };

        for (;;) {
                usec_t now = now_usec();
                int n;

                if (now >= d->deadline)
                        return error_setf(e, -ETIME, "the download worker does not come to an end");
                n = poll(&p, 1, (int) MIN((d->deadline - now) / 1000 + 1, (usec_t) INT_MAX));
                if (n > 0)
                        return 0;
                if (n < 0 && errno != EINTR)
                        return error_setf(e, -errno, "cannot wait for the download worker: %m");
        }
}

/**
 * download_start() - start a worker on a URL
 * @q:   copied; what and within which limits. Without proxies of its own, those of the environment are used
 * @ret: for download_free()
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL, -ESRCH (the worker's user does not exist), -ENOMEM, errno of pipe() and fork().
 */
int download_start(const PullRequest *q, Download **ret, Error *e) {
        _cleanup_(proxy_settings_done) ProxySettings proxies = {};
        _cleanup_(download_freep) Download *d = NULL;
        PullRequest with_proxies = *q;
        _cleanup_close_ int request_r = -EBADF, request_w = -EBADF;
        _cleanup_free_ char *text = NULL;
        int p[2], r;

        r = proxy_settings_from_environment(&proxies, e);
        if (r < 0)
                return r;
        with_proxies.proxy_http = q->proxy_http ? q->proxy_http : proxies.http;
        with_proxies.proxy_https = q->proxy_https ? q->proxy_https : proxies.https;
        with_proxies.no_proxy = q->no_proxy ? q->no_proxy : proxies.no_proxy;
        r = pull_request_write(&with_proxies, &text);
        if (r == -ENOMEM)
                return error_oom(e);
        if (r < 0)
                return error_setf(
                        e, r, "the URL or a header for it is too long, or contains characters that none has");
        d = new0(Download, 1);
        if (!d)
                return error_oom(e);
        d->worker = PROCESS_INIT;
        d->body_fd = d->meta_fd = -EBADF;
        d->head = PULL_HEAD_INIT;
        d->deadline = now_usec() + ((q->time_max_sec > 0 ? q->time_max_sec : PULL_TIME_MAX_SEC) + GRACE_SEC) *
                                           USEC_PER_SEC;
        d->size_max = q->size_max > 0 ? q->size_max : PULL_SIZE_MAX;
        if (pipe2(p, O_CLOEXEC) < 0)
                return error_setf(e, -errno, "cannot make a pipe: %m");
        request_r = p[0];
        request_w = p[1];
        /* Shorter than a pipe's buffer, so this never waits; and written before anybody could close the other end. */
        r = fd_write_all(request_w, text, strlen(text));
        if (r < 0)
                return error_setf(e, r, "cannot write to a pipe: %s", strerror(-r));
        r = spawn(d, request_r, e);
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
                int r = wait_readable(d, d->meta_fd, e);

                if (r < 0)
                        return r;
                k = read(d->meta_fd, line + n, 1);
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

                (void) process_reap(&d->worker, &status, NULL);
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
        r = wait_readable(d, d->body_fd, e);
        if (r < 0)
                return r;
        do
                n = read(d->body_fd, buffer, size);
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
