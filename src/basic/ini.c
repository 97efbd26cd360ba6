/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* systemd.syntax(7): comments, continuation lines, [sections], KEY=VALUE. What sections, keys and values mean is left to
 * the handler; words and quotes are in word.c. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "basic/ini.h"
#include "basic/str.h"

typedef struct Reader {
        const IniHandler *handler;
        StrBuf logical; /* the line so far, continuations joined */
        StrBuf section;
        unsigned line;       /* physical line, from 1 */
        unsigned line_first; /* where the logical line began */
        bool is_skipping;    /* the section header was bad: its keys mean nothing */
        bool is_too_long;
} Reader;

static int bad(Reader *r, unsigned line, const char *what) {
        return r->handler->bad(line, what, r->handler->userdata);
}

static int header(Reader *r, char *s) {
        size_t n = strlen(s);

        r->is_skipping = s[n - 1] != ']' || n < 3;
        if (r->is_skipping)
                return bad(r, r->line_first, "a section header must be [NAME]");
        s[n - 1] = '\0';
        r->section.size = 0;
        strbuf_add(&r->section, str_strip(s + 1));
        if (r->section.failed)
                return -ENOMEM;
        return r->handler->item(&(IniItem){ .section = r->section.data, .line = r->line_first },
                                r->handler->userdata);
}

static int assignment(Reader *r, char *s) {
        char *eq = strchr(s, '=');

        if (!eq || eq == s)
                return bad(r, r->line_first, eq ? "there is no key before '='" : "missing '=' (KEY=VALUE)");
        if (r->is_skipping)
                return 0;
        *eq = '\0';
        return r->handler->item(&(IniItem){ .section = str_or(r->section.data, ""),
                                            .key = str_strip(s),
                                            .value = str_strip(eq + 1),
                                            .line = r->line_first },
                                r->handler->userdata);
}

static int end_logical(Reader *r) {
        StrBuf *b = &r->logical;
        char *s;
        int k = 0;

        if (b->failed)
                return -ENOMEM;
        if (r->is_too_long)
                k = bad(r, r->line_first, "line is longer than 1 MiB");
        else if (b->size > 0 && memchr(b->data, '\0', b->size))
                k = bad(r, r->line_first, "line contains a NUL byte");
        else if (b->size > 0 && !str_is_utf8(b->data, b->size))
                k = bad(r, r->line_first, "line is not UTF-8");
        else if (b->size > 0) {
                s = str_strip(b->data);
                if (*s == '[')
                        k = header(r, s);
                else if (*s != '\0')
                        k = assignment(r, s);
        }
        b->size = 0;
        r->line_first = 0;
        r->is_too_long = false;
        return k;
}

/* Does the text end in a backslash that is not itself escaped? */
static bool is_continued(const char *s, size_t n) {
        size_t k = 0;

        while (k < n && s[n - 1 - k] == '\\')
                k++;
        return k % 2 == 1;
}

static int physical(Reader *r, const char *s, size_t n) {
        bool continued;

        if (n > 0 && s[n - 1] == '\r')
                n--;
        while (n > 0 && (*s == ' ' || *s == '\t')) {
                s++;
                n--;
        }
        if (n > 0 && (*s == '#' || *s == ';'))
                return 0;
        if (r->line_first == 0)
                r->line_first = r->line;
        continued = is_continued(s, n);
        if (r->logical.size + n > INI_LINE_MAX)
                r->is_too_long = true;
        if (!r->is_too_long) {
                strbuf_add_n(&r->logical, s, continued ? n - 1 : n);
                if (continued)
                        strbuf_add(&r->logical, " ");
        }
        return continued ? 0 : end_logical(r);
}

static int read_lines(Reader *r, const char *data, size_t size) {
        size_t at = 0;
        int k;

        if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
                at = 3;
        while (at < size) {
                const char *nl = memchr(data + at, '\n', size - at);
                size_t n = nl ? (size_t) (nl - data) - at : size - at;

                if (++r->line > INI_LINES_MAX)
                        return bad(r, r->line, "file has more than 65536 lines");
                k = physical(r, data + at, n);
                if (k < 0)
                        return k;
                at += n + 1;
        }
        return r->line_first > 0 ? end_logical(r) : 0;
}

/**
 * ini_parse() - read sections and assignments
 * @data:    @size bytes, any bytes at all; may be NULL when @size is 0
 * @size:    bytes
 * @handler: both functions are called in the order of the lines; the first negative errno of one ends the reading
 *
 * Limits: INI_FILE_MAX, INI_LINE_MAX and INI_LINES_MAX; what exceeds them goes to @handler->bad.
 *
 * Return: 0, -ENOMEM, or what a handler returned.
 */
int ini_parse(const char *data, size_t size, const IniHandler *handler) {
        Reader r = { .handler = handler };
        int k;

        if (size > INI_FILE_MAX)
                return handler->bad(0, "file is larger than 4 MiB", handler->userdata);
        k = read_lines(&r, data, size);
        strbuf_done(&r.logical);
        strbuf_done(&r.section);
        return k < 0 ? k : 0;
}
