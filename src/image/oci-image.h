/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An OCI or Docker image on its way into the store: its documents, and where its layers are. From a layout or an archive
 * (oci-local.c) or from a registry (oci-remote.c) it becomes the same; image-oci.c goes on from there. */
#pragma once

#include "basic/alloc.h"
#include "basic/error.h"
#include "image/image-limits.h"
#include "net/pull-protocol.h"
#include "oci/oci-config.h"
#include "oci/oci-document.h"
#include "store/store-archive.h"
#include "store/store-ref.h"

/* Where the bytes of a layer are, and what they must be. */
typedef struct OciLayer {
        char *digest;        /* of the bytes as they come; NULL: nobody says (docker-archive) */
        uint64_t size;       /* of these; UINT64_MAX: not known */
        const char *diff_id; /* of the tar in them; the config's */
        int fd;              /* the file that they are in, and where; -EBADF: request */
        uint64_t offset;
        PullRequest request;
        char key[STORE_KEY_MAX]; /* in the store, as soon as it is there */
} OciLayer;

typedef struct OciImage {
        char *manifest; /* NULL: there is none, one is made (docker-archive) */
        size_t manifest_size;
        char *config;
        size_t config_size;
        char *manifest_digest; /* NULL without a manifest */
        char *index_digest;    /* of what led to it; NULL: nothing did */
        char *config_digest;
        OciConfig *parsed; /* config */
        OciLayer *layers;  /* the weakest first */
        size_t n_layers;
        StoreSignature *signatures; /* that were found good */
        size_t n_signatures;
        StoreArchive *archive; /* whose descriptor the layers have; or NULL */
        OciName *saved_as;     /* what "docker save" calls it; or NULL */
} OciImage;

/* What is taken, whoever offers it. */
typedef struct OciLoadOptions {
        const OciPlatform *platform;
        const ImageLimits *limits;
} OciLoadOptions;

#define OCI_IMAGE_INIT ((OciImage){})

void oci_image_done(OciImage *i);
int oci_image_set_layers(OciImage *i, const OciDocument *manifest, Error *e);
int oci_image_set_config(OciImage *i, Error *e);
int oci_local_load(Store *s, const OciName *name, const OciLoadOptions *o, OciImage *ret, Error *e);
