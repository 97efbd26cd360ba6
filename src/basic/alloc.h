/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Allocation by type, and the cleanup functions for plain memory. */
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macro.h"

#define new0(t, n) ((t *) calloc((n) ? (n) : 1, sizeof(t)))

static inline void freep(void *p) {
        void *x;

        memcpy(&x, p, sizeof(x));
        free(x);
}
#define _cleanup_free_ _cleanup_(freep)

/* Grows *p (n_used elements in use) so that one more fits; false when out of memory. */
#define GREEDY_GROW(p, n_used) greedy_grow_impl((void **) &(p), (n_used), sizeof((p)[0]))
static inline int greedy_grow_impl(void **p, size_t n_used, size_t size) {
        void *q;

        if (n_used != 0 && (n_used < 4 || (n_used & (n_used - 1)) != 0))
                return 1;
        q = reallocarray(*p, n_used == 0 ? 4 : n_used * 2, size);
        if (!q)
                return 0;
        *p = q;
        return 1;
}

/* Elements to allocate at once for a list that holds n and that GREEDY_GROW() will grow later. */
static inline size_t greedy_capacity(size_t n) {
        size_t c = 4;

        while (c < n)
                c *= 2;
        return c;
}
