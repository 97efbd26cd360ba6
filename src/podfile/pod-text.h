/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PodText: the sections of a pod file and its drop-ins, merged in the order read, each line with its origin. Keys are
 * known here, values are not yet. "rkt pod cat" shows it; pod-file.c makes a PodSpec of it. */
#pragma once

#include <stddef.h>

#include "podfile/pod-error.h"
#include "podfile/pod-keys.h"
#include "podfile/pod-spec.h"
#include "podfile/unit-keys.h"

#define POD_TEXT_LINES_MAX 10000U /* assignments in one pod */
#define POD_TEXT_PARTS_MAX 1000U

typedef struct PodLine {
        const PodKey *key;       /* one of ours, or NULL */
        const UnitKey *unit_key; /* else one of systemd's */
        char *value;             /* as written */
        PodPlace place;
} PodLine;

/* One section, after merging. */
typedef struct PodPart {
        PodSection section;
        char *name;  /* of an app, volume or socket; NULL for none */
        char *title; /* as written between the brackets */
        PodPlace place;
        PodPlace last; /* header seen last */
        PodLine *lines;
        size_t n_lines;
} PodPart;

typedef struct PodText {
        char *pod; /* what [App] without a name is called */
        char **files;
        PodPart *parts;
        size_t n_parts;
        size_t n_lines;
} PodText;

int pod_text_new(const char *pod, PodText **ret);
PodText *pod_text_free(PodText *t);
DEFINE_CLEANUP(PodText *, pod_text_free);
#define _cleanup_pod_text_ _cleanup_(pod_text_freep)

int pod_text_parse(PodText *t, const char *path, const char *data, size_t size, PodErrors *errors);
const char *pod_line_key(const PodLine *line);
