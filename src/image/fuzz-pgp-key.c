/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdint.h>

#include "image/pgp-key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(pgp_key_done) PgpKey k = PGP_KEY_INIT;
        _cleanup_error_ Error e = ERROR_INIT;

        if (pgp_key_parse((const char *) data, size, &k, &e) < 0)
                return 0;
        assert(strlen(k.fingerprint) == PGP_FINGERPRINT_HEX && k.size > 0);
        return 0;
}
