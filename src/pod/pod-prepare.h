/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The recipe that makes a pod: images into the store, manifest, directory; then it lies in prepared/ (or, for "rkt run",
 * in run/), locked by the caller, and run_pod() can start it. */
#pragma once

#include "basic/error.h"
#include "image/image-get.h"
#include "manifest/pod-manifest.h"
#include "pod/pod.h"
#include "podfile/pod-spec.h"
#include "store/store.h"

typedef struct PodPrepareOptions {
        /* How images are got. NULL: from the store only; the spec's Pull= and InsecureOptions= are used otherwise. */
        const ImageGetOptions *image;
        /* What the apps of the spec are, in the same order, when a manifest was given (--pod-manifest); NULL: the spec says it. */
        const PodManifest *manifest;
        char *const *ids;         /* of the apps' images, when they are known already; NULL: get them */
        PodDirectory to;          /* POD_DIRECTORY_PREPARED or POD_DIRECTORY_RUN */
        const char *uuid_file;    /* written before the images are fetched, or NULL */
        bool keep_credentials;    /* nobody loads them for the pod: it has them in its directory */
        bool name_from_uuid;      /* the machine is called rkt-UUID, whatever the spec's name is */
        ImageMessageFunc warning; /* a sentence that does not stop the start; may be NULL */
        void *userdata;           /* of warning */
} PodPrepareOptions;

int pod_prepare_images(Store *s, const PodSpec *spec, const ImageGetOptions *options, char ***ret_ids,
                       Error *e);
int pod_prepare_app(Pod *p, Store *s, const PodSpec *spec, const PodPrepareOptions *options, PodManifest *m,
                    Error *e);
int pod_prepare(Pods *pods, Store *s, const PodSpec *spec, const PodPrepareOptions *options, Pod **ret,
                Error *e);
