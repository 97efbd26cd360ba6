/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One request and its answer over a libcurl handle that is used again and again: what http.c (one body, however long) and
 * http-session.c (many small ones) have in common. Runs in rkt-pull only. */
#pragma once

#include <curl/curl.h>

#include "net/http-head.h"
#include "net/proxy.h"
#include "net/pull-protocol.h"
#include "net/url.h"

/* Whoever embeds it sets the callbacks; both return 0 or a negative errno with a sentence, which ends the transfer. */
typedef struct HttpHop {
        CURL *curl;
        const PullRequest *request;                        /* limits, proxies, permissions */
        Error *e;                                          /* not NULL */
        usec_t deadline;                                   /* CLOCK_MONOTONIC */
        int (*on_answer)(void *userdata, unsigned status); /* all headers are there; not of 1xx */
        int (*on_body)(void *userdata, const void *data, size_t size);
        void *userdata;
        Url *client; /* the certificate of ours is for this origin; NULL: for any */

        Url *url;                   /* at hand */
        char *text;                 /* the same as text */
        struct curl_slist *headers; /* to be sent */
        Proxy proxy;                /* without url: none */
        HttpHead head;              /* of the answer */
        bool take_body;             /* set by on_answer: on_body wants what follows */

        unsigned n_hops;     /* 0: not redirected */
        bool first_is_local; /* the first host was this machine, or on this link: then others may be too */
        size_t n_header_bytes;
        unsigned n_header_lines;
        CURLcode code; /* how it ended */
        int r;         /* first failure of ours */
        char curl_error[CURL_ERROR_SIZE];
} HttpHop;

int http_hop_init(HttpHop *h);
void http_hop_done(HttpHop *h);
int http_hop_go_to(HttpHop *h, const char *url);
void http_hop_clear_headers(HttpHop *h);
int http_hop_add_header(HttpHop *h, const char *text);
int http_hop_perform(HttpHop *h);
int http_hop_redirect(HttpHop *h);
bool http_hop_is_broken(const HttpHop *h);
