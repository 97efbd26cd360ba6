/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is the same at both ends is left out first. In the middle the longest common subsequence is looked for, by a table;
 * when the table would be too large, the middle is replaced as a whole: that is right, too, if not short. */
#include "basic/line-diff.h"

#include <errno.h>
#include <stdint.h>

#include "basic/macro.h"

#define CONTEXT   3
#define TABLE_MAX (4U * 1024U * 1024U) /* cells */

typedef struct Lines {
        const char **at; /* begin of each line; at[n] is the end of the text */
        size_t n;
} Lines;

typedef enum EditKind { EDIT_SAME = ' ', EDIT_REMOVED = '-', EDIT_ADDED = '+' } EditKind;

typedef struct Edit {
        EditKind kind;
        size_t before, after; /* line numbers from 0, of what follows */
} Edit;

typedef struct Edits {
        Edit *items;
        size_t n;
} Edits;

static int split(const char *text, Lines *ret) {
        size_t n = 0;

        for (const char *p = text; *p; n++) {
                const char *nl = strchr(p, '\n');

                p = nl ? nl + 1 : p + strlen(p);
        }
        ret->at = (const char **) (void *) new0(char *, n + 1);
        if (!ret->at)
                return -ENOMEM;
        ret->n = n;
        for (size_t i = 0; i < n; i++) {
                const char *nl = strchr(text, '\n');

                ret->at[i] = text;
                text = nl ? nl + 1 : text + strlen(text);
        }
        ret->at[n] = text;
        return 0;
}

static size_t length(const Lines *l, size_t i) {
        size_t n = (size_t) (l->at[i + 1] - l->at[i]);

        return n > 0 && l->at[i][n - 1] == '\n' ? n - 1 : n;
}

static bool same(const Lines *a, size_t i, const Lines *b, size_t j) {
        size_t n = length(a, i);

        return n == length(b, j) && memcmp(a->at[i], b->at[j], n) == 0;
}

static int add(Edits *e, EditKind kind, size_t before, size_t after) {
        if (!GREEDY_GROW(e->items, e->n))
                return -ENOMEM;
        e->items[e->n++] = (Edit){ kind, before, after };
        return 0;
}

static int add_block(Edits *e, size_t i, size_t i_end, size_t j, size_t j_end) {
        int r = 0;

        for (; r >= 0 && i < i_end; i++)
                r = add(e, EDIT_REMOVED, i, j);
        for (; r >= 0 && j < j_end; j++)
                r = add(e, EDIT_ADDED, i, j);
        return r;
}

/* Lines i.. of a and j.. of b: table[x][y] is how many lines they have in common from there on. */
static int add_middle(Edits *e, const Lines *a, size_t i, size_t i_end, const Lines *b, size_t j,
                      size_t j_end) {
        size_t rows = i_end - i, columns = j_end - j, width = columns + 1, cells;
        _cleanup_free_ uint32_t *table = NULL;
        size_t x = 0, y = 0;
        int r = 0;

        if (rows == 0 || columns == 0 || rows > TABLE_MAX / width)
                return add_block(e, i, i_end, j, j_end);
        cells = (rows + 1) * width;
        table = new0(uint32_t, cells);
        if (!table)
                return -ENOMEM;
        for (size_t p = rows; p-- > 0;)
                for (size_t q = columns; q-- > 0;)
                        table[p * width + q] = same(a, i + p, b, j + q) ? table[(p + 1) * width + q + 1] + 1
                                                                        : MAX(table[(p + 1) * width + q],
                                                                              table[p * width + q + 1]);
        while (r >= 0 && (x < rows || y < columns)) {
                if (x < rows && y < columns && same(a, i + x, b, j + y)) {
                        r = add(e, EDIT_SAME, i + x, j + y);
                        x++;
                        y++;
                } else if (x < rows &&
                           (y == columns || table[(x + 1) * width + y] >= table[x * width + y + 1])) {
                        r = add(e, EDIT_REMOVED, i + x, j + y);
                        x++;
                } else {
                        r = add(e, EDIT_ADDED, i + x, j + y);
                        y++;
                }
        }
        return r;
}

static int find_edits(const Lines *a, const Lines *b, Edits *e) {
        size_t head = 0, tail = 0;
        int r = 0;

        while (head < a->n && head < b->n && same(a, head, b, head))
                head++;
        while (tail < a->n - head && tail < b->n - head && same(a, a->n - 1 - tail, b, b->n - 1 - tail))
                tail++;
        for (size_t i = 0; r >= 0 && i < head; i++)
                r = add(e, EDIT_SAME, i, i);
        if (r >= 0)
                r = add_middle(e, a, head, a->n - tail, b, head, b->n - tail);
        for (size_t i = tail; r >= 0 && i > 0; i--)
                r = add(e, EDIT_SAME, a->n - i, b->n - i);
        return r;
}

/* A range as in "@@ -1,2 +1,3 @@": an empty one is after the line before. */
static void print_range(StrBuf *b, char sign, size_t first, size_t n) {
        strbuf_addf(b, "%c%zu", sign, n == 0 ? first : first + 1);
        if (n != 1)
                strbuf_addf(b, ",%zu", n);
}

static void print_hunk(const Edits *e, size_t from, size_t to, const Lines *before, const Lines *after,
                       StrBuf *b) {
        size_t n_before = 0, n_after = 0;

        for (size_t i = from; i < to; i++) {
                n_before += e->items[i].kind != EDIT_ADDED;
                n_after += e->items[i].kind != EDIT_REMOVED;
        }
        strbuf_add(b, "@@ ");
        print_range(b, '-', e->items[from].before, n_before);
        strbuf_add(b, " ");
        print_range(b, '+', e->items[from].after, n_after);
        strbuf_add(b, " @@\n");
        for (size_t i = from; i < to; i++) {
                const Edit *x = &e->items[i];
                const Lines *l = x->kind == EDIT_ADDED ? after : before;
                size_t k = x->kind == EDIT_ADDED ? x->after : x->before;
                char sign = (char) x->kind;

                strbuf_add_n(b, &sign, 1);
                strbuf_add_n(b, l->at[k], length(l, k));
                strbuf_add(b, "\n");
        }
}

static void print_hunks(const Edits *e, const Lines *before, const Lines *after, StrBuf *b) {
        for (size_t i = 0; i < e->n; i++) {
                size_t from, to, same_lines = 0;

                if (e->items[i].kind == EDIT_SAME)
                        continue;
                from = i > CONTEXT ? i - CONTEXT : 0;
                for (to = i; to < e->n && same_lines <= 2 * CONTEXT; to++)
                        same_lines = e->items[to].kind == EDIT_SAME ? same_lines + 1 : 0;
                to -= same_lines > CONTEXT ? same_lines - CONTEXT : 0;
                print_hunk(e, from, to, before, after, b);
                i = to - 1;
        }
}

/**
 * line_diff() - what has to be taken out and put in to make one text of another
 * @before:      text
 * @after:       text; whether its last line has an end does not count
 * @name_before: behind "---"
 * @name_after:  behind "+++"
 * @b:           the difference is added; nothing when there is none
 *
 * Return: 1: they differ; 0: they do not; -ENOMEM.
 */
int line_diff(const char *before, const char *after, const char *name_before, const char *name_after,
              StrBuf *b) {
        Lines x = {}, y = {};
        Edits e = {};
        bool differs = false;
        int r = split(before, &x);

        if (r >= 0)
                r = split(after, &y);
        if (r >= 0)
                r = find_edits(&x, &y, &e);
        for (size_t i = 0; i < e.n; i++)
                differs = differs || e.items[i].kind != EDIT_SAME;
        if (r >= 0 && differs) {
                strbuf_addf(b, "--- %s\n+++ %s\n", name_before, name_after);
                print_hunks(&e, &x, &y, b);
        }
        free(x.at);
        free(y.at);
        free(e.items);
        return r < 0 || b->failed ? -ENOMEM : differs;
}
