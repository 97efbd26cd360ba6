/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NULL-terminated vectors of strings; NULL is the empty vector. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "basic/alloc.h"

#define _cleanup_strv_free_ _cleanup_(strv_freep)
#define STRV_FOREACH(s, v)  for (char **s = (v); s && *s; s++)

char **strv_free(char **v);
static inline void strv_freep(char ***v) {
        (void) strv_free(*v);
}
size_t strv_length(char *const *v);
bool strv_contains(char *const *v, const char *s);
int strv_extend(char ***v, const char *s);
int strv_consume(char ***v, char *s);
int strv_extendf(char ***v, const char *format, ...) _printf_(2, 3);
int strv_copy(char *const *v, char ***ret);
int strv_split(const char *s, const char *separators, char ***ret);
int strv_join(char *const *v, const char *separator, char **ret);
void strv_sort(char **v);
