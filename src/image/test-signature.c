/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What gpgv says, and what follows (robustness.md D12, TRU-02 to TRU-07). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "image/signature.h"

#define A        "2B6C6AF4993764284184D86CD9E13998E60049CF"
#define B        "B4A4486E4FB6AB208AE29F585A22377D0A372C73"
#define S        "[GNUPG:] "
#define NEW      S "NEWSIG\n"
#define GOOD     S "GOODSIG D9E13998E60049CF alice <alice@example.com>\n"
#define VALID(f) VALID_AS(f, "4", "10", "00")
#define VALID_AS(f, version, hash, class)                                                                    \
        S "VALIDSIG " f " 2026-11-22 1795317166 0 " version " 0 22 " hash " " class " " f "\n"

static const struct {
        const char *status;
        int r;
        const char *part; /* of the sentence */
} cases[] = {
        { NEW GOOD VALID(A), 0, NULL },
        /* a stranger's signature beside a good one */
        { NEW S "ERRSIG 5A22377D0A372C73 22 10 00 1795317166 9\n" S
                "NO_PUBKEY 5A22377D0A372C73\n" NEW GOOD VALID(A),
          0, NULL },
        { NEW GOOD VALID(A) NEW S "BADSIG 5A22377D0A372C73 bob\n", -EBADMSG, "wrong signature" },
        { NEW S "BADSIG D9E13998E60049CF alice\n", -EBADMSG, "wrong signature" },
        { NEW GOOD VALID(B), -ENOKEY, "trusted for other names" },
        { NEW S "ERRSIG 5A22377D0A372C73 22 10 00 1795317166 9\n" S "NO_PUBKEY 5A22377D0A372C73\n", -ENOKEY,
          "openpgp: signature made by unknown entity: key 5A22377D0A372C73" },
        { NEW S "EXPKEYSIG D9E13998E60049CF alice\n" VALID(A), -EKEYEXPIRED, "has expired" },
        { NEW S "REVKEYSIG D9E13998E60049CF alice\n" VALID(A), -EKEYREVOKED, "revoked" },
        { NEW S "EXPSIG D9E13998E60049CF alice\n" VALID(A), -EKEYEXPIRED, "signature has expired" },
        { NEW GOOD VALID_AS(A, "4", "2", "00"), -EKEYREJECTED, "SHA-256" }, /* SHA-1 */
        { NEW GOOD VALID_AS(A, "4", "1", "00"), -EKEYREJECTED, "SHA-256" }, /* MD5 */
        { NEW GOOD VALID_AS(A, "3", "8", "00"), -EKEYREJECTED, "SHA-256" },
        { NEW GOOD VALID_AS(A, "4", "8", "01"), -EKEYREJECTED, "binary" }, /* text mode */
        { NEW S "ERRSIG D9E13998E60049CF 22 99 00 1795317166 4\n", -EKEYREJECTED, "kind" },
        /* VALIDSIG counts only with GOODSIG for the same signature */
        { NEW VALID(A), -EBADMSG, "no OpenPGP signature" },
        { NEW GOOD NEW VALID(A), -EKEYREJECTED, "kind" },
        { NEW GOOD S "VALIDSIG " A "\n", -EKEYREJECTED, "kind" },
        { S "NODATA 4\n", -EBADMSG, "no OpenPGP signature" },
        { "", -EBADMSG, "no OpenPGP signature" },
        /* only status lines count */
        { "gpgv: GOODSIG\nVALIDSIG " A "\n", -EBADMSG, "no OpenPGP signature" },
};

static void test_judge(void **state) {
        TrustedKey keys[] = {
                { .prefix = (char[]){ "example.com" },
                  .key.fingerprint = "2b6c6af4993764284184d86cd9e13998e60049cf" },
                { .prefix = (char[]){ "example.org" },
                  .key.fingerprint = "b4a4486e4fb6ab208ae29f585a22377d0a372c73" },
        };
        const Keyring k = { .keys = keys, .n_keys = ELEMENTSOF(keys) };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(signature_verdict_done) SignatureVerdict v = {};
                _cleanup_free_ SignatureSigner *by = NULL;
                _cleanup_error_ Error e = ERROR_INIT;
                size_t n = 0;
                int r;

                assert_int_equal(signature_verdict_parse(cases[i].status, &v), 0);
                r = signature_verdict_judge(&v, &k, "example.com/app", &by, &n, &e);
                print_message("# %zu: %s\n", i, error_text(&e, r));
                assert_int_equal(r, cases[i].r);
                if (r < 0) {
                        assert_non_null(strstr(e.message, cases[i].part));
                        assert_non_null(strstr(e.message, "--insecure-options=image"));
                        continue;
                }
                assert_int_equal(n, 1);
                assert_ptr_equal(by[0].key, keys);
                assert_int_equal(by[0].time_usec, UINT64_C(1795317166) * USEC_PER_SEC);
        }
}

/* Before the image's name is known, a key that may sign anything will do; nothing else changes. */
static void test_no_name(void **state) {
        TrustedKey key = { .prefix = (char[]){ "example.org" },
                           .key.fingerprint = "2b6c6af4993764284184d86cd9e13998e60049cf" };
        const Keyring k = { .keys = &key, .n_keys = 1 };
        static const struct {
                const char *status;
                int r;
        } texts[] = {
                { NEW GOOD VALID(A), 0 },
                { NEW GOOD VALID(B), -ENOKEY },
                { NEW S "ERRSIG 5A22377D0A372C73 22 10 00 1795317166 9\n", -ENOKEY },
                { NEW S "BADSIG D9E13998E60049CF alice\n", -EBADMSG },
        };

        FOREACH_ARRAY (t, texts, ELEMENTSOF(texts)) {
                _cleanup_(signature_verdict_done) SignatureVerdict v = {};

                assert_int_equal(signature_verdict_parse(t->status, &v), 0);
                assert_int_equal(signature_verdict_judge(&v, &k, NULL, NULL, NULL, NULL), t->r);
        }
}

/* A strong key's subkey of 1024 bits. */
static void test_weak_subkey(void **state) {
        char *weak[] = { (char[]){ "b4a4486e4fb6ab208ae29f585a22377d0a372c73" }, NULL };
        TrustedKey key = { .key = { .fingerprint = "2b6c6af4993764284184d86cd9e13998e60049cf",
                                    .weak_subkeys = weak } };
        const Keyring k = { .keys = &key, .n_keys = 1 };
        _cleanup_(signature_verdict_done) SignatureVerdict v = {}, both = {};
        _cleanup_error_ Error e = ERROR_INIT;
        size_t n = 0;

        assert_int_equal(signature_verdict_parse(
                                 NEW GOOD S "VALIDSIG " B " 2026-11-22 1795317166 0 4 0 22 8 00 " A "\n", &v),
                         0);
        assert_int_equal(signature_verdict_judge(&v, &k, "example.com/app", NULL, &n, &e), -EKEYREJECTED);
        assert_non_null(strstr(e.message, "too weak"));
        assert_int_equal(signature_verdict_parse(NEW GOOD S "VALIDSIG " B
                                                            " 2026-11-22 1795317166 0 4 0 22 8 00 " A
                                                            "\n" NEW GOOD VALID(A),
                                                 &both),
                         0);
        assert_int_equal(signature_verdict_judge(&both, &k, "example.com/app", NULL, &n, NULL), 0);
        assert_int_equal(n, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_judge),
                cmocka_unit_test(test_no_name),
                cmocka_unit_test(test_weak_subkey),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
