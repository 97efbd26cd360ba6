/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See the header. Used for the attributes of an EROFS tree: many files have the same few. */
#include "store/erofs-intern.h"

#include <errno.h>
#include <sys/random.h>

#include "basic/alloc.h"

typedef struct InternSlot {
        uint32_t offset;
        uint32_t size; /* 0: free */
} InternSlot;

static uint64_t rotate(uint64_t x, unsigned n) {
        return x << n | x >> (64 - n);
}

static void sip_round(uint64_t v[4]) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] = rotate(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word) {
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
}

/**
 * hash_key_init() - a key that nobody can guess
 * @key: filled
 *
 * Return: 0, errno of getrandom().
 */
int hash_key_init(HashKey *key) {
        ssize_t n = getrandom(key, sizeof(*key), 0);

        return n == (ssize_t) sizeof(*key) ? 0 : n < 0 ? -errno : -EIO;
}

/**
 * hash_bytes() - SipHash-1-3 of a number and a string
 * @key:    from hash_key_init()
 * @number: hashed in front
 * @data:   @size bytes
 * @size:   any
 *
 * Return: the hash, in this machine's byte order: not for anything that is stored.
 */
uint64_t hash_bytes(const HashKey *key, uint32_t number, const void *data, size_t size) {
        uint64_t v[4] = {
                key->k[0] ^ UINT64_C(0x736f6d6570736575),
                key->k[1] ^ UINT64_C(0x646f72616e646f6d),
                key->k[0] ^ UINT64_C(0x6c7967656e657261),
                key->k[1] ^ UINT64_C(0x7465646279746573),
        };
        const uint8_t *p = data;
        uint64_t word;

        sip_word(v, (uint64_t) number << 32 | (uint32_t) size);
        for (; size >= sizeof(word); p += sizeof(word), size -= sizeof(word)) {
                memcpy(&word, p, sizeof(word));
                sip_word(v, word);
        }
        word = 0;
        memcpy(&word, p, size);
        sip_word(v, word);
        v[2] ^= 0xff;
        sip_round(v);
        sip_round(v);
        sip_round(v);
        return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/**
 * intern_done() - free
 * @n: is empty afterwards, with the same limit
 */
void intern_done(Intern *n) {
        free(n->data);
        free(n->slots);
        *n = (Intern){ .size_max = n->size_max };
}

/* The slot that holds it, or the free one where it belongs. */
static InternSlot *find(const Intern *n, const HashKey *key, const void *data, size_t size) {
        for (size_t i = (size_t) hash_bytes(key, 0, data, size);; i++) {
                InternSlot *s = &n->slots[i & (n->n_slots - 1)];

                if (s->size == 0 || (s->size == size && memcmp(n->data + s->offset, data, size) == 0))
                        return s;
        }
}

static int grow_slots(Intern *n, const HashKey *key) {
        Intern bigger = *n;

        if (n->n_used * 2 < n->n_slots)
                return 0;
        bigger.n_slots = n->n_slots > 0 ? n->n_slots * 2 : 16;
        bigger.slots = new0(InternSlot, bigger.n_slots);
        if (!bigger.slots)
                return -ENOMEM;
        FOREACH_ARRAY (s, n->slots, n->n_slots)
                if (s->size > 0)
                        *find(&bigger, key, n->data + s->offset, s->size) = *s;
        free(n->slots);
        *n = bigger;
        return 0;
}

/**
 * intern_add() - store a string, or find it
 * @n:          store
 * @key:        always the same one
 * @data:       @size bytes
 * @size:       not 0
 * @ret_offset: where it is in @n->data, which may move with every call
 *
 * Return: 0, -ENOMEM, -E2BIG (more than size_max bytes).
 */
int intern_add(Intern *n, const HashKey *key, const void *data, size_t size, uint32_t *ret_offset) {
        size_t padded = (size + 3) & ~(size_t) 3;
        InternSlot *s;
        int r;

        r = grow_slots(n, key);
        if (r < 0)
                return r;
        s = find(n, key, data, size);
        if (s->size == 0) {
                if (size > n->size_max || padded > n->size_max - MIN(n->size, n->size_max))
                        return -E2BIG;
                if (n->size + padded > n->allocated) {
                        size_t wanted = MAX((n->size + padded) * 2, (size_t) 4096);
                        uint8_t *p = realloc(n->data, wanted);

                        if (!p)
                                return -ENOMEM;
                        n->data = p;
                        n->allocated = wanted;
                }
                memcpy(n->data + n->size, data, size);
                memset(n->data + n->size + size, 0, padded - size);
                *s = (InternSlot){ .offset = (uint32_t) n->size, .size = (uint32_t) size };
                n->size += padded;
                n->n_used++;
        }
        *ret_offset = s->offset;
        return 0;
}
