/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A reference becomes a verified image in the store: resolve, fetch, verify, import, by pull policy. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "basic/error.h"
#include "basic/insecure.h"
#include "image/image-limits.h"
#include "image/image-name.h"
#include "podfile/pod-spec.h"
#include "store/store-ref.h"
#include "store/store.h"

/* Called as work goes on, at most ten times a second; never from another thread. total is 0 when the size is not known. */
typedef void (*ImageProgressFunc)(void *userdata, const char *what, uint64_t done, uint64_t total);
/* Called with one sentence for people ("using image from local store for image name example.com/app"). */
typedef void (*ImageMessageFunc)(void *userdata, const char *message);

typedef struct ImageGetOptions {
        PullPolicy pull;
        InsecureFlags insecure;
        const char *signature;     /* path of a detached signature; NULL: beside the image (.asc) */
        const char *system_config; /* NULL: /usr/lib/rkt */
        const char *local_config;  /* NULL: /etc/rkt */
        const char *user_config;   /* NULL or "": none */
        const ImageLimits *limits; /* NULL: the defaults */
        bool trust_keys_from_https; /* trust the keys that discovery names, when none is trusted for the name yet */
        bool check_stored;          /* a layer in the store is read, and fetched again if it is damaged */
        bool any_platform;          /* an image for another os or arch is only remarked upon */
        ImageProgressFunc progress; /* or NULL */
        ImageMessageFunc message;   /* or NULL */
        void *userdata;
} ImageGetOptions;

int image_get(Store *store, const char *reference, const ImageGetOptions *options, char **ret_id, Error *e);
int image_changed(const char *reference, const ImageGetOptions *options, const char *digest, Error *e);
int image_find(Store *store, const char *reference, StoreImage *ret, Error *e);
int image_find_name(Store *store, const ImageName *name, StoreImage *ret, Error *e);
