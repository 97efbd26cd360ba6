/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NULL-terminated vectors of strings. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/str.h"
#include "basic/strv.h"

/**
 * strv_free() - free a vector and its strings
 * @v: may be NULL
 *
 * Return: NULL.
 */
char **strv_free(char **v) {
        STRV_FOREACH (s, v)
                free(*s);
        free(v);
        return NULL;
}

/**
 * strv_length() - how many strings
 * @v: may be NULL
 *
 * Return: the count.
 */
size_t strv_length(char *const *v) {
        size_t n = 0;

        while (v && v[n])
                n++;
        return n;
}

/**
 * strv_contains() - is a string in the vector?
 * @v: may be NULL
 * @s: not NULL
 *
 * Return: true if an equal string is there.
 */
bool strv_contains(char *const *v, const char *s) {
        for (; v && *v; v++)
                if (strcmp(*v, s) == 0)
                        return true;
        return false;
}

/**
 * strv_consume() - append a string that is handed over
 * @v: grows; untouched on failure
 * @s: owned by @v afterwards, freed on failure; NULL (lack of memory at the caller's) fails
 *
 * Return: 0 or -ENOMEM.
 */
int strv_consume(char ***v, char *s) {
        size_t n = strv_length(*v);
        char **p;

        p = s ? reallocarray(*v, n + 2, sizeof(char *)) : NULL;
        if (!p) {
                free(s);
                return -ENOMEM;
        }
        p[n] = s;
        p[n + 1] = NULL;
        *v = p;
        return 0;
}

/**
 * strv_extend() - append a copy of a string
 * @v: grows; untouched on failure
 * @s: not NULL
 *
 * Return: 0 or -ENOMEM.
 */
int strv_extend(char ***v, const char *s) {
        return strv_consume(v, strdup(s));
}

/**
 * strv_extendf() - append by printf
 * @v:      grows; untouched on failure
 * @format: printf
 *
 * Return: 0 or -ENOMEM.
 */
int strv_extendf(char ***v, const char *format, ...) {
        va_list ap;
        char *s = NULL;
        int n;

        va_start(ap, format);
        n = vasprintf(&s, format, ap);
        va_end(ap);
        return strv_consume(v, n < 0 ? NULL : s);
}

/**
 * strv_copy() - copy a vector
 * @v:   may be NULL
 * @ret: a vector for strv_free(), NULL when @v is empty
 *
 * Return: 0 or -ENOMEM.
 */
int strv_copy(char *const *v, char ***ret) {
        _cleanup_strv_free_ char **c = NULL;
        int r;

        for (; v && *v; v++) {
                r = strv_extend(&c, *v);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(c);
        return 0;
}

/**
 * strv_split() - cut a string at separators; empty pieces are left out
 * @s:          not NULL
 * @separators: characters, each of which separates
 * @ret:        a vector for strv_free(), NULL when there is no piece
 *
 * Return: 0 or -ENOMEM.
 */
int strv_split(const char *s, const char *separators, char ***ret) {
        _cleanup_strv_free_ char **v = NULL;
        int r;

        for (;;) {
                size_t n;

                s += strspn(s, separators);
                n = strcspn(s, separators);
                if (n == 0)
                        break;
                r = strv_consume(&v, strndup(s, n));
                if (r < 0)
                        return r;
                s += n;
        }
        *ret = TAKE_PTR(v);
        return 0;
}

/**
 * strv_join() - join the strings
 * @v:         may be NULL
 * @separator: between two
 * @ret:       a string to free()
 *
 * Return: 0 or -ENOMEM.
 */
int strv_join(char *const *v, const char *separator, char **ret) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        for (size_t i = 0; v && v[i]; i++) {
                if (i > 0)
                        strbuf_add(&b, separator);
                strbuf_add(&b, v[i]);
        }
        return strbuf_steal(&b, ret);
}

static int compare(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/**
 * strv_sort() - sort by bytes
 * @v: may be NULL
 */
void strv_sort(char **v) {
        if (v)
                qsort(v, strv_length(v), sizeof(char *), compare);
}
