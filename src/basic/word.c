/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* systemd.syntax(7) "Quoting" and "Escape sequences": blanks separate words; "..." and '...' keep blanks and are taken
 * away, also in the middle of a word; C escapes count inside and outside of quotes; an unknown escape stays as written. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "basic/hex.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/word.h"

/* n digits to the base 8 or 16; -1 when one is missing. */
static int64_t digits(const char *s, unsigned n, unsigned base) {
        int64_t v = 0;

        for (unsigned i = 0; i < n; i++) {
                int d = hex_digit(s[i]);

                if (d < 0 || d >= (int) base)
                        return -1;
                v = v * base + d;
        }
        return v;
}

static void add_utf8(StrBuf *b, uint32_t c) {
        char u[4];
        size_t n;

        if (c < 0x80) {
                u[0] = (char) c;
                n = 1;
        } else if (c < 0x800) {
                u[0] = (char) (0xc0 | c >> 6);
                n = 2;
        } else if (c < 0x10000) {
                u[0] = (char) (0xe0 | c >> 12);
                n = 3;
        } else {
                u[0] = (char) (0xf0 | c >> 18);
                n = 4;
        }
        for (size_t i = 1; i < n; i++)
                u[i] = (char) (0x80 | ((c >> (6 * (n - 1 - i))) & 0x3f));
        strbuf_add_n(b, u, n);
}

/* \xHH and \NNN are bytes, \uHHHH and \UHHHHHHHH characters. Returns the bytes used behind the backslash, 0 when it is no
 * such escape, -EINVAL when it stands for NUL or for no character. */
static int numeric_escape(const char *s, StrBuf *b) {
        static const struct {
                char letter;
                unsigned n_digits;
        } forms[] = { { 'x', 2 }, { 'u', 4 }, { 'U', 8 } };
        int64_t v;

        for (size_t i = 0; i < ELEMENTSOF(forms); i++) {
                if (*s != forms[i].letter)
                        continue;
                v = digits(s + 1, forms[i].n_digits, 16);
                if (v < 0)
                        return 0;
                if (v == 0 || v > 0x10ffff || (forms[i].n_digits > 2 && v >= 0xd800 && v <= 0xdfff))
                        return -EINVAL;
                if (forms[i].n_digits == 2)
                        strbuf_add_n(b, &(char){ (char) v }, 1);
                else
                        add_utf8(b, (uint32_t) v);
                return (int) forms[i].n_digits + 1;
        }
        v = digits(s, 3, 8);
        if (v < 0)
                return 0;
        if (v == 0 || v > 0xff)
                return -EINVAL;
        strbuf_add_n(b, &(char){ (char) v }, 1);
        return 3;
}

static int escape(const char *s, StrBuf *b) {
        static const char from[] = "abfnrtv\\\"'s", to[] = "\a\b\f\n\r\t\v\\\"' ";
        const char *f;
        int n;

        f = *s ? strchr(from, *s) : NULL;
        if (f) {
                strbuf_add_n(b, &to[f - from], 1);
                return 1;
        }
        n = numeric_escape(s, b);
        if (n == 0)
                strbuf_add(b, "\\");
        return n;
}

/**
 * word_next() - take one word off the front of a text
 * @p:   moved behind the word and the blanks after it
 * @ret: the word, unquoted and unescaped, to free(); untouched unless 1 is returned
 *
 * Return: 1; 0 when only blanks are left; -EINVAL (a quote is not closed), -EILSEQ (an escape stands for NUL or for no
 * character), -ENOMEM.
 */
int word_next(const char **p, char **ret) {
        static const char blank[] = " \t\r\n";
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        const char *s = *p;
        char quote = '\0';
        int n;

        s += strspn(s, blank);
        if (*s == '\0') {
                *p = s;
                return 0;
        }
        for (; *s && (quote || !strchr(blank, *s)); s++) {
                size_t plain = strcspn(s, quote ? (const char[]){ quote, '\\', '\0' } : " \t\r\n\\\"'");

                strbuf_add_n(&b, s, plain);
                s += plain;
                if (*s == '\0' || (!quote && strchr(blank, *s)))
                        break;
                if (*s == '\\') {
                        n = escape(s + 1, &b);
                        if (n < 0)
                                return -EILSEQ;
                        s += n;
                } else
                        quote = quote ? '\0' : *s;
        }
        if (quote)
                return -EINVAL;
        n = strbuf_steal(&b, ret);
        if (n < 0)
                return n;
        *p = s + strspn(s, blank);
        return 1;
}

/**
 * word_split() - all words of a text
 * @s:     not NULL
 * @n_max: more words are refused
 * @ret:   a vector for strv_free(), NULL when there is no word
 *
 * Return: 0, -EINVAL, -EILSEQ, -ENOMEM as word_next(); -E2BIG.
 */
int word_split(const char *s, size_t n_max, char ***ret) {
        char **v = NULL;
        size_t n = 0;
        int r = 0;

        for (;;) {
                char *word = NULL;

                r = word_next(&s, &word);
                if (r <= 0)
                        break;
                if (n >= n_max || !GREEDY_GROW(v, n)) {
                        free(word);
                        r = n >= n_max ? -E2BIG : -ENOMEM;
                        break;
                }
                v[n++] = word;
        }
        if (r >= 0 && n > 0) {
                char **w = reallocarray(v, n + 1, sizeof(char *));

                if (w) {
                        w[n] = NULL;
                        *ret = w;
                        return 0;
                }
                r = -ENOMEM;
        }
        for (size_t i = 0; i < n; i++)
                free(v[i]);
        free(v);
        if (r == 0)
                *ret = NULL;
        return r;
}
