/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One GET by libcurl, redirects followed by our own rules. Runs in rkt-pull only: nothing else links libcurl. */
#pragma once

#include "net/pull-protocol.h"

/* Where an answer goes. Both return 0 or a negative errno, which ends the transfer. */
typedef struct HttpSink {
        int (*head)(void *userdata, const PullHead *head, Error *e);
        int (*body)(void *userdata, const void *data, size_t size, Error *e);
        void *userdata;
} HttpSink;

int http_get(const PullRequest *q, const HttpSink *sink, uint64_t *ret_size, Error *e);
