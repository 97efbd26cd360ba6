/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The headers of one HTTP answer, as far as they mean anything to us. Pure text; every byte is the server's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "basic/error.h"

#define HTTP_NO_DATE INT64_MIN

typedef struct HttpHead {
        char *etag;          /* as it came, quotes included; NULL: none */
        char *last_modified; /* as it came; NULL: none */
        char *location;      /* NULL: none */
        int64_t modified;    /* seconds since 1970, HTTP_NO_DATE: none, or unreadable */
        int64_t date;
        uint64_t length;      /* of the body; UINT64_MAX: not said */
        uint64_t range_start; /* with has_range: the bytes that the body is */
        uint64_t range_end;   /* the last one */
        uint64_t range_total; /* UINT64_MAX: not said */
        uint64_t max_age;     /* seconds, capped; 0: ask again every time */
        uint64_t retry_after; /* seconds; UINT64_MAX: not said as a number */
        int64_t retry_date;   /* the same as a date; HTTP_NO_DATE: not said so */
        char **challenges;    /* WWW-Authenticate, one per header; NULL: none */
        char *content_type;   /* NULL: none */
        char *content_digest; /* Docker-Content-Digest; NULL: none */
        char *link;           /* NULL: none */
        char *warning;        /* NULL: none */
        char *rate_remaining; /* RateLimit-Remaining; NULL: none */
        bool has_range;
        bool chunked;
        bool no_ranges; /* says that it does not do parts */
} HttpHead;

#define HTTP_HEAD_INIT                                                                                       \
        ((HttpHead){ .modified = HTTP_NO_DATE,                                                               \
                     .date = HTTP_NO_DATE,                                                                   \
                     .length = UINT64_MAX,                                                                   \
                     .range_total = UINT64_MAX,                                                              \
                     .retry_after = UINT64_MAX,                                                              \
                     .retry_date = HTTP_NO_DATE })

void http_head_done(HttpHead *h);
int http_head_line(HttpHead *h, char *line, Error *e);
uint64_t http_head_retry_after(const HttpHead *h);
const char *http_head_resume_tag(const HttpHead *h);
