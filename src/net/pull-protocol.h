/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What rkt and its worker rkt-pull say to each other: lines of text over pipes.
 *
 *   descriptor 0, request:  "url https://...\n" "accept-http 1\n" ... "\n", then end of file
 *   descriptor 1, body:     the bytes of the body as stored on the server, nothing else
 *   descriptor 3, meta:     "status 200\n" "url https://...\n" "etag ...\n" "length 123\n" ... "\n" once the final headers
 *                           are there, then "end 123\n" (bytes of the body) or "error 111 host 'x' is unreachable\n"
 *
 * Without an "end" line the body is not complete, whatever else was said. Neither side trusts the other with more than
 * the limits below. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "basic/alloc.h"
#include "basic/error.h"
#include "basic/parse.h"

#define PULL_REQUEST_MAX (32U * 1024)
#define PULL_META_MAX    (32U * 1024)
#define PULL_TEXT_MAX    9216U /* one line; a URL fits */
#define PULL_MAX_AGE_MAX (UINT64_C(365) * 24 * 3600)

typedef struct PullRequest {
        char *url;
        char *etag;            /* ask only if it is another; or NULL */
        bool allow_http;       /* plain http is allowed */
        bool insecure_tls;     /* certificates are not checked */
        uint64_t size_max;     /* bytes of the body */
        unsigned time_max_sec; /* for all of it, redirects included */
        unsigned redirects_max;
} PullRequest;

typedef struct PullHead {
        unsigned status;  /* 200, or 304 when an etag was given */
        char *url;        /* where the body came from, after redirects */
        char *etag;       /* or NULL */
        uint64_t length;  /* bytes; UINT64_MAX: unknown */
        uint64_t max_age; /* seconds, capped; 0: ask again every time */
} PullHead;

#define PULL_HEAD_INIT ((PullHead){ .length = UINT64_MAX })

typedef enum PullLineType {
        PULL_LINE_HEAD,     /* one more line of the head was taken */
        PULL_LINE_HEAD_END, /* the head is complete */
        PULL_LINE_END,      /* the body is complete */
} PullLineType;

void pull_request_done(PullRequest *r);
int pull_request_write(const PullRequest *r, char **ret);
int pull_request_parse(const char *data, size_t size, PullRequest *ret, Error *e);
void pull_head_done(PullHead *h);
int pull_head_write(const PullHead *h, char **ret);
int pull_meta_parse_line(const char *line, PullHead *h, uint64_t *ret_size, Error *e);
uint64_t pull_parse_max_age(const char *cache_control);
bool pull_text_is_plain(const char *s);
