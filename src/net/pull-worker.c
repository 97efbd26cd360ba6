/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting rkt-pull. What it needs of the host's files (certificates) goes along as sealed memory, so that it needs no path
 * and no right to read keys. */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "basic/clock.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/worker.h"
#include "net/proxy.h"
#include "net/pull-worker.h"

#define PULL_USER    "rkt-pull"
#define GRACE_SEC    30U /* the worker ends by itself before that */
#define TLS_FILE_MAX (1U << 20)
#define FIRST_FILE   4 /* descriptor of the first certificate in the worker */
#define N_FILES      3

/* What the worker opens instead of the host's files: authorities, certificate, key. */
typedef struct Files {
        int fds[N_FILES];
        char names[N_FILES][32];
        char *authorities[2];
} Files;

static void files_done(Files *f) {
        FOREACH_ARRAY (fd, f->fds, N_FILES)
                *fd = fd_close(*fd);
}

/**
 * pull_worker_spawn() - start rkt-pull
 * @mode:  "discovery" or "registry" (see rkt-pull.c); NULL: it gets a URL
 * @fds:   become 0, 1, 2, ...
 * @n_fds: count
 * @ret:   for process_wait() and process_done()
 * @e:     sentence on failure; may be NULL
 *
 * Return: as worker_spawn().
 */
int pull_worker_spawn(const char *mode, const int *fds, size_t n_fds, Process *ret, Error *e) {
        char name[] = "rkt-pull", text[16] = "";
        char *const argv[] = { name, mode ? text : NULL, NULL };

        (void) snprintf(text, sizeof(text), "%s", str_or(mode, ""));
        return worker_spawn("rkt-pull", PULL_USER, argv, fds, n_fds, ret, e);
}

/**
 * pull_worker_done() - end a worker, whatever state it is in
 * @w: PULL_WORKER_INIT is fine; is that afterwards
 */
void pull_worker_done(PullWorker *w) {
        process_done(&w->process);
        (void) fd_close(w->meta_fd);
        (void) fd_close(w->body_fd);
        *w = PULL_WORKER_INIT;
}

static int wait_for(const PullWorker *w, struct pollfd *p, size_t n_fds, Error *e) {
        for (;;) {
                usec_t now = clock_usec(CLOCK_MONOTONIC);
                int n;

                if (now >= w->deadline)
                        return error_setf(e, -ETIME, "the download worker does not come to an end");
                n = poll(p, n_fds, (int) MIN((w->deadline - now) / 1000 + 1, (usec_t) INT_MAX));
                if (n > 0)
                        return 0;
                if (n < 0 && errno != EINTR)
                        return error_setf(e, -errno, "cannot wait for the download worker: %m");
        }
}

/**
 * pull_worker_wait() - until the worker says something, or its time is over
 * @w:  a worker
 * @fd: one of its two
 * @e:  sentence on failure; may be NULL
 *
 * Return: 0, -ETIME, negative errno of poll().
 */
int pull_worker_wait(const PullWorker *w, int fd, Error *e) {
        struct pollfd p = { .fd = fd, .events = POLLIN };

        return wait_for(w, &p, 1, e);
}

/* One more piece of what comes from a descriptor; at its end it becomes -EBADF. */
static int read_more(PullOutput *o, int *fd, Error *e) {
        ssize_t n;

        if (o->size + 1 >= o->allocated) {
                size_t want = MIN(MAX(o->allocated * 2, (size_t) 16 * 1024), o->size_max + 2);
                char *p = realloc(o->data, want);

                if (!p)
                        return error_oom(e);
                o->data = p;
                o->allocated = want;
        }
        n = read(*fd, o->data + o->size, o->allocated - o->size - 1);
        if (n < 0 && errno != EINTR)
                return error_setf(e, -errno, "cannot read from the download worker: %m");
        if (n == 0)
                *fd = -EBADF;
        o->size += n > 0 ? (size_t) n : 0;
        o->data[o->size] = 0;
        return o->size > o->size_max
                       ? error_setf(e, -E2BIG, "the download worker sends more than %zu bytes", o->size_max)
                       : 0;
}

/**
 * pull_worker_read() - all that a worker says, to the end of both
 * @w:    a worker
 * @body: with size_max; its data is for pull_output_done(), NUL-terminated behind its end
 * @meta: the same
 * @e:    sentence on failure; may be NULL
 *
 * Both are read as they come, so that a worker cannot hold us up by filling one of them.
 *
 * Return: 0, -E2BIG, -ENOMEM, -ETIME, negative errno of poll() and read().
 */
int pull_worker_read(const PullWorker *w, PullOutput *body, PullOutput *meta, Error *e) {
        PullOutput *const outputs[] = { body, meta };
        int fds[] = { w->body_fd, w->meta_fd };

        while (fds[0] >= 0 || fds[1] >= 0) {
                struct pollfd p[] = { { .fd = fds[0], .events = POLLIN },
                                      { .fd = fds[1], .events = POLLIN } };
                int r = wait_for(w, p, ELEMENTSOF(p), e);

                for (size_t i = 0; r >= 0 && i < ELEMENTSOF(p); i++)
                        if (p[i].revents != 0)
                                r = read_more(outputs[i], &fds[i], e);
                if (r < 0)
                        return r;
        }
        return 0;
}

/**
 * pull_output_done() - free it; what it held is overwritten
 * @o: also an empty one
 */
void pull_output_done(PullOutput *o) {
        if (o->data)
                explicit_bzero(o->data, o->size);
        free(o->data);
        *o = (PullOutput){};
}

/* Certificates or a key, one behind the other, for the worker to open by /proc/self/fd. */
static int load_files(char **paths, int *ret, Error *e) {
        _cleanup_strbuf_ StrBuf all = STRBUF_INIT;
        int r = 0;

        STRV_FOREACH (path, paths) {
                _cleanup_free_ char *data = NULL;
                size_t size;

                r = file_read_at(AT_FDCWD, *path, TLS_FILE_MAX, &data, &size);
                if (r < 0)
                        return error_setf(e, r, "cannot read '%s': %s", *path, strerror(-r));
                strbuf_add_n(&all, data, size);
                strbuf_add(&all, "\n");
                explicit_bzero(data, size);
        }
        if (all.failed)
                return error_oom(e);
        if (all.size == 0)
                return 0;
        r = fd_memory_file("pem", all.data, all.size, ret);
        explicit_bzero(all.data, all.size);
        return r < 0 ? error_setf(e, r, "cannot make a file in memory: %s", strerror(-r)) : 0;
}

/* Replaces the paths of the host, in a copy that owns nothing, by what the worker can open. */
static int replace_files(PullRequest *q, Files *f, Error *e) {
        char *cert[] = { q->cert_file, NULL }, *key[] = { q->key_file, NULL };
        int r;

        r = load_files(q->ca_files, &f->fds[0], e);
        if (r >= 0)
                r = load_files(cert, &f->fds[1], e);
        if (r >= 0)
                r = load_files(key, &f->fds[2], e);
        if (r < 0)
                return r;
        for (int i = 0; i < N_FILES; i++)
                (void) snprintf(f->names[i], sizeof(f->names[i]), "/proc/self/fd/%d", FIRST_FILE + i);
        f->authorities[0] = f->names[0];
        q->ca_files = f->fds[0] >= 0 ? f->authorities : NULL;
        q->cert_file = f->fds[1] >= 0 ? f->names[1] : NULL;
        q->key_file = f->fds[2] >= 0 ? f->names[2] : NULL;
        return 0;
}

static int write_request(const PullRequest *q, const char *more, int fd, Error *e) {
        _cleanup_free_ char *text = NULL;
        int r;

        r = pull_request_write(q, &text);
        if (r == -ENOMEM)
                return error_oom(e);
        if (r >= 0 && strlen(text) + strlen(more) > PULL_REQUEST_MAX)
                r = -E2BIG;
        if (r < 0)
                return error_setf(
                        e, r, "the URL or a header for it is too long, or contains characters that none has");
        /* Shorter than a pipe's buffer, so this never waits; and written before anybody could close the other end. */
        r = fd_write_all(fd, text, strlen(text));
        if (r >= 0)
                r = fd_write_all(fd, more, strlen(more));
        explicit_bzero(text, strlen(text));
        return r < 0 ? error_setf(e, r, "cannot write to a pipe: %s", strerror(-r)) : 0;
}

static int make_pipe(int *ret_r, int *ret_w, Error *e) {
        int p[2];

        if (pipe2(p, O_CLOEXEC) < 0)
                return error_setf(e, -errno, "cannot make a pipe: %m");
        *ret_r = p[0];
        *ret_w = p[1];
        return 0;
}

static int spawn(PullWorker *w, const char *mode, int request_fd, const int files[N_FILES], Error *e) {
        _cleanup_close_ int body_w = -EBADF, meta_w = -EBADF;
        int r;

        r = make_pipe(&w->body_fd, &body_w, e);
        if (r >= 0)
                r = make_pipe(&w->meta_fd, &meta_w, e);
        if (r < 0)
                return r;
        (void) fcntl(body_w, F_SETPIPE_SZ, 1024 * 1024);
        return pull_worker_spawn(
                mode,
                (const int[]){ request_fd, body_w, STDERR_FILENO, meta_w, files[0], files[1], files[2] },
                FIRST_FILE + N_FILES, &w->process, e);
}

/**
 * pull_worker_start() - start rkt-pull with a request
 * @mode: as of pull_worker_spawn()
 * @q:    copied; what and within which limits. Without proxies of its own, those of the environment are used. Its files are
 *        read here, and need not be readable for the worker
 * @more: text that follows the request; may be empty
 * @ret:  for pull_worker_done()
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL, -E2BIG, -ESRCH (the worker's user does not exist), -ENOMEM, errno of open(), pipe() and fork().
 */
int pull_worker_start(const char *mode, const PullRequest *q, const char *more, PullWorker *ret, Error *e) {
        _cleanup_(proxy_settings_done) ProxySettings proxies = {};
        _cleanup_(pull_worker_done) PullWorker w = PULL_WORKER_INIT;
        _cleanup_close_ int request_r = -EBADF, request_w = -EBADF;
        _cleanup_(files_done) Files files = { .fds = { -EBADF, -EBADF, -EBADF } };
        PullRequest full = *q;
        int r;

        r = proxy_settings_from_environment(&proxies, e);
        if (r < 0)
                return r;
        full.proxy_http = q->proxy_http ? q->proxy_http : proxies.http;
        full.proxy_https = q->proxy_https ? q->proxy_https : proxies.https;
        full.no_proxy = q->no_proxy ? q->no_proxy : proxies.no_proxy;
        r = replace_files(&full, &files, e);
        if (r >= 0)
                r = make_pipe(&request_r, &request_w, e);
        if (r >= 0)
                r = write_request(&full, more, request_w, e);
        if (r < 0)
                return r;
        w.deadline = clock_usec(CLOCK_MONOTONIC) +
                     ((q->time_max_sec > 0 ? q->time_max_sec : PULL_TIME_MAX_SEC) + GRACE_SEC) * USEC_PER_SEC;
        r = spawn(&w, mode, request_r, files.fds, e);
        if (r < 0)
                return r;
        *ret = w;
        w = PULL_WORKER_INIT;
        return 0;
}
