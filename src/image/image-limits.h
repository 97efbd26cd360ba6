/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How much an image may cost: the limits of a download and of an archive, by name, with their defaults. */
#pragma once

#include "net/pull-protocol.h"
#include "store/store-import.h"

#define IMAGE_LAYERS_DEFAULT 3U
#define IMAGE_LAYERS_MAX     16U

typedef struct ImageLimits {
        uint64_t download_size;   /* bytes */
        unsigned download_sec;    /* for all of it */
        unsigned connect_sec;     /* name, connection, TLS */
        unsigned stall_sec;       /* with less than PULL_STALL_RATE */
        unsigned redirects;       /* PULL_NONE: not one */
        unsigned retries;         /* PULL_NONE: not one */
        unsigned header_size;     /* bytes of the headers of one answer */
        StoreImportLimits import; /* of the archive */
        uint64_t layers;          /* of an OCI image: so many are downloaded at the same time */
} ImageLimits;

#define IMAGE_LIMITS_DEFAULT                                                                                 \
        ((ImageLimits){                                                                                      \
                .download_size = PULL_SIZE_MAX,                                                              \
                .download_sec = PULL_TIME_MAX_SEC,                                                           \
                .connect_sec = PULL_CONNECT_MAX_SEC,                                                         \
                .stall_sec = PULL_STALL_MAX_SEC,                                                             \
                .redirects = PULL_REDIRECTS_MAX,                                                             \
                .retries = PULL_RETRIES_MAX,                                                                 \
                .header_size = PULL_HEADER_MAX,                                                              \
                .import = STORE_IMPORT_LIMITS_DEFAULT,                                                       \
                .layers = IMAGE_LAYERS_DEFAULT,                                                              \
        })

int image_limits_parse(ImageLimits *l, const char *text, Error *e);
int image_limits_parse_all(ImageLimits *l, char *const *texts, Error *e);
