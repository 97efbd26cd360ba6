/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strings, and a buffer that grows. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "basic/alloc.h"

/* A growing text. Once memory runs out, "failed" stays set and further adds do nothing: check once, at the end. */
typedef struct StrBuf {
        char *data; /* NUL-terminated, NULL while empty */
        size_t size;
        size_t allocated;
        bool failed;
} StrBuf;

#define STRBUF_INIT      ((StrBuf){})
#define _cleanup_strbuf_ _cleanup_(strbuf_done)

void strbuf_done(StrBuf *b);
void strbuf_add(StrBuf *b, const char *s);
void strbuf_add_n(StrBuf *b, const char *s, size_t n);
void strbuf_addf(StrBuf *b, const char *format, ...) _printf_(2, 3);
int strbuf_steal(StrBuf *b, char **ret);

static inline bool streq(const char *a, const char *b) {
        return strcmp(a, b) == 0;
}
static inline bool streq_ptr(const char *a, const char *b) {
        return a == b || (a && b && strcmp(a, b) == 0);
}
static inline const char *str_or(const char *s, const char *fallback) {
        return s ? s : fallback;
}
const char *startswith(const char *s, const char *prefix);
const char *endswith(const char *s, const char *suffix);
char *str_strip(char *s);
char *strf(const char *format, ...) _printf_(1, 2);
int str_replace(char **p, const char *s);
bool str_is_utf8(const char *s, size_t n);
bool str_in_set(const char *s, const char *chars);
