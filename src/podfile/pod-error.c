/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of mistakes in a pod file, and their text. Suggestions for misspelt words are made where the words are known. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/str.h"
#include "podfile/pod-error.h"

static void pod_error_done(PodError *e) {
        free(e->file);
        free(e->section);
        free(e->key);
        free(e->message);
}

/**
 * pod_errors_done() - free all errors
 * @errors: empty afterwards
 */
void pod_errors_done(PodErrors *errors) {
        FOREACH_ARRAY (e, errors->items, errors->n)
                pod_error_done(e);
        free(errors->items);
        *errors = POD_ERRORS_INIT;
}

/* Text from a pod file goes to terminals and journals: control bytes and what is no UTF-8 become "?", and long texts are cut. */
static void make_printable(char *s) {
        size_t i;

        for (i = 0; i < 1000 && s[i]; i++)
                if ((unsigned char) s[i] < ' ' || s[i] == 0x7f)
                        s[i] = '?';
        while (s[i] && i > 0 && (s[i] & 0xc0) == 0x80)
                i--;
        s[i] = '\0';
        /* "\x82" of a quoted word is any byte */
        for (char *c = s; *c && !str_is_utf8(s, i); c++)
                if (*c & 0x80)
                        *c = '?';
}

static char *copy_printable(const char *s) {
        char *c = s ? strdup(s) : NULL;

        if (c)
                make_printable(c);
        return c;
}

/**
 * pod_errors_addf() - add one error
 * @errors:  grows, up to POD_ERRORS_MAX; more are only counted
 * @file:    path
 * @line:    from 1; 0 for the file as a whole
 * @section: text between the brackets, or NULL
 * @key:     as written, or NULL
 * @format:  printf: what is wrong (what would be right)
 *
 * Return: 0 or -ENOMEM.
 */
int pod_errors_addf(PodErrors *errors, const char *file, unsigned line, const char *section, const char *key,
                    const char *format, ...) {
        PodError e = { .line = line };
        va_list ap;
        int n;

        if (errors->n >= POD_ERRORS_MAX) {
                errors->n_more++;
                return 0;
        }
        va_start(ap, format);
        n = vasprintf(&e.message, format, ap);
        va_end(ap);
        if (n < 0)
                return -ENOMEM;
        make_printable(e.message);
        e.file = copy_printable(file);
        e.section = copy_printable(section);
        e.key = copy_printable(key);
        if (!e.file || (section && !e.section) || (key && !e.key) || !GREEDY_GROW(errors->items, errors->n)) {
                free(e.message);
                e.message = NULL;
                pod_error_done(&e);
                return -ENOMEM;
        }
        errors->items[errors->n++] = e;
        return 0;
}

static void add_error(StrBuf *b, const PodError *e) {
        strbuf_add(b, e->file);
        if (e->line > 0)
                strbuf_addf(b, ":%u", e->line);
        strbuf_add(b, ": ");
        if (e->section)
                strbuf_addf(b, "[%s] ", e->section);
        if (e->key)
                strbuf_addf(b, "%s: ", e->key);
        strbuf_add(b, e->message);
}

/**
 * pod_error_to_string() - FILE:LINE: [SECTION] KEY: what is wrong (what would be right)
 * @e:   one error
 * @ret: one line without line end; to free()
 *
 * Return: 0 or -ENOMEM.
 */
int pod_error_to_string(const PodError *e, char **ret) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        add_error(&b, e);
        return strbuf_steal(&b, ret);
}

/**
 * pod_errors_to_string() - all errors, one per line
 * @errors: "" when there is none
 * @ret:    lines, each with its line end; to free()
 *
 * Return: 0 or -ENOMEM.
 */
int pod_errors_to_string(const PodErrors *errors, char **ret) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        FOREACH_ARRAY (e, errors->items, errors->n) {
                add_error(&b, e);
                strbuf_add(&b, "\n");
        }
        if (errors->n_more > 0)
                strbuf_addf(&b, "... and %zu more\n", errors->n_more);
        return strbuf_steal(&b, ret);
}
