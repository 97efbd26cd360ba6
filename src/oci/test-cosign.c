/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys and signatures made by openssl (test/data/cosign/make.sh), and what may not pass for one. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "oci/cosign-protocol.h"

#define MANIFEST "sha256:05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f"
#define OTHER    "sha256:0000000000000000000000000000000000000000000000000000000000000000"
#define NAME     "docker://registry.example.com/team/app"

static char *data(const char *name) {
        _cleanup_free_ char *path = strf("%s/data/cosign/%s", getenv("RKT_TEST_DATA"), name);
        char *text = NULL;

        assert_int_equal(file_read_at(AT_FDCWD, path, 65536, &text, NULL), 0);
        return text;
}

static void load_key(const char *name, CosignKey *ret) {
        _cleanup_free_ char *file = strf("%s.pub", name), *pem = data(file);

        assert_int_equal(cosign_key_parse(pem, strlen(pem), ret, NULL), 0);
}

static void test_keys(void **state) {
        static const struct {
                const char *file, *kind;
                int r;
        } cases[] = {
                { "p256", "ECDSA P-256", 0 },
                { "p384", "ECDSA P-384", 0 },
                { "ed25519", "Ed25519", 0 },
                { "rsa2048", "RSA with 2048 bits", 0 },
                { "rsa1024", "this has 1024", -EKEYREJECTED },
                { "p521", "SECP521R1", -EKEYREJECTED },
                { "k256", "", -EBADMSG }, /* GnuTLS does not know the curve */
                { "dsa", "this is DSA", -EKEYREJECTED },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_(cosign_key_done) CosignKey key = COSIGN_KEY_INIT, again = COSIGN_KEY_INIT;
                _cleanup_free_ char *file = strf("%s.pub", c->file), *pem = data(file), *written = NULL;
                _cleanup_error_ Error e = ERROR_INIT;
                int r = cosign_key_parse(pem, strlen(pem), &key, &e);

                print_message("# %s: %s\n", c->file, r < 0 ? e.message : key.kind);
                assert_int_equal(r, c->r);
                assert_non_null(strstr(r < 0 ? e.message : key.kind, c->kind));
                if (r < 0)
                        continue;
                assert_int_equal(strlen(key.fingerprint), strlen("SHA256:") + 64);
                assert_int_equal(cosign_key_to_pem(&key, &written), 0);
                assert_int_equal(cosign_key_parse(written, strlen(written), &again, NULL), 0);
                assert_string_equal(key.fingerprint, again.fingerprint);
        }
}

static void test_key_files(void **state) {
        _cleanup_free_ char *a = data("p256.pub"), *b = data("p384.pub"), *two = strf("%s%s", a, b),
                            *commented = strf("# of our team\n%s", a), *half = strndup(a, strlen(a) / 2);
        static const char private[] = "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAAAA\n";
        _cleanup_(cosign_key_done) CosignKey key = COSIGN_KEY_INIT, none = COSIGN_KEY_INIT;
        _cleanup_error_ Error e = ERROR_INIT;

        assert_int_equal(cosign_key_parse(commented, strlen(commented), &key, NULL), 0);
        assert_int_equal(cosign_key_parse(two, strlen(two), &none, &e), -EBADMSG);
        assert_non_null(strstr(e.message, "more than one key"));
        assert_int_equal(cosign_key_parse(private, strlen(private), &none, &e), -EBADMSG);
        assert_non_null(strstr(e.message, "must stay secret"));
        assert_int_equal(cosign_key_parse(half, strlen(half), &none, &e), -EBADMSG);
        assert_int_equal(cosign_key_parse("", 0, &none, &e), -EBADMSG);
        assert_int_equal(cosign_key_from_der(key.der, key.size - 1, &none, &e), -EBADMSG);
        assert_int_equal(cosign_key_from_der(key.der, 0, &none, &e), -EBADMSG);
}

/* Holds what a check needs; @name as docker://. */
typedef struct Asked {
        OciName *name;
        char *digests[3];
        CosignAsked asked;
} Asked;

static void asked_init(Asked *a, const char *name, const char *digest, CosignIdentity identity) {
        *a = (Asked){ .digests = { strdup(OTHER), strdup(digest), NULL } };
        assert_int_equal(oci_name_parse(name, &a->name, NULL), 0);
        a->asked = (CosignAsked){ .name = a->name, .digests = a->digests, .identity = identity };
}

static void asked_done(Asked *a) {
        (void) oci_name_free(a->name);
        free(a->digests[0]);
        free(a->digests[1]);
}

static int verify(const char *key_name, OciSignatureKind kind, const char *payload, const char *signature,
                  const CosignAsked *asked, Error *e) {
        _cleanup_(cosign_key_done) CosignKey key = COSIGN_KEY_INIT;
        _cleanup_(oci_signature_done) OciSignature s = { .kind = kind,
                                                         .payload = strdup(payload),
                                                         .payload_size = strlen(payload),
                                                         .signature = signature ? strdup(signature) : NULL };
        usec_t when = 0;
        int r;

        load_key(key_name, &key);
        r = cosign_verify(&s, &key, asked, &when, e);
        if (r >= 0 && kind == OCI_SIGNATURE_COSIGN)
                assert_int_equal(when, UINT64_C(1795317166) * USEC_PER_SEC);
        return r;
}

static void test_signatures(void **state) {
        static const struct {
                const char *key, *signature;
                int r;
        } cases[] = {
                { "p256", "p256", 0 },
                { "p384", "p384", 0 },
                { "p384", "p384-sha384", 0 },
                { "ed25519", "ed25519", 0 },
                { "rsa2048", "rsa2048", 0 },
                { "rsa2048", "rsa2048-pss", 0 },
                { "p256", "p384", -EKEYREJECTED },
                { "p384", "p256", -EKEYREJECTED },
                { "p256", "ed25519", -EKEYREJECTED },
                { "ed25519", "p256", -EKEYREJECTED },
                { "rsa2048", "rsa1024", -EKEYREJECTED },
                { "p256", "p256-sha1", -EKEYREJECTED },
                { "rsa2048", "rsa2048-sha1", -EKEYREJECTED },
        };
        _cleanup_free_ char *payload = data("payload"), *changed = strf("%s ", payload);
        _cleanup_(asked_done) Asked a;

        asked_init(&a, NAME ":1", MANIFEST, COSIGN_IDENTITY_MATCH);
        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_free_ char *file = strf("%s.sig", c->signature), *signature = data(file);
                _cleanup_error_ Error e = ERROR_INIT;
                int r = verify(c->key, OCI_SIGNATURE_COSIGN, payload, signature, &a.asked, &e);

                print_message("# %s with %s: %s\n", c->signature, c->key, r < 0 ? e.message : "good");
                assert_int_equal(r, c->r);
                assert_int_equal(verify(c->key, OCI_SIGNATURE_COSIGN, changed, signature, &a.asked, NULL),
                                 -EKEYREJECTED);
        }
        assert_int_equal(verify("p256", OCI_SIGNATURE_COSIGN, payload, "", &a.asked, NULL), -EBADMSG);
        assert_int_equal(verify("p256", OCI_SIGNATURE_COSIGN, payload, "%%%", &a.asked, NULL), -EBADMSG);
        assert_int_equal(verify("p256", OCI_SIGNATURE_COSIGN, payload, "AAAA", &a.asked, NULL),
                         -EKEYREJECTED);
        assert_int_equal(verify("p256", OCI_SIGNATURE_COSIGN, payload, NULL, &a.asked, NULL), -EBADMSG);
        assert_int_equal(verify("p256", OCI_SIGNATURE_OPENPGP, payload, NULL, &a.asked, NULL), -EBADMSG);
}

static void test_bundles(void **state) {
        static const char *const keys[] = { "p256", "p384", "ed25519", "rsa2048" };
        _cleanup_(asked_done) Asked a, other, exact;

        asked_init(&a, NAME ":1", MANIFEST, COSIGN_IDENTITY_MATCH);
        asked_init(&other, NAME ":1", OTHER, COSIGN_IDENTITY_MATCH);
        asked_init(&exact, NAME ":1", MANIFEST, COSIGN_IDENTITY_EXACT);
        FOREACH_ARRAY (k, keys, ELEMENTSOF(keys)) {
                _cleanup_free_ char *file = strf("%s.bundle", *k), *bundle = data(file);
                const char *wrong = streq(*k, "p256") ? "p384" : "p256";
                _cleanup_error_ Error e = ERROR_INIT;

                assert_int_equal(verify(*k, OCI_SIGNATURE_BUNDLE, bundle, NULL, &a.asked, &e), 0);
                assert_int_equal(verify(wrong, OCI_SIGNATURE_BUNDLE, bundle, NULL, &a.asked, &e),
                                 -EKEYREJECTED);
                assert_int_equal(verify(*k, OCI_SIGNATURE_BUNDLE, bundle, NULL, &other.asked, &e), -EBADMSG);
                assert_non_null(strstr(e.message, "another image"));
                assert_int_equal(verify(*k, OCI_SIGNATURE_BUNDLE, bundle, NULL, &exact.asked, &e), -EPERM);
        }
}

static void replace(char **text, const char *from, const char *to) {
        char *at = strstr(*text, from), *changed;

        assert_non_null(at);
        changed = strf("%.*s%s%s", (int) (at - *text), *text, to, at + strlen(from));
        free(*text);
        *text = changed;
}

/* Around the signature: what makes a bundle none. */
static void test_bad_bundles(void **state) {
        static const struct {
                const char *from, *to, *part;
        } cases[] = {
                { "v0.3+json", "v0.2+json", "no bundle of version 0.3" },
                { "{\"publicKey\"", "{\"certificate\":{},\"publicKey\"", "keyless" },
                { "\"dsseEnvelope\"", "\"messageSignature\"", "does not sign an image" },
                { "in-toto+json", "in-toto+yaml", "payloadType" },
                { "\"signatures\":[", "\"signatures\":[{\"sig\":\"AAAA\"},", "there are 2 signatures" },
                { "\"payload\":\"", "\"payload\":\"%%", "no base64" },
                { "\"payload\":\"ey", "\"payload\":\"fy", "not made by" },
                { "{\"mediaType\"", "[{\"mediaType\"", "bundle" },
                { "\"sig\":\"", "\"sig\":\"AAAA\",\"sig\":\"", "sig" },
        };
        _cleanup_(asked_done) Asked a;

        asked_init(&a, NAME ":1", MANIFEST, COSIGN_IDENTITY_MATCH);
        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_free_ char *bundle = data("p256.bundle");
                _cleanup_error_ Error e = ERROR_INIT;

                replace(&bundle, c->from, c->to);
                assert_true(verify("p256", OCI_SIGNATURE_BUNDLE, bundle, NULL, &a.asked, &e) < 0);
                if (!strstr(e.message, c->part))
                        fail_msg("%s: '%s' is not in it", e.message, c->part);
        }
}

#define PAYLOAD(type, digest, reference)                                                                     \
        "{\"critical\":{\"type\":\"" type "\",\"image\":{\"docker-manifest-digest\":\"" digest               \
        "\"},\"identity\":{\"docker-reference\":\"" reference "\"}},\"optional\":null}"
#define COSIGN(reference) PAYLOAD("cosign container image signature", MANIFEST, reference)

/* What is signed and well, but says something else (ecosystem 1.8). */
static void test_bad_payloads(void **state) {
        static const struct {
                const char *payload, *part;
        } cases[] = {
                { PAYLOAD("atomic container signature", MANIFEST, "registry.example.com/team/app"),
                  "has the type" },
                { PAYLOAD("cosign container image signature",
                          "sha256:1111111111111111111111111111111111111111111111111111111111111111",
                          "registry.example.com/team/app"),
                  "wanted is " OTHER },
                { PAYLOAD("cosign container image signature", "sha256:11", "registry.example.com/team/app"),
                  "digest" },
                { COSIGN("registry.example.com/team/application"), "not for registry.example.com/team/app" },
                { COSIGN("registry.example.com:5000/team/app"), "not for" },
                { COSIGN("team/app"), "not for" },
                { COSIGN(""), "no name of an image" },
                { COSIGN("docker://registry.example.com/team/app"), "no name of an image" },
                { COSIGN("registry.example.com/team/app\\n"), "no name of an image" },
                { COSIGN("registry.example.com/team/app:2"), "not for '1'" },
                { "{\"critical\":{},\"optional\":{}}", "critical" },
                { "{\"optional\":{}}", "'critical' is missing" },
                { "{\"critical\":[],\"optional\":{}}", "critical" },
                { "{\"critical\":{},\"critical\":{}}", "critical" },
                { "{\"critical\":{\"type\":\"x\",\"type\":\"y\"}}", "type" },
                { "{\"critical\":{\"types\":\"x\"}}", "unknown member 'types'" },
                { "{\"critical\":{\"image\":{\"docker-manifest-digest\":\"" MANIFEST "\",\"x\":1}}}",
                  "unknown member 'x'" },
                { "{\"more\":1}", "unknown member 'more'" },
                { "[]", "what is signed" },
                { "", "what is signed" },
        };
        _cleanup_(asked_done) Asked a;

        asked_init(&a, NAME ":1", MANIFEST, COSIGN_IDENTITY_MATCH);
        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_error_ Error e = ERROR_INIT;
                int r = cosign_payload_check(c->payload, strlen(c->payload), COSIGN_PAYLOAD_COSIGN, &a.asked,
                                             NULL, &e);

                if (r >= 0 || !strstr(e.message, c->part))
                        fail_msg("%s: %s: '%s' is not in it", c->payload, str_or(e.message, "good"), c->part);
        }
}

static void test_identity(void **state) {
        static const struct {
                const char *asked, *reference;
                bool match, repository, exact;
        } cases[] = {
                { NAME ":1", "registry.example.com/team/app", true, true, false },
                { NAME ":1", "registry.example.com/team/app:1", true, true, true },
                { NAME ":1", "registry.example.com/team/app:2", false, true, false },
                { NAME, "registry.example.com/team/app:latest", true, true, true },
                { NAME, "registry.example.com/team/app", true, true, false },
                { NAME "@" MANIFEST, "registry.example.com/team/app:7", true, true, false },
                { NAME "@" MANIFEST, "registry.example.com/team/app@" MANIFEST, true, true, true },
                { NAME "@" MANIFEST, "registry.example.com/team/app@" OTHER, true, true, false },
                { NAME ":1", "registry.example.com/team/app@" MANIFEST, false, true, false },
                { "docker://redis:7", "index.docker.io/library/redis", true, true, false },
                { "docker://redis:7", "docker.io/library/redis:7", true, true, true },
                { "docker://redis:7", "redis:7", true, true, true },
                { "docker://localhost:5000/a:1", "localhost:5000/a", true, true, false },
                { "docker://localhost:5000/a:1", "localhost:5001/a", false, false, false },
                { "docker://localhost:5000/a:1", "localhost:5000/a/b", false, false, false },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_free_ char *payload =
                        strf(PAYLOAD("cosign container image signature", MANIFEST, "%s"), c->reference);
                const bool expected[_COSIGN_IDENTITY_MAX] = { [COSIGN_IDENTITY_MATCH] = c->match,
                                                              [COSIGN_IDENTITY_REPOSITORY] = c->repository,
                                                              [COSIGN_IDENTITY_EXACT] = c->exact };

                for (CosignIdentity i = 0; i < _COSIGN_IDENTITY_MAX; i++) {
                        _cleanup_(asked_done) Asked a;
                        _cleanup_error_ Error e = ERROR_INIT;
                        int r;

                        asked_init(&a, c->asked, MANIFEST, i);
                        r = cosign_payload_check(payload, strlen(payload), COSIGN_PAYLOAD_COSIGN, &a.asked,
                                                 NULL, &e);
                        if ((r >= 0) != expected[i])
                                fail_msg("%s by %s, %s: %s", c->asked, c->reference,
                                         cosign_identity_to_string(i), str_or(e.message, "good"));
                }
                assert_int_equal(cosign_identity_from_string("match"), COSIGN_IDENTITY_MATCH);
                assert_int_equal(cosign_identity_from_string("any"), _COSIGN_IDENTITY_INVALID);
        }
}

/* Through both codings: some signatures, some keys. */
static void test_protocol(void **state) {
        _cleanup_free_ char *payload = data("payload"), *good = data("ed25519.sig"),
                            *bundle = data("p256.bundle"), *bytes = NULL, *answer = NULL;
        OciSignature signatures[] = {
                { OCI_SIGNATURE_COSIGN, payload, strlen(payload), good },
                { OCI_SIGNATURE_BUNDLE, bundle, strlen(bundle), NULL },
                { OCI_SIGNATURE_COSIGN, bundle, strlen(bundle), good },
        };
        CosignKey keys[2] = { COSIGN_KEY_INIT, COSIGN_KEY_INIT };
        _cleanup_(cosign_request_done) CosignRequest back = {};
        _cleanup_free_ CosignVerdict *read_back = NULL;
        CosignVerdict verdicts[3] = {};
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_(asked_done) Asked a;
        CosignRequest q;
        size_t size = 0;

        asked_init(&a, NAME ":1", MANIFEST, COSIGN_IDENTITY_MATCH);
        load_key("p256", &keys[0]);
        load_key("ed25519", &keys[1]);
        q = (CosignRequest){ keys, 2, a.name, a.digests, a.asked.identity, signatures, 3 };
        assert_int_equal(cosign_request_encode(&q, &bytes, &size), 0);
        assert_int_equal(cosign_request_decode(bytes, size, &back, NULL), 0);
        assert_int_equal(back.n_keys, 2);
        assert_int_equal(back.n_signatures, 3);
        cosign_judge(&back, verdicts);
        assert_int_equal(verdicts[0].r, 0);
        assert_int_equal(verdicts[0].key, 1);
        assert_int_equal(verdicts[1].r, 0);
        assert_int_equal(verdicts[1].key, 0);
        assert_int_equal(verdicts[2].r, -EKEYREJECTED);
        assert_non_null(strstr(verdicts[2].text, "none of the 2 keys"));
        for (size_t n = 0; n < size; n += 37)
                (void) cosign_request_decode(bytes, n, &(CosignRequest){}, &e); /* leaks would be seen */

        free(TAKE_PTR(bytes));
        assert_int_equal(cosign_answer_encode(verdicts, 3, &answer, &size), 0);
        assert_int_equal(cosign_answer_decode(answer, size, 2, 3, &read_back, NULL), 0);
        assert_int_equal(read_back[1].key, 0);
        assert_string_equal(read_back[2].text, verdicts[2].text);
        free(TAKE_PTR(read_back));
        assert_int_equal(cosign_answer_decode(answer, size, 1, 3, &read_back, &e), -EPROTO); /* no such key */
        assert_int_equal(cosign_answer_decode(answer, size, 2, 2, &read_back, &e), -EPROTO);
        assert_int_equal(cosign_answer_decode(answer, size, 2, 4, &read_back, &e), -EPROTO);
        assert_int_equal(cosign_answer_decode(answer, size - 1, 2, 3, &read_back, &e), -EPROTO);
        assert_int_equal(cosign_answer_decode(answer, 0, 2, 3, &read_back, &e), -EPROTO);
        cosign_key_done(&keys[0]);
        cosign_key_done(&keys[1]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_keys),        cmocka_unit_test(test_key_files),
                cmocka_unit_test(test_signatures),  cmocka_unit_test(test_bundles),
                cmocka_unit_test(test_bad_bundles), cmocka_unit_test(test_bad_payloads),
                cmocka_unit_test(test_identity),    cmocka_unit_test(test_protocol),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
