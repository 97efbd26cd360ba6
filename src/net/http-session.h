/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many small requests over connections that stay open, with every status and header visible: for protocols, where a 401 is
 * an answer. Runs in rkt-pull only. */
#pragma once

#include "net/http-head.h"
#include "net/pull-protocol.h"

#define HTTP_ERROR_BODY_MAX (16U * 1024) /* bytes of the body of a status from 300 on; the rest is cut off */

typedef struct HttpSession HttpSession;

typedef struct HttpCall {
        const char *url;
        bool head;                 /* HEAD; else GET, or POST with a form */
        const char *form;          /* application/x-www-form-urlencoded; or NULL */
        const char *accept;        /* media types; or NULL */
        const char *authorization; /* for the origin of url and no other; secret; or NULL */
        size_t body_max;           /* bytes; more is an error */
        bool stranger;             /* the URL comes from the server, as if it had redirected there */
} HttpCall;

typedef struct HttpAnswer {
        unsigned status; /* 200 to 999; redirects are followed */
        HttpHead head;
        char *url;  /* whose answer it is */
        char *body; /* @size bytes and a NUL; not NULL */
        size_t size;
} HttpAnswer;

#define HTTP_ANSWER_INIT ((HttpAnswer){ .head = HTTP_HEAD_INIT })

int http_session_new(const PullRequest *q, HttpSession **ret, Error *e);
HttpSession *http_session_free(HttpSession *s);
DEFINE_CLEANUP(HttpSession *, http_session_free);
int http_session_call(HttpSession *s, const HttpCall *c, HttpAnswer *ret, Error *e);
void http_session_wait(const HttpSession *s, unsigned sec);
void http_answer_done(HttpAnswer *a);
