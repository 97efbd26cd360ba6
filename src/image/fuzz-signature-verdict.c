/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdint.h>

#include "basic/strv.h"
#include "image/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const Keyring none = {};
        _cleanup_(signature_verdict_done) SignatureVerdict v = {};
        _cleanup_free_ char *s = strndup((const char *) data, size);
        _cleanup_error_ Error e = ERROR_INIT;

        if (!s || signature_verdict_parse(s, &v) < 0)
                return 0;
        /* Without a trusted key nothing that gpgv could say makes an image acceptable. */
        assert(signature_verdict_judge(&v, &none, "example.com/app", NULL, NULL, &e) < 0);
        assert(signature_verdict_judge(&v, &none, NULL, NULL, NULL, NULL) < 0);
        return 0;
}
