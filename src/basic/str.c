/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strings, and a buffer that grows. Numbers are in parse.c, vectors in strv.c. */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "basic/str.h"

/**
 * strbuf_done() - free the text
 * @b: may be used again afterwards
 */
void strbuf_done(StrBuf *b) {
        free(b->data);
        *b = STRBUF_INIT;
}

static bool strbuf_reserve(StrBuf *b, size_t n) {
        size_t want;
        char *p;

        if (b->failed)
                return false;
        if (n > SIZE_MAX / 2 - b->size - 1) {
                b->failed = true;
                return false;
        }
        want = b->size + n + 1;
        if (b->data && want <= b->allocated)
                return true;
        want = MAX(want, b->allocated * 2);
        want = MAX(want, (size_t) 128);
        p = realloc(b->data, want);
        if (!p) {
                b->failed = true;
                return false;
        }
        b->data = p;
        b->allocated = want;
        return true;
}

/**
 * strbuf_add_n() - append bytes
 * @b: on lack of memory @b->failed is set
 * @s: @n bytes, not NUL-terminated
 * @n: bytes
 */
void strbuf_add_n(StrBuf *b, const char *s, size_t n) {
        if (!strbuf_reserve(b, n))
                return;
        if (n > 0)
                memcpy(b->data + b->size, s, n);
        b->size += n;
        b->data[b->size] = '\0';
}

/**
 * strbuf_add() - append a string
 * @b: on lack of memory @b->failed is set
 * @s: not NULL
 */
void strbuf_add(StrBuf *b, const char *s) {
        strbuf_add_n(b, s, strlen(s));
}

/**
 * strbuf_addf() - append by printf
 * @b:      on lack of memory @b->failed is set
 * @format: printf
 */
void strbuf_addf(StrBuf *b, const char *format, ...) {
        va_list ap, aq;
        int n;

        va_start(ap, format);
        va_copy(aq, ap);
        n = vsnprintf(NULL, 0, format, ap);
        va_end(ap);
        if (n < 0)
                b->failed = true;
        else if (strbuf_reserve(b, (size_t) n)) {
                (void) vsnprintf(b->data + b->size, (size_t) n + 1, format, aq);
                b->size += (size_t) n;
        }
        va_end(aq);
}

/**
 * strbuf_steal() - take the text out
 * @b:   empty afterwards
 * @ret: a string to free(), "" when nothing was added
 *
 * Return: 0, or -ENOMEM when any add failed.
 */
int strbuf_steal(StrBuf *b, char **ret) {
        if (!b->failed && !b->data)
                strbuf_add(b, "");
        if (b->failed) {
                strbuf_done(b);
                return -ENOMEM;
        }
        *ret = b->data;
        *b = STRBUF_INIT;
        return 0;
}

/**
 * startswith() - what follows a prefix
 * @s:      not NULL
 * @prefix: not NULL
 *
 * Return: pointer into @s behind @prefix, NULL when @s does not begin so.
 */
const char *startswith(const char *s, const char *prefix) {
        size_t n = strlen(prefix);

        return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

/**
 * endswith() - where a suffix begins
 * @s:      not NULL
 * @suffix: not NULL
 *
 * Return: pointer into @s at @suffix, NULL when @s does not end so.
 */
const char *endswith(const char *s, const char *suffix) {
        size_t n = strlen(s), m = strlen(suffix);

        return n >= m && memcmp(s + n - m, suffix, m) == 0 ? s + n - m : NULL;
}

/**
 * str_strip() - cut blanks, tabs and line ends off both ends, in place
 * @s: not NULL
 *
 * Return: pointer into @s.
 */
char *str_strip(char *s) {
        static const char blank[] = " \t\r\n\v\f";
        size_t n;

        s += strspn(s, blank);
        n = strlen(s);
        while (n > 0 && strchr(blank, s[n - 1]))
                n--;
        s[n] = '\0';
        return s;
}

/**
 * strf() - asprintf() that returns the string
 * @format: printf
 *
 * Return: a string to free(), NULL when out of memory.
 */
char *strf(const char *format, ...) {
        va_list ap;
        char *s = NULL;
        int n;

        va_start(ap, format);
        n = vasprintf(&s, format, ap);
        va_end(ap);
        return n < 0 ? NULL : s;
}

/**
 * str_replace() - replace an owned string by a copy of another
 * @p: the old string is freed
 * @s: may be NULL
 *
 * Return: 0, or -ENOMEM (then *@p is untouched).
 */
int str_replace(char **p, const char *s) {
        char *c = NULL;

        if (s) {
                c = strdup(s);
                if (!c)
                        return -ENOMEM;
        }
        free(*p);
        *p = c;
        return 0;
}

/* Length of the UTF-8 sequence at s (n bytes left), 0 when it is not one (overlong, surrogate, > U+10FFFF). */
static size_t utf8_sequence(const unsigned char *s, size_t n) {
        size_t len;
        uint32_t c;

        if (s[0] < 0x80)
                return 1;
        len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
        if (s[0] < 0xc2 || s[0] > 0xf4 || len > n)
                return 0;
        c = s[0] & (0xffU >> (len + 1));
        for (size_t i = 1; i < len; i++) {
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (s[i] & 0x3fU);
        }
        if ((len == 3 && c < 0x800) || (len == 4 && c < 0x10000) || c > 0x10ffff ||
            (c >= 0xd800 && c <= 0xdfff))
                return 0;
        return len;
}

/**
 * str_is_utf8() - are these bytes UTF-8?
 * @s: @n bytes; NUL bytes count as valid
 * @n: bytes
 *
 * Return: true when every sequence is valid.
 */
bool str_is_utf8(const char *s, size_t n) {
        for (size_t i = 0; i < n;) {
                size_t len = utf8_sequence((const unsigned char *) s + i, n - i);

                if (len == 0)
                        return false;
                i += len;
        }
        return true;
}

/**
 * str_in_set() - does a string consist of these characters only?
 * @s:     not NULL
 * @chars: allowed characters
 *
 * Return: true also for "".
 */
bool str_in_set(const char *s, const char *chars) {
        return s[strspn(s, chars)] == '\0';
}
