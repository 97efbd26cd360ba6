/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A reference becomes a verified image in the store: resolve, fetch, verify, import, by pull policy. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "basic/error.h"

typedef struct Store Store; /* store/store.h */

/* How eagerly the network is asked. */
typedef enum ImagePull {
        IMAGE_PULL_MISSING, /* only if the store has no such image (rkt: new) */
        IMAGE_PULL_NEWER,   /* ask whether there is a newer one; fetch if so (rkt: update) */
        IMAGE_PULL_ALWAYS,  /* fetch again, whatever the server says of its age */
        IMAGE_PULL_NEVER,   /* the store only */
        _IMAGE_PULL_MAX,
        _IMAGE_PULL_INVALID = -EINVAL,
} ImagePull;

ImagePull image_pull_from_string(const char *s);
const char *image_pull_to_string(ImagePull p);

/* Called as work goes on; never from another thread. total is 0 when the size is not known. */
typedef void (*ImageProgressFunc)(void *userdata, const char *what, uint64_t done, uint64_t total);
/* Called with one sentence for people ("using image from local store for image name example.com/app"). */
typedef void (*ImageMessageFunc)(void *userdata, const char *message);

typedef struct ImageGetOptions {
        ImagePull pull;
        unsigned insecure;         /* bits of basic/insecure.h */
        const char *signature;     /* path of a detached signature; NULL: beside the image (.asc) */
        const char *system_config; /* NULL: /usr/lib/rkt */
        const char *local_config;  /* NULL: /etc/rkt */
        bool trust_keys_from_https;
        ImageProgressFunc progress; /* or NULL */
        ImageMessageFunc message;   /* or NULL */
        void *userdata;
} ImageGetOptions;

int image_get(Store *store, const char *reference, const ImageGetOptions *options, char **ret_id, Error *e);
