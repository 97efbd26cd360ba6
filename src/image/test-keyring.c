/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Key files (robustness.md D11) and trustedkeys/ (rkt.md 3.6, TRU-03 to TRU-07 as far as names go). */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "image/keyring.h"

#define ALICE "2b6c6af4993764284184d86cd9e13998e60049cf"
#define BOB   "b4a4486e4fb6ab208ae29f585a22377d0a372c73"

static char *load(const char *who) {
        _cleanup_free_ char *path = strf("%s/corpus/fuzz-pgp-key/%s.asc", getenv("RKT_TEST_DATA"), who);
        char *text = NULL;

        assert_int_equal(file_read_at(AT_FDCWD, path, PGP_KEY_FILE_MAX, &text, NULL), 0);
        return text;
}

static void test_parse(void **state) {
        _cleanup_(pgp_key_done) PgpKey a = PGP_KEY_INIT, c = PGP_KEY_INIT;
        _cleanup_free_ char *alice = load("alice"), *carol = load("carol");

        assert_int_equal(pgp_key_parse(alice, strlen(alice), &a, NULL), 0);
        assert_string_equal(a.fingerprint, ALICE);
        assert_int_equal(strv_length(a.identities), 1);
        assert_string_equal(a.identities[0], "alice (test key) <alice@example.com>");
        assert_null(a.subkeys);
        assert_int_equal(pgp_key_parse(carol, strlen(carol), &c, NULL), 0);
        assert_int_equal(strv_length(c.subkeys), 1);
}

/* Several keys: blocks one after the other, and one block with several keys. What rkt trust writes of each is one key. */
static void test_several(void **state) {
        _cleanup_free_ char *alice = load("alice"), *bob = load("bob"),
                            *two = strf("hello\n%s\n%s", alice, bob), *one = NULL;
        _cleanup_(pgp_keys_done) PgpKeys keys = {}, both = {};
        PgpKey joined = PGP_KEY_INIT;

        assert_int_equal(pgp_keys_parse(two, strlen(two), &keys, NULL), 0);
        assert_int_equal(keys.n_keys, 2);
        assert_string_equal(keys.keys[0].fingerprint, ALICE);
        assert_string_equal(keys.keys[1].fingerprint, BOB);
        FOREACH_ARRAY (k, keys.keys, keys.n_keys) {
                _cleanup_(pgp_key_done) PgpKey back = PGP_KEY_INIT;
                _cleanup_free_ char *text = NULL;

                assert_int_equal(pgp_key_armor(k, &text), 0);
                assert_int_equal(pgp_key_parse(text, strlen(text), &back, NULL), 0);
                assert_string_equal(back.fingerprint, k->fingerprint);
                assert_int_equal(back.size, k->size);
                assert_memory_equal(back.data, k->data, k->size);
        }
        joined.size = keys.keys[0].size + keys.keys[1].size;
        joined.data = malloc(joined.size);
        memcpy(joined.data, keys.keys[0].data, keys.keys[0].size);
        memcpy(joined.data + keys.keys[0].size, keys.keys[1].data, keys.keys[1].size);
        assert_int_equal(pgp_key_armor(&joined, &one), 0);
        pgp_key_done(&joined);
        assert_int_equal(pgp_keys_parse(one, strlen(one), &both, NULL), 0);
        assert_int_equal(both.n_keys, 2);
        assert_string_equal(both.keys[1].fingerprint, BOB);
        assert_string_equal(both.keys[1].identities[0], "bob (test key) <bob@example.com>");
}

static void test_clean(void **state) {
        static const struct {
                const char *from, *to;
        } texts[] = {
                { "J\xc3\xbcrgen \xe2\x80\x9cJ\xe2\x80\x9d <j@example.com>",
                  "J\xc3\xbcrgen \xe2\x80\x9cJ\xe2\x80\x9d <j@example.com>" },
                { "a\x1b[31mb\n", "a?[31mb?" },
                { "J\xfcrgen", "J?rgen" },
                { "a\xc2\x9b"
                  "b",
                  "a??b" },
                { "a\xe2\x80\xae"
                  "b\xe2\x81\xa6",
                  "a???b???" },
                { "", "" },
        };

        FOREACH_ARRAY (t, texts, ELEMENTSOF(texts)) {
                _cleanup_free_ char *s = strdup(t->from);

                pgp_text_clean(s);
                assert_string_equal(s, t->to);
        }
}

static void refused(const char *text, size_t size, int expect, const char *part) {
        _cleanup_(pgp_key_done) PgpKey k = PGP_KEY_INIT;
        _cleanup_error_ Error e = ERROR_INIT;

        assert_int_equal(pgp_key_parse(text, size, &k, &e), expect);
        if (!strstr(error_text(&e, 0), part))
                fail_msg("'%s' does not say '%s'", error_text(&e, 0), part);
}

static void test_parse_bad(void **state) {
        _cleanup_free_ char *alice = load("alice"), *bob = load("bob"), *two = strf("%s%s", alice, bob),
                            *big = NULL;
        static const char private[] = "-----BEGIN PGP PRIVATE KEY BLOCK-----\n";
        static const char empty[] =
                "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n-----END PGP PUBLIC KEY BLOCK-----\n";
        size_t at;

        refused(two, strlen(two), -EINVAL, "more than one key");
        refused("", 0, -EINVAL, "not an armored");
        refused("hello\n", 6, -EINVAL, "not an armored");
        refused("\x99\x01\x0d", 3, -EINVAL, "not an armored");
        refused(private, strlen(private), -EINVAL, "private key");
        refused(empty, strlen(empty), -EINVAL, "not an armored");
        refused(alice, strlen(alice) / 2, -EBADMSG, "end is missing");
        big = calloc(1, PGP_KEY_FILE_MAX + 1);
        memset(big, '\n', PGP_KEY_FILE_MAX + 1);
        refused(big, PGP_KEY_FILE_MAX + 1, -E2BIG, "larger");
        for (at = 0; strncmp(alice + at, "mDME", 4) != 0; at++)
                assert_int_not_equal(alice[at], '\0');
        alice[at + 10] = alice[at + 10] == 'A' ? 'B' : 'A';
        refused(alice, strlen(alice), -EBADMSG, "damaged");
}

static char *put(const char *top, const char *path, const char *text) {
        char *full = strf("%s/%s", top, path);
        _cleanup_free_ char *folder = strndup(full, (size_t) (strrchr(full, '/') - full));

        assert_int_equal(mkdir_parents_at(AT_FDCWD, folder, 0755), 0);
        assert_int_equal(file_write_at(AT_FDCWD, full, text, strlen(text), 0644, FILE_WRITE_NO_SYNC), 0);
        return full;
}
#define PUT(...) free(put(__VA_ARGS__))

static bool trusts(const Keyring *k, const char *fingerprint, const char *name) {
        return keyring_find(k, fingerprint, name) != NULL;
}

static void test_load(void **state) {
        char top[] = "/tmp/test-keyring-XXXXXX";
        _cleanup_free_ char *alice = load("alice"), *bob = load("bob"), *system = NULL, *local = NULL,
                            *path = NULL;
        _cleanup_(keyring_freep) Keyring *k = NULL, *masked = NULL;

        assert_non_null(mkdtemp(top));
        system = strf("%s/system", top);
        local = strf("%s/local", top);
        PUT(system, "trustedkeys/prefix.d/example.com/app/" ALICE, alice);
        PUT(system, "trustedkeys/root.d/" BOB, bob);
        PUT(local, "trustedkeys/prefix.d/example.org/" BOB, alice); /* the name lies */
        PUT(local, "trustedkeys/prefix.d/example.org/README", "not a key");
        PUT(local, "trustedkeys/root.d/" ALICE ".bak", alice);
        assert_int_equal(keyring_load(system, local, &k, NULL), 0);
        assert_int_equal(k->n_keys, 2);
        path = strf("%s/trustedkeys/root.d/" BOB, system);
        assert_string_equal(keyring_find(k, BOB, NULL)->path, path);
        assert_int_equal(strv_length(k->warnings), 1);
        assert_non_null(strstr(k->warnings[0], "has the fingerprint " ALICE));
        assert_true(trusts(k, ALICE, "example.com/app"));
        assert_true(trusts(k, ALICE, "example.com/app/sub"));
        assert_false(trusts(k, ALICE, "example.com/application"));
        assert_false(trusts(k, ALICE, "example.com"));
        assert_false(trusts(k, ALICE, "example.org"));
        assert_true(trusts(k, BOB, "anything.example"));
        /* An empty local file hides the system's. */
        PUT(local, "trustedkeys/root.d/" BOB, "");
        assert_int_equal(keyring_load(system, local, &masked, NULL), 0);
        assert_int_equal(masked->n_keys, 1);
        assert_false(trusts(masked, BOB, "anything.example"));
        assert_true(trusts(masked, ALICE, "example.com/app"));
        assert_int_equal(remove_tree_at(AT_FDCWD, top), 0);
}

static void test_add(void **state) {
        char top[] = "/tmp/test-keyring-XXXXXX";
        _cleanup_free_ char *alice = load("alice"), *bob = load("bob"), *path = NULL, *path2 = NULL,
                            *expect = NULL, *binary = NULL;
        _cleanup_(pgp_key_done) PgpKey a = PGP_KEY_INIT, b = PGP_KEY_INIT;
        _cleanup_(keyring_freep) Keyring *k = NULL;
        size_t n;

        assert_non_null(mkdtemp(top));
        assert_int_equal(pgp_key_parse(alice, strlen(alice), &a, NULL), 0);
        assert_int_equal(pgp_key_parse(bob, strlen(bob), &b, NULL), 0);
        assert_int_equal(keyring_add(top, "example.com/app", &a, &path, NULL), 0);
        expect = strf("%s/trustedkeys/prefix.d/example.com/app/" ALICE, top);
        assert_string_equal(path, expect);
        assert_int_equal(keyring_add(top, NULL, &b, &path2, NULL), 0);
        assert_int_equal(keyring_add(top, "../../etc", &b, &path2, NULL), -EINVAL);
        assert_int_equal(keyring_add(top, "a/../b", &b, &path2, NULL), -EINVAL);
        assert_int_equal(keyring_load("/nonexistent", top, &k, NULL), 0);
        assert_int_equal(k->n_keys, 2);
        assert_true(trusts(k, ALICE, "example.com/app"));
        assert_false(trusts(k, ALICE, "example.com/other"));
        assert_true(trusts(k, BOB, "example.com/other"));
        assert_int_equal(keyring_to_binary(k, &binary, &n), 0);
        assert_int_equal(n, k->keys[0].key.size + k->keys[1].key.size);
        assert_int_equal(remove_tree_at(AT_FDCWD, top), 0);
}

static void test_remove(void **state) {
        char top[] = "/tmp/test-keyring-XXXXXX";
        _cleanup_free_ char *alice = load("alice"), *bob = load("bob"), *system = NULL, *local = NULL,
                            *removed = NULL, *hidden = NULL, *expect = NULL, *none = NULL;
        _cleanup_(keyring_freep) Keyring *k = NULL;

        assert_non_null(mkdtemp(top));
        system = strf("%s/system", top);
        local = strf("%s/local", top);
        PUT(system, "trustedkeys/root.d/" BOB, bob);
        PUT(local, "trustedkeys/prefix.d/example.com/" ALICE, alice);
        assert_int_equal(keyring_remove(system, local, "example.org", ALICE, &none, NULL), -ENOENT);
        assert_int_equal(keyring_remove(system, local, NULL, ALICE, &none, NULL), -ENOENT);
        assert_int_equal(keyring_remove(system, local, "../x", ALICE, &none, NULL), -EINVAL);
        assert_int_equal(keyring_remove(system, local, NULL, "../" ALICE, &none, NULL), -EINVAL);
        assert_int_equal(keyring_remove(system, local, "example.com", ALICE, &removed, NULL), 0);
        assert_int_equal(access(removed, F_OK), -1);
        assert_int_equal(keyring_remove(system, local, NULL, BOB, &hidden, NULL), 1);
        expect = strf("%s/trustedkeys/root.d/" BOB, local);
        assert_string_equal(hidden, expect);
        assert_int_equal(keyring_remove(system, local, NULL, BOB, &none, NULL), -ENOENT);
        assert_int_equal(keyring_load(system, local, &k, NULL), 0);
        assert_int_equal(k->n_keys, 0);
        assert_int_equal(remove_tree_at(AT_FDCWD, top), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),   cmocka_unit_test(test_parse_bad),
                cmocka_unit_test(test_several), cmocka_unit_test(test_clean),
                cmocka_unit_test(test_load),    cmocka_unit_test(test_add),
                cmocka_unit_test(test_remove),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
