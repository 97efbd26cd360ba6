/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* "did you mean ...?" */
#pragma once

#include <stddef.h>

/* The best candidate so far. Start with SUGGEST_INIT(word), add candidates, read .best. */
typedef struct Suggest {
        const char *word;
        const char *best; /* NULL: nothing is near */
        unsigned distance;
} Suggest;

#define SUGGEST_INIT(w) ((Suggest){ .word = (w), .distance = 1000 })

void suggest_add(Suggest *s, const char *candidate);
