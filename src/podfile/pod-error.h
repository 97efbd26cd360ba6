/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PodErrors: everything that is wrong in a pod file, reported in one go. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "basic/alloc.h"
#include "basic/macro.h"

/* One mistake: FILE:LINE: [SECTION] KEY: what is wrong (what would be right). */
typedef struct PodError {
        char *file;
        unsigned line; /* 0: the file as a whole */
        char *section; /* NULL, or the text between the brackets */
        char *key;     /* NULL, or the key as written */
        char *message;
} PodError;

#define POD_ERRORS_MAX 64 /* further ones are only counted */

typedef struct PodErrors {
        PodError *items;
        size_t n;
        size_t n_more; /* not kept */
} PodErrors;

#define POD_ERRORS_INIT      ((PodErrors){})
#define _cleanup_pod_errors_ _cleanup_(pod_errors_done)

void pod_errors_done(PodErrors *errors);
int pod_errors_addf(PodErrors *errors, const char *file, unsigned line, const char *section, const char *key,
                    const char *format, ...) _printf_(6, 7);
int pod_error_to_string(const PodError *e, char **ret);
int pod_errors_to_string(const PodErrors *errors, char **ret);
