/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For people, at a terminal that can do it, unless they do not want it: NO_COLOR (no-color.org), and SYSTEMD_URLIFY as systemd's
 * own programs have it. Whatever else reads the output gets text alone. */
#include <stdlib.h>
#include <unistd.h>

#include "basic/markup.h"
#include "basic/pager.h"
#include "basic/parse.h"

#define LINK_BEGIN "\x1b]8;;"
#define LINK_END   "\a"

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@-" /* of a manual page */

/* By way of a pager, too. */
static bool is_smart_terminal(FILE *f) {
        const char *term = getenv("TERM");

        return ((f == stdout && pager_is_open()) || isatty(fileno(f)) > 0) && term && *term &&
               !streq(term, "dumb");
}

/**
 * markup_has_colors() - may what is printed there have colours?
 * @f: usually stdout
 *
 * Return: true if so.
 */
bool markup_has_colors(FILE *f) {
        const char *no = getenv("NO_COLOR");

        return is_smart_terminal(f) && !(no && *no);
}

/**
 * markup_has_links() - may what is printed there have links?
 * @f: usually stdout
 *
 * Old versions of less show them as rubbish, so by way of a pager there are none unless SYSTEMD_URLIFY says so.
 *
 * Return: true if so.
 */
bool markup_has_links(FILE *f) {
        const char *said = getenv("SYSTEMD_URLIFY");
        int r = said ? parse_boolean(said) : -1;

        return r >= 0 ? r > 0 : is_smart_terminal(f) && !(f == stdout && pager_is_open());
}

static void add_link(StrBuf *b, const char *url, const char *text, size_t n) {
        strbuf_addf(b, LINK_BEGIN "%s" LINK_END "%.*s" LINK_BEGIN LINK_END, url, (int) n, text);
}

/**
 * markup_add_file() - a text that is a link to a file of this host
 * @b:    appended to
 * @path: absolute; else the text stands alone
 * @text: what is seen
 */
void markup_add_file(StrBuf *b, const char *path, const char *text) {
        _cleanup_strbuf_ StrBuf url = STRBUF_INIT;
        char host[256] = "";

        if (*path != '/' || gethostname(host, sizeof(host) - 1) < 0 || !str_in_set(host, NAME_CHARS)) {
                strbuf_add(b, text);
                return;
        }
        strbuf_addf(&url, "file://%s", host);
        for (const char *p = path; *p; p++)
                strbuf_addf(&url, strchr("/" NAME_CHARS, *p) ? "%c" : "%%%02X", (unsigned char) *p);
        add_link(b, str_or(url.data, ""), text, strlen(text));
        b->failed = b->failed || url.failed;
}

/**
 * markup_add_manuals() - a text in which rkt.pod(5) and its like are links to the manual page
 * @b:    appended to
 * @text: plain
 */
void markup_add_manuals(StrBuf *b, const char *text) {
        while (*text) {
                size_t n = strspn(text, NAME_CHARS);

                if (n == 0)
                        strbuf_add_n(b, text, n = 1);
                else if (text[n] == '(' && text[n + 1] >= '1' && text[n + 1] <= '8' && text[n + 2] == ')') {
                        _cleanup_free_ char *url = strf("man:%.*s", (int) (n += 3), text);

                        add_link(b, str_or(url, ""), text, n);
                        b->failed = b->failed || !url;
                } else
                        strbuf_add_n(b, text, n);
                text += n;
        }
}
