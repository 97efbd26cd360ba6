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

#define PULL_REQUEST_MAX (60U * 1024) /* shorter than a pipe's buffer, so that writing it never waits */
#define PULL_META_MAX    (32U * 1024)
#define PULL_TEXT_MAX    9216U /* one line; a URL fits */
#define PULL_MAX_AGE_MAX (UINT64_C(365) * 24 * 3600)

/* The limits of a download. 0 means the named default; an upper bound of all is in the parser. */
#define PULL_SIZE_MAX        (UINT64_C(8) << 30) /* bytes of a body */
#define PULL_TIME_MAX_SEC    (12U * 3600)
#define PULL_CONNECT_MAX_SEC 20U          /* for name, connection and TLS together */
#define PULL_STALL_MAX_SEC   60U          /* less than PULL_STALL_RATE for so long is the end */
#define PULL_STALL_RATE      1024U        /* bytes per second */
#define PULL_HEADER_MAX      (64U * 1024) /* bytes of the headers of one answer */
#define PULL_REDIRECTS_MAX   10U
#define PULL_RETRIES_MAX     4U         /* of a connection that broke, see http.c */
#define PULL_NONE            UINT32_MAX /* for redirects_max and retries_max: not one */
#define PULL_WAIT_MAX_SEC    60U        /* the longest Retry-After that is waited for */

typedef struct PullRequest {
        char *url;
        char *etag;            /* ask only if it is another; or NULL */
        char **headers;        /* "Name: value", for the origin of url and no other; secrets; or NULL */
        uint64_t resume_from;  /* bytes that are here already; 0: none */
        char *resume_tag;      /* and belong to this version: a strong ETag or a date, quoted as it came */
        char *proxy_http;      /* for http:// URLs; or NULL. Secrets, too */
        char *proxy_https;     /* for https:// URLs; or NULL */
        char *no_proxy;        /* see proxy.h; or NULL */
        char **ca_files;       /* PEM: these authorities instead of the machine's; or NULL */
        char *cert_file;       /* PEM: who we are, for the origin of url and no other; or NULL */
        char *key_file;        /* PEM; set if cert_file is */
        bool allow_http;       /* plain http is allowed */
        bool insecure_tls;     /* certificates are not checked */
        uint64_t size_max;     /* bytes of the body */
        unsigned time_max_sec; /* for all of it, redirects and retries included */
        unsigned redirects_max;
        unsigned retries_max;
        unsigned connect_max_sec;
        unsigned stall_max_sec;
        unsigned header_max;
} PullRequest;

typedef struct PullHead {
        unsigned status;  /* 200, or 304 when an etag was given */
        char *url;        /* where the body came from, after redirects */
        char *etag;       /* or NULL */
        char *resume_tag; /* with which a part of the body can be asked for later; NULL: it can not */
        uint64_t offset;  /* where the body begins: 0, or resume_from */
        uint64_t length;  /* bytes of the whole, those before offset included; UINT64_MAX: unknown */
        uint64_t max_age; /* seconds, capped; 0: ask again every time */
} PullHead;

#define PULL_HEAD_INIT ((PullHead){ .length = UINT64_MAX })

typedef enum PullLineType {
        PULL_LINE_HEAD,     /* one more line of the head was taken */
        PULL_LINE_HEAD_END, /* the head is complete */
        PULL_LINE_END,      /* the body is complete */
} PullLineType;

void pull_request_done(PullRequest *r);
int pull_request_copy(const PullRequest *r, PullRequest *ret);
int pull_request_write(const PullRequest *r, char **ret);
int pull_request_parse(const char *data, size_t size, PullRequest *ret, Error *e);
void pull_head_done(PullHead *h);
int pull_head_write(const PullHead *h, char **ret);
int pull_meta_parse_line(const char *line, PullHead *h, uint64_t *ret_size, Error *e);
uint64_t pull_parse_max_age(const char *cache_control);
bool pull_text_is_plain(const char *s);
