/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Byte strings stored once, in one piece of memory; and the keyed hash with which an archive cannot make tables slow. */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct HashKey {
        uint64_t k[2];
} HashKey;

/* What is stored has an offset in data, a multiple of 4, and is zero-padded up to the next. */
typedef struct Intern {
        uint8_t *data;
        size_t size;
        size_t size_max;
        size_t allocated;
        struct InternSlot *slots;
        size_t n_slots; /* a power of two, or 0 */
        size_t n_used;
} Intern;

int hash_key_init(HashKey *key);
uint64_t hash_bytes(const HashKey *key, uint32_t number, const void *data, size_t size);

void intern_done(Intern *n);
int intern_add(Intern *n, const HashKey *key, const void *data, size_t size, uint32_t *ret_offset);
