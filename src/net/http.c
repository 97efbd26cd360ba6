/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One body by HTTP, however long, wherever the server says it is; what is secret goes to the origin that it is for and to no
 * other.
 *
 * A connection that breaks in the middle of a body is made again, from the first URL on, for the bytes that are missing:
 * Range, and If-Range with the tag of the first answer. Only a 206 of the same version is a continuation. Anything else
 * means that the file was changed meanwhile, -ESTALE, and whoever asked begins anew; two versions are never mixed. */
#include <inttypes.h>
#include <poll.h>

#include "basic/clock.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "net/http-hop.h"
#include "net/http.h"

#define RETRY_WAIT_MSEC 250U  /* before the first retry; doubled each time ... */
#define RETRY_WAIT_MAX  8000U /* ... up to this */

typedef struct Transfer {
        HttpHop hop; /* at hand */
        const PullRequest *request;
        const HttpSink *sink;
        Error *e;
        Url *origin;       /* whom the secret headers are for */
        bool whole;        /* this attempt asks for everything, although a part is here */
        bool retryable;    /* what went wrong may go well the next time */
        unsigned wait_sec; /* because the server said so */

        PullHead given; /* to the sink */
        bool head_given;
        uint64_t n_body;
} Transfer;

static void transfer_done(Transfer *t) {
        http_hop_done(&t->hop);
        (void) url_free(t->origin);
        pull_head_done(&t->given);
}

/* Where the next byte belongs. */
static uint64_t position(const Transfer *t) {
        return t->given.offset + t->n_body;
}

/* The bytes that are here and need not come again: those of earlier, and those that came before the connection broke. */
static uint64_t wanted_start(const Transfer *t) {
        if (t->head_given)
                return position(t);
        return t->whole ? 0 : t->request->resume_from;
}

static const char *wanted_tag(const Transfer *t) {
        return t->head_given ? t->given.resume_tag : t->request->resume_tag;
}

static int changed(Transfer *t) {
        return error_setf(t->e, -ESTALE, "'%s' was changed on the server while it was being downloaded",
                          t->hop.text);
}

static int later(Transfer *t, unsigned status) {
        const uint64_t sec = http_head_retry_after(&t->hop.head);

        if (sec == UINT64_MAX && !t->head_given)
                return error_setf(t->e, -EBUSY,
                                  "the server is too busy for '%s' (bad HTTP status code: %u); try later",
                                  t->hop.text, status);
        if (sec != UINT64_MAX && sec > PULL_WAIT_MAX_SEC)
                return error_setf(t->e, -EBUSY,
                                  "the server is too busy for '%s' (bad HTTP status code: %u), and wants to "
                                  "be asked again "
                                  "in %" PRIu64 " seconds; that is longer than rkt waits",
                                  t->hop.text, status, sec);
        t->retryable = true;
        t->wait_sec = sec != UINT64_MAX ? (unsigned) sec : 0;
        return error_setf(t->e, -EBUSY, "the server is too busy for '%s' (bad HTTP status code: %u)",
                          t->hop.text, status);
}

static int refused(Transfer *t, unsigned status) {
        if (status == 404 || status == 410)
                return error_setf(t->e, -ENOENT,
                                  "'%s' does not exist on the server (bad HTTP status code: %u)", t->hop.text,
                                  status);
        if (status == 401 || status == 403)
                return error_setf(t->e, -EACCES,
                                  "the server refuses '%s' to us (bad HTTP status code: %u); credentials for "
                                  "it belong into "
                                  "auth.d, see rkt-config(5)",
                                  t->hop.text, status);
        if (status == 407)
                return error_setf(t->e, -EACCES,
                                  "the proxy %s refuses us (bad HTTP status code: 407); it wants a user name "
                                  "and a password "
                                  "in its URL: http://USER:PASSWORD@HOST:PORT",
                                  t->hop.proxy.url ? t->hop.proxy.url : "on the way");
        if (status == 202)
                return error_setf(t->e, -EAGAIN,
                                  "the server has not made '%s' yet (bad HTTP status code: 202)",
                                  t->hop.text);
        if (status == 429 || status == 503)
                return later(t, status);
        /* A gateway that lost its server for a moment. */
        t->retryable = t->head_given && status >= 500 && status <= 504;
        return error_setf(t->e, -EBADMSG, "cannot get '%s' (bad HTTP status code: %u)", t->hop.text, status);
}

static int check_size(Transfer *t, uint64_t size) {
        if (size != UINT64_MAX && size > t->request->size_max)
                return error_setf(t->e, -EFBIG, "'%s' has %" PRIu64 " bytes, more than the limit of %" PRIu64,
                                  t->hop.text, size, t->request->size_max);
        return 0;
}

/* The first answer that counts: tell the sink. */
static int give_head(Transfer *t, unsigned status, uint64_t offset, uint64_t length) {
        const char *tag = length != UINT64_MAX ? http_head_resume_tag(&t->hop.head) : NULL;
        int r;

        r = check_size(t, length);
        if (r < 0)
                return r;
        t->given.status = status;
        t->given.offset = offset;
        t->given.length = length;
        t->given.max_age = t->hop.head.max_age;
        if (str_replace(&t->given.url, t->hop.text) < 0 ||
            (t->hop.head.etag && str_replace(&t->given.etag, t->hop.head.etag) < 0) ||
            (tag && str_replace(&t->given.resume_tag, tag) < 0))
                return error_oom(t->e);
        t->head_given = true;
        return t->sink->head(t->sink->userdata, &t->given, t->e);
}

static int on_whole(Transfer *t) {
        if (t->hop.head.chunked && t->hop.head.length != UINT64_MAX)
                return error_setf(t->e, -EBADMSG, "the server gives two different lengths for '%s'",
                                  t->hop.text);
        if (t->head_given)
                return changed(t);
        t->hop.take_body = true;
        return give_head(t, 200, 0, t->hop.head.length);
}

/* A part is only taken if it is the one that was asked for, of the version that the other part is of. */
static int on_part(Transfer *t) {
        const HttpHead *h = &t->hop.head;
        const uint64_t start = wanted_start(t);
        const char *tag = http_head_resume_tag(h);

        if (start == 0)
                return error_setf(t->e, -EBADMSG, "the server sends a part of '%s' that nobody asked for",
                                  t->hop.text);
        if (!h->has_range || h->range_start != start || h->range_total == UINT64_MAX ||
            h->range_end != h->range_total - 1 ||
            (h->length != UINT64_MAX && h->length != h->range_total - start))
                return error_setf(t->e, -EBADMSG, "the server sends another part of '%s' than was asked for",
                                  t->hop.text);
        if (tag && !streq(tag, wanted_tag(t)))
                return changed(t);
        t->hop.take_body = true;
        if (t->head_given)
                return h->range_total == t->given.length ? 0 : changed(t);
        if (!tag && str_replace(&t->given.resume_tag, wanted_tag(t)) < 0)
                return error_oom(t->e);
        return give_head(t, 200, start, h->range_total);
}

/* What is here is longer than what the server has. */
static int on_no_such_part(Transfer *t) {
        if (t->head_given)
                return changed(t);
        if (wanted_start(t) == 0)
                return refused(t, 416);
        t->whole = true;
        t->retryable = true;
        return error_setf(t->e, -ESTALE, "'%s' was changed on the server", t->hop.text);
}

static int on_answer(void *userdata, unsigned status) {
        Transfer *t = userdata;

        switch (status) {
        case 200: return on_whole(t);
        case 206: return on_part(t);
        case 304:
                if (!t->request->etag || t->head_given)
                        return refused(t, 304);
                return give_head(t, 304, 0, UINT64_MAX);
        case 416: return on_no_such_part(t);
        default: return status >= 300 && status < 400 ? 0 : refused(t, status);
        }
}

static int on_body(void *userdata, const void *data, size_t size) {
        Transfer *t = userdata;

        if (size > t->request->size_max - position(t))
                return error_setf(t->e, -EFBIG, "'%s' has more than %" PRIu64 " bytes", t->hop.text,
                                  t->request->size_max);
        t->n_body += size;
        return t->sink->body(t->sink->userdata, data, size, t->e);
}

static int truncated(Transfer *t) {
        return error_setf(t->e, -ECONNRESET,
                          "'%s' is truncated: the connection ended after %" PRIu64 " of %" PRIu64 " bytes",
                          t->hop.text, position(t), t->given.length);
}

/* Secrets only for the origin that they are for, however we came here. */
static int set_headers(Transfer *t) {
        const PullRequest *q = t->request;
        _cleanup_free_ char *etag = NULL, *range = NULL, *if_range = NULL;
        const uint64_t start = wanted_start(t);
        int r = 0;

        http_hop_clear_headers(&t->hop);
        if (url_same_origin(t->origin, t->hop.url))
                for (char **h = q->headers; h && *h && r >= 0; h++)
                        r = http_hop_add_header(&t->hop, *h);
        if (r >= 0 && q->etag && !t->head_given) {
                etag = strf("If-None-Match: %s", q->etag);
                r = etag ? http_hop_add_header(&t->hop, etag) : error_oom(t->e);
        }
        if (r >= 0 && start > 0) {
                range = strf("Range: bytes=%" PRIu64 "-", start);
                if_range = strf("If-Range: %s", wanted_tag(t));
                if (!range || !if_range)
                        return error_oom(t->e);
                r = http_hop_add_header(&t->hop, range);
                if (r >= 0)
                        r = http_hop_add_header(&t->hop, if_range);
        }
        return r;
}

static int check_whole(Transfer *t) {
        if (!t->hop.take_body || t->given.length == UINT64_MAX || position(t) == t->given.length)
                return 0;
        t->retryable = true;
        return truncated(t);
}

/* One request and its answer; taken: it is the last. */
static int one_hop(Transfer *t, bool *ret_taken) {
        int r;

        r = set_headers(t);
        if (r >= 0)
                r = http_hop_perform(&t->hop);
        if (r < 0) {
                if (http_hop_is_broken(&t->hop))
                        t->retryable = t->head_given;
                return t->hop.code == CURLE_PARTIAL_FILE ? truncated(t) : r;
        }
        *ret_taken = t->hop.take_body || t->given.status == 304;
        return *ret_taken ? check_whole(t) : http_hop_redirect(&t->hop);
}

/* From the first URL on: where it points may have moved, or be good for a minute only. */
static int attempt(Transfer *t) {
        bool taken = false;
        int r;

        r = http_hop_go_to(&t->hop, t->request->url);
        t->hop.n_hops = 0;
        t->retryable = false;
        t->wait_sec = 0;
        while (r >= 0 && !taken)
                r = one_hop(t, &taken);
        return r;
}

/* A body that cannot be continued is not begun again: the sink has its beginning. */
static bool may_retry(const Transfer *t, unsigned n) {
        if (!t->retryable || n >= t->request->retries_max || (t->head_given && !t->given.resume_tag))
                return false;
        return clock_usec(CLOCK_MONOTONIC) + t->wait_sec * USEC_PER_SEC < t->hop.deadline;
}

static int attempts(Transfer *t) {
        int r;

        for (unsigned n = 0;; n++) {
                unsigned msec = n < 6 ? MIN(RETRY_WAIT_MSEC << n, RETRY_WAIT_MAX) : RETRY_WAIT_MAX;
                bool restart = t->whole;

                r = attempt(t);
                if (r >= 0)
                        return 0;
                if (t->whole && !restart) /* 416: at once, and not counted */
                        continue;
                if (!may_retry(t, n))
                        return n > 0 && t->retryable
                                       ? error_setf(t->e, r, "%s; tried %u times", error_text(t->e, r), n + 1)
                                       : r;
                (void) poll(NULL, 0, (int) (t->wait_sec > 0 ? t->wait_sec * 1000 : msec));
        }
}

/**
 * http_get() - get one URL
 * @q:        what and within which limits, all of them set
 * @sink:     gets the head once, then the body piece by piece
 * @ret_size: bytes of the body that the sink got
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0, -EPERM (plain http, redirect that is not allowed), -ENOENT (404), -EACCES (401, 403, 407), -EAGAIN (202),
 * -EBUSY (429, 503), -EHOSTUNREACH, -ETIMEDOUT, -EKEYREJECTED (certificate), -ECONNRESET (broken, truncated), -ESTALE (another
 * version than the one that was begun), -EFBIG, -E2BIG (headers), -ELOOP, -EBADMSG, -EPROTO, -EIO, or what a sink returned.
 */
int http_get(const PullRequest *q, const HttpSink *sink, uint64_t *ret_size, Error *e) {
        _cleanup_error_ Error own = ERROR_INIT;
        _cleanup_(transfer_done)
                Transfer t = { .request = q, .sink = sink, .e = e ? e : &own, .given = PULL_HEAD_INIT };
        int r;

        t.hop = (HttpHop){ .request = q,
                           .e = t.e,
                           .deadline = clock_usec(CLOCK_MONOTONIC) + q->time_max_sec * USEC_PER_SEC,
                           .on_answer = on_answer,
                           .on_body = on_body,
                           .userdata = &t };
        r = url_parse(q->url, &t.origin, t.e);
        if (r >= 0)
                r = url_parse(q->url, &t.hop.client, t.e);
        if (r >= 0)
                r = http_hop_init(&t.hop);
        if (r >= 0)
                r = attempts(&t);
        if (r >= 0)
                *ret_size = t.n_body;
        return r;
}
