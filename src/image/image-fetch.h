/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One file or URL becomes an image: its bytes flow once, into gpgv and into the store, and become visible only when both
 * are content. */
#pragma once

#include "config/config.h"
#include "image/image-get.h"
#include "image/image-name.h"
#include "image/keyring.h"
#include "manifest/image-manifest.h"
#include "net/pull-protocol.h"
#include "store/store-ref.h"

#define SIGNATURE_TIME_MAX_SEC 120U
#define SIGNATURE_TRIES_MAX    5U /* a server may answer 202: not there yet */

typedef struct ImageFetch {
        Store *store;
        const ImageGetOptions *options;
        const ImageName *asked;         /* what the manifest must match; NULL: anything */
        const Keyring *keyring;         /* NULL: signatures are not checked */
        Config *config;                 /* for credentials; NULL: not needed yet */
        const AcDependency *dependency; /* this is one, and must be what it says; then any platform will do */
        const char *os, *arch;          /* to look for, where the name does not say; NULL: this machine's */
} ImageFetch;

void image_message(const ImageGetOptions *o, const char *format, ...) _printf_(2, 3);
int image_fetch_lock(Store *s, const char *what, bool wait, int *ret_fd, Error *e);
int image_fetch_request(const ImageFetch *f, const char *url, PullRequest *ret, Error *e);
int image_fetch_file(const ImageFetch *f, const char *path, char **ret_id, Error *e);
int image_fetch_url(const ImageFetch *f, const char *url, const char *signature_url, char **ret_id, Error *e);
int image_fetch_name(ImageFetch *f, const ImageName *name, const char *reference, Keyring **keyring,
                     char **ret_id, Error *e);
