/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sentence that goes with an errno. Leaves printing to the mains. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/alloc.h"
#include "basic/error.h"

/**
 * error_done() - free the sentence
 * @e: may be NULL; is empty and can be used again afterwards
 */
void error_done(Error *e) {
        if (!e)
                return;
        free(e->message);
        free(e->causes);
        *e = ERROR_INIT;
}

/**
 * error_setf() - set the sentence, replacing any earlier one
 * @e:      may be NULL, then only @r is passed on
 * @r:      negative errno (or 0 to set a sentence without a failure)
 * @format: printf; no full stop, no newline at the end
 *
 * Return: @r, so that callers can write "return error_setf(e, -EINVAL, ...)".
 */
int error_setf(Error *e, int r, const char *format, ...) {
        va_list ap;
        char *m = NULL;

        if (!e)
                return r;
        va_start(ap, format);
        if (vasprintf(&m, format, ap) < 0)
                m = NULL;
        va_end(ap);
        error_done(e);
        e->message = m;
        return r;
}

/**
 * error_prefixf() - put a subject and ": " in front of the sentence
 * @e:      may be NULL; when it holds no sentence yet, that of @r is used
 * @r:      negative errno
 * @format: printf
 *
 * Return: @r.
 */
int error_prefixf(Error *e, int r, const char *format, ...) {
        _cleanup_free_ char *subject = NULL;
        const char *before = error_text(e, r);
        char *m = NULL, *causes = NULL;
        va_list ap;

        if (!e)
                return r;
        va_start(ap, format);
        if (vasprintf(&subject, format, ap) < 0)
                subject = NULL;
        va_end(ap);
        if (!subject)
                return r;
        if (asprintf(&m, "%s: %s", subject, before) < 0)
                return r;
        if (asprintf(&causes, "%s\n%s", subject, e->causes ? e->causes : before) < 0)
                causes = NULL;
        error_done(e);
        *e = (Error){ .message = m, .causes = causes };
        return r;
}

/**
 * error_oom() - the one sentence for lack of memory
 * @e: may be NULL
 *
 * Return: -ENOMEM.
 */
int error_oom(Error *e) {
        return error_setf(e, -ENOMEM, "out of memory");
}

/**
 * error_tree() - the sentence for whoever debugs
 * @e: may be NULL
 * @r: negative errno
 *
 * Return: a line for what was to be done, and below it one for each cause, indented; for free(). NULL: there is one line, or
 * no memory.
 */
char *error_tree(const Error *e, int r) {
        size_t size = 0, depth = 0;
        char *tree = NULL;
        FILE *f = e && e->causes ? open_memstream(&tree, &size) : NULL;

        if (!f)
                return NULL;
        for (const char *c = e->causes; *c; depth++) {
                int n = (int) strcspn(c, "\n");

                (void) fprintf(f, depth > 0 ? "\n%*s└─%.*s" : "%*s%.*s", (int) depth * 2, "", n, c);
                c += n + (c[n] == '\n');
        }
        if (r < 0 && r > -4096)
                (void) fprintf(f, " [%s]", strerrorname_np(-r) ? strerrorname_np(-r) : "?");
        if (fclose(f) == 0)
                return tree;
        free(tree);
        return NULL;
}

/**
 * error_text() - the sentence to print
 * @e: may be NULL
 * @r: negative errno, used when there is no sentence
 *
 * Return: a string valid until @e changes or the next strerror().
 */
const char *error_text(const Error *e, int r) {
        if (e && e->message)
                return e->message;
        return strerror(r < 0 ? -r : r);
}
