/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Edit distance, for misspelt keys, flags and names. A file or a command line may be full of them, and each is compared
 * with hundreds of words: the distance is computed no further than it matters. */
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "basic/macro.h"
#include "basic/suggest.h"

#define SUGGEST_WORD_MAX 64

_not_traced_ static bool same(char a, char b) {
        return tolower((unsigned char) a) == tolower((unsigned char) b);
}

/* Insertions, deletions, changes and swaps of neighbours; case does not count. More than "limit" is limit + 1. Both words
 * have at most SUGGEST_WORD_MAX bytes, and "limit" more or less than the other at most. */
_not_traced_ static unsigned distance(const char *a, size_t n_a, const char *b, size_t n_b, unsigned limit) {
        unsigned rows[3][SUGGEST_WORD_MAX + 2] = {}, least_up = 0;

        for (size_t j = 0; j <= n_b; j++)
                rows[0][j] = MIN((unsigned) j, limit + 1);
        for (size_t i = 1; i <= n_a; i++) {
                unsigned *row = rows[i % 3], *up = rows[(i - 1) % 3], *up2 = rows[(i + 1) % 3];
                size_t from = i > limit ? i - limit : 1, to = MIN(i + limit, n_b);
                unsigned least = limit + 1;

                /* what is further from the diagonal needs more edits than the limit */
                row[from - 1] = from == 1 ? MIN((unsigned) i, limit + 1) : limit + 1;
                for (size_t j = from; j <= to; j++) {
                        unsigned d = up[j - 1] + (same(a[i - 1], b[j - 1]) ? 0 : 1);

                        d = MIN(d, MIN(up[j] + 1, row[j - 1] + 1));
                        if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
                                d = MIN(d, up2[j - 2] + 1);
                        row[j] = MIN(d, limit + 1);
                        least = MIN(least, row[j]);
                }
                row[to + 1] = limit + 1;
                if (least > limit && least_up > limit)
                        return limit + 1;
                least_up = least;
        }
        return rows[n_a % 3][n_b];
}

/* The letters in it, case aside, as bits. An edit takes one away or adds one, or both. */
_not_traced_ static uint32_t letters(const char *s, size_t n) {
        uint32_t bits = 0;

        for (size_t i = 0; i < n; i++)
                bits |= UINT32_C(1) << (s[i] & 31);
        return bits;
}

/**
 * suggest_add() - offer a candidate
 * @s:         from SUGGEST_INIT()
 * @candidate: kept by reference; the first of equally near ones wins
 *
 * Near is: at most one edit per three letters, rounded, and at most three.
 */
_not_traced_ void suggest_add(Suggest *s, const char *candidate) {
        size_t n = strnlen(s->word, SUGGEST_WORD_MAX + 1), m = strnlen(candidate, SUGGEST_WORD_MAX + 1);
        unsigned limit = MIN(3U, ((unsigned) MAX(n, m) + 1) / 3), d;

        if (n > SUGGEST_WORD_MAX || m > SUGGEST_WORD_MAX || n + limit < m || m + limit < n)
                return;
        if ((unsigned) __builtin_popcount(letters(s->word, n) ^ letters(candidate, m)) > 2 * limit)
                return;
        d = distance(s->word, n, candidate, m, limit);
        if (d > limit || d >= s->distance)
                return;
        s->best = candidate;
        s->distance = d;
}
