/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Error: the sentence for people that goes with a negative errno for programs.
 *
 * A function whose failure a person must understand takes "Error *e" last (NULL is allowed). The sentence is set where
 * the fact is known, and each caller puts its subject in front: "image 'a': blob 'sha512-12': digest differs".
 * A main prints it, once. */
#pragma once

#include "basic/macro.h"

typedef struct Error {
        char *message;
        char *causes; /* the same, with a line for each subject; NULL: one */
} Error;

#define ERROR_INIT      ((Error){})
#define _cleanup_error_ _cleanup_(error_done)

void error_done(Error *e);
int error_setf(Error *e, int r, const char *format, ...) _printf_(3, 4);
int error_prefixf(Error *e, int r, const char *format, ...) _printf_(3, 4);
int error_oom(Error *e);
char *error_tree(const Error *e, int r);
const char *error_text(const Error *e, int r);
