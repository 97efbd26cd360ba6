/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdint.h>

#include "image/pgp-key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(pgp_keys_done) PgpKeys keys = {};
        _cleanup_error_ Error e = ERROR_INIT;

        if (pgp_keys_parse((const char *) data, size, &keys, &e) < 0)
                return 0;
        assert(keys.n_keys > 0);
        FOREACH_ARRAY (k, keys.keys, keys.n_keys) {
                _cleanup_(pgp_key_done) PgpKey back = PGP_KEY_INIT;
                _cleanup_free_ char *text = NULL;

                assert(strlen(k->fingerprint) == PGP_FINGERPRINT_HEX && k->size > 0);
                /* What rkt trust writes is what it read. */
                if (pgp_key_armor(k, &text) < 0 || strlen(text) > PGP_KEY_FILE_MAX)
                        continue;
                assert(pgp_key_parse(text, strlen(text), &back, NULL) == 0);
                assert(back.size == k->size && memcmp(back.data, k->data, k->size) == 0);
        }
        return 0;
}
