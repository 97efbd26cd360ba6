/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SHA-256 and SHA-512 over a stream, by GnuTLS; SHA-256 by nettle, which GnuTLS brings along, where the processor has
 * instructions for it: GnuTLS 3.8 does not use them, and takes three times as long. */
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <nettle/sha2.h>
#include <stdbool.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#include "basic/digest.h"
#include "basic/hex.h"

struct Digest {
        gnutls_hash_hd_t handle;
        struct sha256_ctx sha256;
        DigestType type;
        bool by_nettle; /* sha256 instead of handle */
        bool finished;
};

static bool has_sha_instructions(void) {
#if defined(__x86_64__) || defined(__i386__)
        unsigned a, b, c, d;

        return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & (1U << 29));
#else
        return false;
#endif
}

/**
 * digest_new() - start hashing
 * @type: which
 * @ret:  for digest_free()
 *
 * Return: 0, -ENOMEM, -EOPNOTSUPP (the library refuses the algorithm).
 */
int digest_new(DigestType type, Digest **ret) {
        _cleanup_(digest_freep) Digest *d = NULL;

        d = new0(Digest, 1);
        if (!d)
                return -ENOMEM;
        d->type = type;
        d->finished = true;
        d->by_nettle = type == DIGEST_SHA256 && has_sha_instructions();
        if (d->by_nettle)
                sha256_init(&d->sha256);
        else if (gnutls_hash_init(&d->handle, type == DIGEST_SHA512 ? GNUTLS_DIG_SHA512 : GNUTLS_DIG_SHA256) <
                 0)
                return -EOPNOTSUPP;
        d->finished = false;
        *ret = TAKE_PTR(d);
        return 0;
}

/**
 * digest_free() - give up or end
 * @d: may be NULL
 *
 * Return: NULL.
 */
Digest *digest_free(Digest *d) {
        if (!d)
                return NULL;
        if (!d->finished && !d->by_nettle)
                gnutls_hash_deinit(d->handle, NULL);
        free(d);
        return NULL;
}

/**
 * digest_update() - hash more bytes
 * @d:    not finished
 * @data: @size bytes
 * @size: bytes
 *
 * Return: 0, -EIO.
 */
int digest_update(Digest *d, const void *data, size_t size) {
        assert(!d->finished);
        if (d->by_nettle) {
                sha256_update(&d->sha256, size, data);
                return 0;
        }
        return gnutls_hash(d->handle, data, size) < 0 ? -EIO : 0;
}

/**
 * digest_size() - bytes of a digest
 * @type: which
 *
 * Return: 32 or 64.
 */
size_t digest_size(DigestType type) {
        return type == DIGEST_SHA512 ? 64 : 32;
}

/**
 * digest_final_hex() - end, and write the digest
 * @d:   cannot be updated afterwards
 * @ret: lower-case hex, NUL-terminated
 *
 * Return: 0.
 */
int digest_final_hex(Digest *d, char ret[DIGEST_HEX_MAX]) {
        uint8_t bytes[DIGEST_SIZE_MAX];

        assert(!d->finished);
        if (d->by_nettle)
                sha256_digest(&d->sha256, SHA256_DIGEST_SIZE, bytes);
        else
                gnutls_hash_deinit(d->handle, bytes);
        d->finished = true;
        hex_from_bytes(bytes, digest_size(d->type), ret);
        return 0;
}
