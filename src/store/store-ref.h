/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an image is called and where it came from: one small JSON file per image, one per remote URL.
 *
 * cas/ref/image/KEY.NAMEHASH: exactly one per image; writing it makes the image exist, removing it ends it. The hash of
 * the name in the file name keeps a search for a name from reading every file. "Last used" is the file's modification
 * time: marking an image as used neither writes nor syncs. cas/ref/remote/URLHASH: what a URL gave, and until when that
 * holds. A file that does not parse counts as absent; store_image_list() says so. Members that a file does not have are
 * unset, members that are not known are skipped: older and newer versions read each other's files.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "basic/parse.h"
#include "store/store.h"

typedef struct StoreLabel {
        char *name;
        char *value;
} StoreLabel;

/* Whose signature was found good. */
typedef struct StoreSignature {
        char *fingerprint; /* of the primary key, upper-case hex */
        char *identity;    /* a user ID of the key, as "Example <keys@example.com>"; NULL: not known */
        char *key_file;    /* where the trusted key was found; NULL: not known */
        usec_t time_usec;  /* when it was signed, since 1970; 0: not known */
} StoreSignature;

typedef struct StoreImage {
        char *id;  /* sha512- and 128 digits */
        char *key; /* sha512- and 64 digits */
        char *name;
        StoreLabel *labels; /* as in the manifest, in its order */
        size_t n_labels;
        char *source;               /* URL or path that it came from; NULL: unknown */
        char **signed_by;           /* fingerprints, upper-case hex; NULL: not verified */
        StoreSignature *signatures; /* more about them */
        size_t n_signatures;
        char **insecure;       /* --insecure-options= with which it was fetched; NULL: none */
        bool latest;           /* was asked for without a version */
        uint64_t size;         /* bytes of the blob; of an OCI image, of the blobs of its layers */
        uint64_t archive_size; /* bytes of the file that came, compressed or not; 0: not known */
        uint64_t tree_size;    /* bytes that its tree takes beside the blob; 0: no tree */
        usec_t import_usec;    /* since 1970; 0: now, when written */
        usec_t last_used_usec; /* since 1970; not in the file, see above */

        /* Of an OCI image; each may be NULL, but layers. */
        char **layers;         /* keys, the lowest first; one may come more than once; NULL: an ACI */
        char *manifest_digest; /* "sha256:..." as a registry has it */
        char *index_digest;    /* of the index that the manifest was chosen from */
        char *config_digest;
        char *reference; /* canonical name, as "docker://docker.io/library/nginx:latest" */
} StoreImage;

typedef struct StoreRemote {
        char *url;
        char *signature_url;    /* may be NULL */
        char *etag;             /* may be NULL */
        char *last_modified;    /* the server's words; may be NULL */
        char *key;              /* of the image that the URL gave */
        uint64_t cache_max_age; /* seconds; 0: ask again every time */
        usec_t download_usec;   /* since 1970 */
} StoreRemote;

typedef struct StoreImageList {
        StoreImage *images;
        size_t n_images;
        char **damaged; /* files that are, beneath cas; NULL: none */
        char **errors;  /* one sentence for each of these */
} StoreImageList;

#define STORE_IMAGE_INIT  ((StoreImage){})
#define STORE_REMOTE_INIT ((StoreRemote){})

void store_image_done(StoreImage *i);
void store_remote_done(StoreRemote *r);
void store_image_list_done(StoreImageList *l);
const char *store_image_label(const StoreImage *i, const char *name);

int store_image_load(Store *s, const char *key, StoreImage *ret, Error *e);
int store_image_write(Store *s, const StoreImage *i, Error *e);
int store_image_find(Store *s, const char *name, const StoreLabel *labels, size_t n_labels, StoreImage *ret,
                     Error *e);
int store_image_list(Store *s, StoreImageList *ret, Error *e);
int store_image_touch(Store *s, const char *key);

int store_remote_load(Store *s, const char *url, StoreRemote *ret, Error *e);
int store_remote_write(Store *s, const StoreRemote *r, Error *e);
/* Whether what a URL gave shall be remembered. */
typedef bool (*StoreRemoteKeep)(void *userdata, const StoreRemote *r);
int store_remote_sweep(Store *s, StoreRemoteKeep keep, void *userdata, Error *e);
int store_remote_remove(Store *s, const char *url, Error *e);
