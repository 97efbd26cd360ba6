/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Words for unit files. Everything is quoted, so that no byte of an image has a meaning of its own: quotes, backslashes,
 * line breaks and control characters become C escapes, "%" is doubled. "$" needs nothing: command lines are written with
 * the ":" prefix, and nowhere else does systemd expand it. */
#include "run/unit-text.h"

/**
 * unit_text_quote() - add a word in double quotes
 * @b:    buffer
 * @word: any bytes but NUL
 */
void unit_text_quote(StrBuf *b, const char *word) {
        strbuf_add(b, "\"");
        for (const char *p = word; *p; p++) {
                unsigned char c = (unsigned char) *p;

                if (c == '"' || c == '\\')
                        strbuf_addf(b, "\\%c", c);
                else if (c == '%')
                        strbuf_add(b, "%%");
                else if (c == '\n')
                        strbuf_add(b, "\\n");
                else if (c < ' ' || c == 0x7f)
                        strbuf_addf(b, "\\x%02x", c);
                else
                        strbuf_add_n(b, p, 1);
        }
        strbuf_add(b, "\"");
}

/**
 * unit_text_line() - add KEY=VALUE for a setting that takes a path or a text to the end of the line
 * @b:     buffer
 * @key:   name of the setting
 * @value: text without line breaks, or the buffer fails; "%" is doubled
 */
void unit_text_line(StrBuf *b, const char *key, const char *value) {
        strbuf_addf(b, "%s=", key);
        for (const char *p = value; *p; p++) {
                if (strchr("\n\r", *p))
                        b->failed = true;
                strbuf_add_n(b, *p == '%' ? "%%" : p, *p == '%' ? 2 : 1);
        }
        strbuf_add(b, "\n");
}

/**
 * unit_text_words() - add KEY=WORD WORD...
 * @b:     buffer
 * @key:   name of the setting
 * @words: NULL-terminated; nothing is added when empty
 */
void unit_text_words(StrBuf *b, const char *key, char *const *words) {
        if (!words || !*words)
                return;
        strbuf_addf(b, "%s=", key);
        for (char *const *w = words; *w; w++)
                strbuf_addf(b, "%s%s", w == words ? "" : " ", *w);
        strbuf_add(b, "\n");
}
