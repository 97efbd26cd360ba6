/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The service has the files of a request as links in its own /tmp (basic/request.h), and its sentences name those: nobody could
 * tell which file is meant. Output comes in pieces, which may end in the middle of a link. */
#include "verbs/request-text.h"

#include "basic/parse.h"

typedef enum Match {
        MATCH_NO,
        MATCH_CUT, /* as far as there is text */
        MATCH_YES,
} Match;

static Match match(const char *p, size_t n, const char *s) {
        size_t size = strlen(s), common = MIN(n, size);

        return memcmp(p, s, common) != 0 ? MATCH_NO : common < size ? MATCH_CUT : MATCH_YES;
}

/* A link at the beginning of @n bytes. */
static Match match_link(const char *p, size_t n, unsigned *ret_index, size_t *ret_size) {
        char index[4] = {};
        size_t i = strlen(REQUEST_LINKS), digits = 0;
        Match m = match(p, n, REQUEST_LINKS);

        if (m != MATCH_YES)
                return m;
        for (; i < n && digits < sizeof(index) - 1 && p[i] >= '0' && p[i] <= '9'; i++)
                index[digits++] = p[i];
        m = match(p + i, n - i, REQUEST_LINK_SUFFIX);
        if (m != MATCH_YES)
                return m;
        *ret_size = i + strlen(REQUEST_LINK_SUFFIX);
        return parse_uint(index, REQUEST_FILES_MAX - 1, ret_index) < 0 ? MATCH_NO : MATCH_YES;
}

/**
 * request_text_add() - pass on a piece of output
 * @t:    stream that it belongs to
 * @data: may be NULL if there is none
 * @n:    bytes; 0: the stream ends, what was held back comes
 * @b:    gets the text; what may become a link is held back
 */
void request_text_add(RequestText *t, const char *data, size_t n, StrBuf *b) {
        _cleanup_strbuf_ StrBuf all = STRBUF_INIT;
        const char *p, *end;

        strbuf_add_n(&all, t->held, t->n_held);
        strbuf_add_n(&all, data, n);
        t->n_held = 0;
        if (all.failed) {
                b->failed = true;
                return;
        }
        for (p = all.data, end = p + all.size; p < end;) {
                const char *slash = memchr(p, '/', (size_t) (end - p));
                unsigned index;
                size_t size;
                Match m;

                strbuf_add_n(b, p, (size_t) ((slash ? slash : end) - p));
                if (!slash)
                        return;
                p = slash;
                m = match_link(p, (size_t) (end - p), &index, &size);
                if (m == MATCH_YES && index < t->n_names && t->names[index]) {
                        strbuf_add(b, t->names[index]);
                        p += size;
                } else if (m == MATCH_CUT && n > 0) {
                        t->n_held = (size_t) (end - p);
                        memcpy(t->held, p, t->n_held);
                        return;
                } else {
                        strbuf_add_n(b, p++, 1);
                }
        }
}
