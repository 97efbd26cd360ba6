/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Manifests that are not valid: what they call themselves, for messages and lists. Nothing of it is checked; nothing may be
 * done with it but to show it. */
#pragma once

#include "manifest/ac-types.h"

typedef struct LenientImage {
        char *name; /* each may be NULL */
        char *id;
        AcPair *labels;
        size_t n_labels;
} LenientImage;

typedef struct LenientApp {
        char *name;
        LenientImage image;
} LenientApp;

typedef struct LenientPod {
        LenientApp *apps;
        size_t n_apps;
} LenientPod;

int lenient_image_parse(const char *data, size_t size, LenientImage *ret);
void lenient_image_done(LenientImage *m);
int lenient_pod_parse(const char *data, size_t size, LenientPod *ret);
void lenient_pod_done(LenientPod *m);
