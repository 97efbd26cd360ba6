/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What rkt-cosign and its reader read. The first byte chooses: p payload, b bundle, k key, q request, a answer. The build's
 * corpus has real ones; what is accepted says what was asked for. */
#include "basic/str.h"
#include "basic/strv.h"
#include "oci/cosign-protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DIGEST "sha256:05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f"

/* Of openssl's making; its signature is in the corpus. */
static const char key_pem[] = "-----BEGIN PUBLIC KEY-----\n"
                              "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE3hD2oX13MQI6IfEWJzTCip/GjSwV\n"
                              "thaCHAg/VoX8UkV3RCuF36gqOPWL1DMgrMlP6Tr5uU+DF4zUBBxviLaK6w==\n"
                              "-----END PUBLIC KEY-----\n";

static void fuzz_payload(const char *s, size_t size, const CosignAsked *asked) {
        _cleanup_error_ Error e = ERROR_INIT;
        usec_t when = 0;

        if (cosign_payload_check(s, size, COSIGN_PAYLOAD_COSIGN, asked, &when, &e) < 0) {
                assert(e.message);
                return;
        }
        assert(memmem(s, size, "sha256", 6) && when <= UINT32_MAX * USEC_PER_SEC);
}

static void fuzz_bundle(const char *s, size_t size, const CosignAsked *asked) {
        _cleanup_(cosign_key_done) CosignKey key = COSIGN_KEY_INIT;
        _cleanup_error_ Error e = ERROR_INIT;
        OciSignature b = { .kind = OCI_SIGNATURE_BUNDLE, .payload = strndup(s, size), .payload_size = size };

        assert(cosign_key_parse(key_pem, strlen(key_pem), &key, NULL) == 0);
        if (b.payload && cosign_verify(&b, &key, asked, NULL, &e) < 0)
                assert(e.message);
        oci_signature_done(&b);
}

/* The same key, however often it is written. */
static void fuzz_key(const char *s, size_t size) {
        _cleanup_(cosign_key_done) CosignKey key = COSIGN_KEY_INIT, again = COSIGN_KEY_INIT;

        if (cosign_key_parse(s, size, &key, NULL) < 0)
                return;
        assert(cosign_key_from_der(key.der, key.size, &again, NULL) == 0);
        assert(streq(key.fingerprint, again.fingerprint) && streq(key.kind, again.kind));
}

static void fuzz_request(const char *s, size_t size) {
        _cleanup_(cosign_request_done) CosignRequest q = {}, again = {};
        _cleanup_free_ char *bytes = NULL;
        size_t n = 0;

        if (cosign_request_decode(s, size, &q, NULL) < 0)
                return;
        assert(q.n_keys <= COSIGN_KEYS_MAX && q.n_signatures <= COSIGN_SIGNATURES_MAX);
        if (cosign_request_encode(&q, &bytes, &n) < 0)
                return;
        assert(cosign_request_decode(bytes, n, &again, NULL) == 0);
        assert(again.n_keys == q.n_keys && again.n_signatures == q.n_signatures);
}

static void fuzz_answer(const char *s, size_t size) {
        _cleanup_free_ CosignVerdict *v = NULL;

        if (size == 0 || cosign_answer_decode(s + 1, size - 1, 3, (size_t) (s[0] & 7), &v, NULL) < 0)
                return;
        FOREACH_ARRAY (i, v, (size_t) (s[0] & 7)) {
                assert(i->r <= 0 && (i->r < 0 || i->key < 3));
                for (const char *c = i->text; *c; c++)
                        assert(*c >= ' ' && *c <= '~');
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *digests[] = { (char[]){ DIGEST }, NULL };
        const char *bytes = (const char *) data + 1;
        _cleanup_(oci_name_freep) OciName *name = NULL;
        CosignAsked asked = { .digests = digests };

        if (size == 0 || oci_name_parse("docker://registry.example.com/team/app:1", &name, NULL) < 0)
                return 0;
        asked.name = name;
        switch (*data) {
        case 'p': fuzz_payload(bytes, size - 1, &asked); break;
        case 'b': fuzz_bundle(bytes, size - 1, &asked); break;
        case 'k': fuzz_key(bytes, size - 1); break;
        case 'q': fuzz_request(bytes, size - 1); break;
        case 'a': fuzz_answer(bytes, size - 1); break;
        default: break;
        }
        return 0;
}
