/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For interfaces of others that only read, but do not say so. */
#pragma once

/**
 * unconst() - a pointer for who does not write through it
 * @p: bytes; may be NULL
 *
 * Return: the same pointer.
 */
static inline void *unconst(const void *p) {
        const union {
                const void *given;
                void *wanted;
        } u = { .given = p };

        return u.wanted;
}
