/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Edit distance, for misspelt keys and names. */
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "basic/macro.h"
#include "basic/suggest.h"

#define SUGGEST_WORD_MAX 64

static bool same(char a, char b) {
        return tolower((unsigned char) a) == tolower((unsigned char) b);
}

/* Insertions, deletions, changes and swaps of neighbours; case does not count. Both words have at most SUGGEST_WORD_MAX
 * bytes. */
static unsigned distance(const char *a, size_t n_a, const char *b, size_t n_b) {
        unsigned rows[3][SUGGEST_WORD_MAX + 1];

        for (size_t j = 0; j <= n_b; j++)
                rows[0][j] = (unsigned) j;
        for (size_t i = 1; i <= n_a; i++) {
                unsigned *row = rows[i % 3], *up = rows[(i - 1) % 3], *up2 = rows[(i + 1) % 3];

                row[0] = (unsigned) i;
                for (size_t j = 1; j <= n_b; j++) {
                        unsigned d = up[j - 1] + (same(a[i - 1], b[j - 1]) ? 0 : 1);

                        d = MIN(d, MIN(up[j] + 1, row[j - 1] + 1));
                        if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
                                d = MIN(d, up2[j - 2] + 1);
                        row[j] = d;
                }
        }
        return rows[n_a % 3][n_b];
}

/**
 * suggest_add() - offer a candidate
 * @s:         from SUGGEST_INIT()
 * @candidate: kept by reference; the first of equally near ones wins
 *
 * Near is: at most one edit per three letters, and at most three.
 */
void suggest_add(Suggest *s, const char *candidate) {
        size_t n = strlen(s->word), m = strlen(candidate);
        unsigned d;

        if (n > SUGGEST_WORD_MAX || m > SUGGEST_WORD_MAX || n + 3 < m || m + 3 < n)
                return;
        d = distance(s->word, n, candidate, m);
        if (d > 3 || d > MAX(n, m) / 3 || d >= s->distance)
                return;
        s->best = candidate;
        s->distance = d;
}
