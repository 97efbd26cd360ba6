/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests of one worker to one server and to those it names. All run within one deadline, that of the first. */
#include <inttypes.h>
#include <poll.h>

#include "basic/clock.h"
#include "basic/str.h"
#include "net/http-hop.h"
#include "net/http-session.h"

struct HttpSession {
        HttpHop hop;
        Error error; /* of the call at hand */
        const HttpCall *call;
        HttpAnswer *answer;
        StrBuf body;
        bool cut; /* enough of an error's body is here */
};

/**
 * http_answer_done() - free what an answer holds
 * @a: is HTTP_ANSWER_INIT afterwards
 */
void http_answer_done(HttpAnswer *a) {
        http_head_done(&a->head);
        free(a->url);
        free(a->body);
        *a = HTTP_ANSWER_INIT;
}

static bool is_redirect(unsigned status) {
        return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static int on_answer(void *userdata, unsigned status) {
        HttpSession *s = userdata;
        const HttpHead *h = &s->hop.head;

        s->answer->status = status;
        s->hop.take_body = !is_redirect(status) && !s->call->head;
        if (h->chunked && h->length != UINT64_MAX)
                return error_setf(s->hop.e, -EBADMSG, "the server gives two different lengths for '%s'",
                                  s->hop.text);
        if (status == 206)
                return error_setf(s->hop.e, -EBADMSG, "the server sends a part of '%s' that nobody asked for",
                                  s->hop.text);
        if (s->hop.take_body && status < 300 && h->length != UINT64_MAX && h->length > s->call->body_max)
                return error_setf(s->hop.e, -EFBIG, "'%s' has %" PRIu64 " bytes, more than the limit of %zu",
                                  s->hop.text, h->length, s->call->body_max);
        return 0;
}

static int on_body(void *userdata, const void *data, size_t size) {
        HttpSession *s = userdata;
        bool is_error = s->answer->status >= 300;
        size_t max = is_error ? HTTP_ERROR_BODY_MAX : s->call->body_max;

        if (size > max - s->body.size) {
                if (!is_error)
                        return error_setf(s->hop.e, -EFBIG, "'%s' has more than %zu bytes", s->hop.text, max);
                s->cut = true;
                size = max - s->body.size;
        }
        strbuf_add_n(&s->body, data, size);
        if (s->body.failed)
                return error_oom(s->hop.e);
        return s->cut ? -ECANCELED : 0;
}

/**
 * http_session_free() - close its connections
 * @s: may be NULL
 *
 * Return: NULL.
 */
HttpSession *http_session_free(HttpSession *s) {
        if (!s)
                return NULL;
        http_hop_done(&s->hop);
        error_done(&s->error);
        strbuf_done(&s->body);
        free(s);
        return NULL;
}

/**
 * http_session_new() - a session
 * @q:   limits (time_max_sec is for all calls together), permissions, proxies; our certificate is for the origin of its URL.
 *       It must live as long as the session
 * @ret: for http_session_free()
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, -ENOMEM, -EIO, those of url_parse().
 */
int http_session_new(const PullRequest *q, HttpSession **ret, Error *e) {
        _cleanup_(http_session_freep) HttpSession *s = new0(HttpSession, 1);
        int r;

        if (!s)
                return error_oom(e);
        s->hop = (HttpHop){ .request = q,
                            .e = &s->error,
                            .deadline = clock_usec(CLOCK_MONOTONIC) + q->time_max_sec * USEC_PER_SEC,
                            .on_answer = on_answer,
                            .on_body = on_body,
                            .userdata = s };
        r = url_parse(q->url, &s->hop.client, e);
        if (r < 0)
                return r;
        if (http_hop_init(&s->hop) < 0)
                return error_setf(e, -EIO, "libcurl does not start");
        *ret = TAKE_PTR(s);
        return 0;
}

static int set_method(HttpSession *s) {
        const HttpCall *c = s->call;
        CURL *curl = s->hop.curl;
        CURLcode code;

        if (c->form) {
                code = curl_easy_setopt(curl, CURLOPT_NOBODY, 0L);
                if (code == CURLE_OK)
                        code = curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long) strlen(c->form));
                if (code == CURLE_OK)
                        code = curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, c->form);
        } else {
                code = curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
                if (code == CURLE_OK && c->head)
                        code = curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
        }
        return code == CURLE_OK ? 0 : error_setf(s->hop.e, -EIO, "libcurl does not take a request");
}

static int add_header(HttpSession *s, const char *name, const char *value) {
        _cleanup_free_ char *text = NULL;
        int r;

        if (!value)
                return 0;
        text = strf("%s: %s", name, value);
        if (!text)
                return error_oom(s->hop.e);
        r = http_hop_add_header(&s->hop, text);
        explicit_bzero(text, strlen(text));
        return r;
}

/* The secret goes to the origin that it is for, wherever we were sent. */
static int set_headers(HttpSession *s, const Url *origin) {
        int r;

        http_hop_clear_headers(&s->hop);
        r = add_header(s, "Accept", s->call->accept);
        if (r >= 0 && url_same_origin(origin, s->hop.url))
                r = add_header(s, "Authorization", s->call->authorization);
        return r;
}

static int one_hop(HttpSession *s, const Url *origin) {
        int r;

        r = set_headers(s, origin);
        if (r < 0)
                return r;
        s->cut = false;
        r = http_hop_perform(&s->hop);
        if (r == -ECANCELED && s->cut)
                r = 0;
        if (r < 0 || !is_redirect(s->answer->status))
                return r;
        if (s->call->form)
                return error_setf(s->hop.e, -EBADMSG, "the server redirects '%s', which must not be",
                                  s->hop.text);
        r = http_hop_redirect(&s->hop);
        return r < 0 ? r : 1;
}

static int call(HttpSession *s) {
        _cleanup_(url_freep) Url *origin = NULL;
        int r;

        r = url_parse(s->call->url, &origin, s->hop.e);
        if (r >= 0)
                r = http_hop_go_to(&s->hop, s->call->url);
        if (r >= 0)
                r = set_method(s);
        if (r < 0)
                return r;
        s->hop.n_hops = s->call->stranger ? 1 : 0;
        do
                r = one_hop(s, origin);
        while (r > 0);
        return r;
}

static int take_answer(HttpSession *s, HttpAnswer *a) {
        a->head = s->hop.head;
        s->hop.head = HTTP_HEAD_INIT;
        a->size = s->body.size;
        a->url = strdup(s->hop.text);
        strbuf_add(&s->body, "");
        if (!a->url || strbuf_steal(&s->body, &a->body) < 0)
                return error_oom(s->hop.e);
        return 0;
}

/**
 * http_session_call() - one request, its redirects followed
 * @s:   a session
 * @c:   what to ask
 * @ret: for http_answer_done(); any status that is no redirect
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, -EFBIG (body), -EBADMSG, and those of http_hop_perform() and http_hop_redirect().
 */
int http_session_call(HttpSession *s, const HttpCall *c, HttpAnswer *ret, Error *e) {
        int r;

        *ret = HTTP_ANSWER_INIT;
        s->call = c;
        s->answer = ret;
        strbuf_done(&s->body);
        s->body = STRBUF_INIT;
        error_done(&s->error);
        r = call(s);
        http_hop_clear_headers(&s->hop);
        if (r >= 0)
                r = take_answer(s, ret);
        s->call = NULL;
        s->answer = NULL;
        if (r >= 0)
                return 0;
        http_answer_done(ret);
        *ret = HTTP_ANSWER_INIT;
        return error_setf(e, r, "%s", error_text(&s->error, r));
}

/**
 * http_session_wait() - do nothing for a while, because the server said so
 * @s:   a session, whose deadline is kept
 * @sec: seconds
 */
void http_session_wait(const HttpSession *s, unsigned sec) {
        const usec_t now = clock_usec(CLOCK_MONOTONIC);
        usec_t left = s->hop.deadline > now ? s->hop.deadline - now : 0;

        (void) poll(NULL, 0, (int) (MIN(left, sec * USEC_PER_SEC) / 1000));
}
