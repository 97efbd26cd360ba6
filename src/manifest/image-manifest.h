/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The manifest of an appc image. Who needs its original text (rkt image cat-manifest) keeps the bytes: members that the
 * standard does not know are skipped here. Facts: appc, sections 5 and 6. */
#pragma once

#include "manifest/ac-app.h"
#include "manifest/ac-types.h"

typedef struct AcDependency {
        char *image_name;
        char *image_id; /* NULL: any */
        AcPair *labels;
        size_t n_labels;
        uint64_t size; /* bytes; UINT64_MAX: not given */
} AcDependency;

typedef struct ImageManifest {
        char *ac_kind;
        char *ac_version;
        char *name; /* an AC Identifier; never a path */
        AcPair *labels;
        size_t n_labels;
        AcApp *app; /* NULL: nothing to run */
        AcDependency *dependencies;
        size_t n_dependencies;
        char **path_whitelist; /* NULL or empty: everything */
        AcPair *annotations;
        size_t n_annotations;
} ImageManifest;

int image_manifest_new(const char *name, ImageManifest **ret);
ImageManifest *image_manifest_free(ImageManifest *m);
DEFINE_CLEANUP(ImageManifest *, image_manifest_free);
int image_manifest_parse(const char *data, size_t size, ImageManifest **ret, Error *e);
int image_manifest_check(ImageManifest *m, Error *e);
void image_manifest_flatten(ImageManifest *m);
int image_manifest_to_string(const ImageManifest *m, char **ret);
const char *image_manifest_label(const ImageManifest *m, const char *name);
const char *image_manifest_annotation(const ImageManifest *m, const char *name);
