/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Imports layers for tests. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>

#include "basic/digest.h"
#include "store/store-layer.h"
#include "store/test-tar-build.h"

static inline void digest_of(DigestType type, const void *data, size_t size, char ret[160]) {
        _cleanup_(digest_freep) Digest *d = NULL;
        char hex[DIGEST_HEX_MAX];

        assert_int_equal(digest_new(type, &d), 0);
        assert_int_equal(digest_update(d, data, size), 0);
        assert_int_equal(digest_final_hex(d, hex), 0);
        (void) snprintf(ret, 160, "%s:%s", type == DIGEST_SHA256 ? "sha256" : "sha512", hex);
}

static inline int import(Store *s, const void *data, size_t size, const StoreLayerExpect *x,
                         char key[STORE_KEY_MAX], Error *e) {
        const StoreLayerExpect nothing = { .size = UINT64_MAX };
        _cleanup_(store_import_freep) StoreImport *i = NULL;
        int r = store_layer_import_new(s, &STORE_IMPORT_LIMITS_DEFAULT, x ? x : &nothing, &i, e);

        if (r < 0)
                return r;
        (void) store_import_write(i, data, size, NULL);
        r = store_import_finish(i, e);
        if (r < 0)
                return r;
        memcpy(key, store_import_key(i), STORE_KEY_MAX);
        return store_layer_commit(i, e);
}

static inline void import_ok(Store *s, StrBuf *b, char key[STORE_KEY_MAX]) {
        _cleanup_error_ Error e = ERROR_INIT;
        int r;

        tar_end(b);
        r = import(s, b->data, b->size, NULL, key, &e);
        if (r < 0)
                fail_msg("%s", error_text(&e, r));
}
