/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What goes with every request that is made for an image, its signature, its keys or its discovery page. */
#pragma once

#include "basic/insecure.h"
#include "config/config.h"
#include "image/image-limits.h"
#include "net/pull-protocol.h"

typedef struct RequestOptions {
        const Config *config;      /* whose credentials are used; NULL: none */
        const ImageLimits *limits; /* NULL: the defaults */
        bool allow_http;
        bool insecure_tls;
} RequestOptions;

int request_init(PullRequest *ret, const char *url, const RequestOptions *o, Error *e);
