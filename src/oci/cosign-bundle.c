/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bundles of sigstore, version 0.3, as cosign writes them: an envelope (DSSE) around a statement (in-toto) that names
 * digests. The envelope must be read before the signature in it can be checked; so this runs where nothing else is. */
#include "basic/digest.h"
#include "basic/json.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "oci/cosign-internal.h"
#include "oci/cosign.h"
#include "oci/oci-digest.h"

#define TYPE_BUNDLE_OLD "application/vnd.dev.sigstore.bundle+json;version=0.3"
#define TYPE_STATEMENT  "application/vnd.in-toto+json"
#define STATEMENT       "https://in-toto.io/Statement/v1"
#define STATEMENT_OLD   "https://in-toto.io/Statement/v0.1"
#define PREDICATE       "https://sigstore.dev/cosign/sign/v1"

/* ---- the envelope ---- */

typedef struct EnvelopeSignature {
        char *sig;
} EnvelopeSignature;

typedef struct Envelope {
        char *payload;
        char *type;
        EnvelopeSignature *signatures;
        size_t n_signatures;
} Envelope;

static void signature_done(void *p) {
        EnvelopeSignature *s = p;

        free(s->sig);
}

static const JsonField signature_fields[] = {
        JSON_ROW("sig", json_kind_string, EnvelopeSignature, sig, JSON_MANDATORY),
        {},
};

static const JsonStruct signature_type = {
        .size = sizeof(EnvelopeSignature),
        .fields = signature_fields,
        .flags = JSON_OPEN,
        .done = signature_done,
};

static const JsonField envelope_fields[] = {
        JSON_ROW("payload", json_kind_string, Envelope, payload, JSON_MANDATORY),
        JSON_ROW("payloadType", json_kind_string, Envelope, type, JSON_MANDATORY),
        JSON_LIST_ROW("signatures", Envelope, signatures, signature_type, JSON_MANDATORY),
        {},
};

static void envelope_done(Envelope *v) {
        free(v->payload);
        free(v->type);
        json_list_free(&signature_type, v->signatures, v->n_signatures);
}

static bool is_text(const JsonValue *v, const char *s) {
        return v && json_type(v) == JSON_STRING && streq(json_text(v), s);
}

static int read_envelope(const JsonValue *bundle, Envelope *ret, Error *e) {
        const JsonValue *type = json_get(bundle, "mediaType");
        const JsonValue *envelope = json_get(bundle, "dsseEnvelope");
        const JsonValue *material = json_get(bundle, "verificationMaterial");
        int r;

        if (!is_text(type, COSIGN_TYPE_BUNDLE) && !is_text(type, TYPE_BUNDLE_OLD))
                return error_setf(e, -EOPNOTSUPP, "it is no bundle of version 0.3 (" COSIGN_TYPE_BUNDLE ")");
        if (material && json_type(material) == JSON_OBJECT &&
            (json_get(material, "certificate") || json_get(material, "x509CertificateChain")))
                return error_setf(e, -EOPNOTSUPP,
                                  "it was signed with a certificate (keyless), which is not supported; sign "
                                  "with a key");
        if (!envelope)
                return error_setf(e, -EOPNOTSUPP, "it has no 'dsseEnvelope': it does not sign an image");
        r = json_map(envelope, envelope_fields, JSON_OPEN, ret, e);
        if (r < 0)
                return error_prefixf(e, r, "dsseEnvelope");
        if (!streq(ret->type, TYPE_STATEMENT))
                return error_setf(e, -EBADMSG, "dsseEnvelope: payloadType is '%.100s', not " TYPE_STATEMENT,
                                  ret->type);
        if (ret->n_signatures != 1)
                return error_setf(e, -EBADMSG, "dsseEnvelope: there are %zu signatures, wanted is one",
                                  ret->n_signatures);
        return 0;
}

/* What the signature is over: the type is signed, too, and no text of one field can look like another. */
static int encode(const char *type, const gnutls_datum_t *payload, StrBuf *ret) {
        strbuf_addf(ret, "DSSEv1 %zu %s %u ", strlen(type), type, payload->size);
        strbuf_add_n(ret, (const char *) payload->data, payload->size);
        return ret->failed ? -ENOMEM : 0;
}

/* ---- the statement ---- */

/* @digests: { "sha256": "05b3..." } */
static bool names_digest(const JsonValue *digests, const char *wanted) {
        DigestType type;
        const char *hex;

        if (!digests || json_type(digests) != JSON_OBJECT || oci_digest_parse(wanted, &type, &hex, NULL) < 0)
                return false;
        return is_text(json_get(digests, type == DIGEST_SHA256 ? "sha256" : "sha512"), hex);
}

static int check_subjects(const JsonValue *subjects, const CosignAsked *asked, Error *e) {
        int r;

        if (!subjects)
                return error_setf(e, -ENODATA, "'subject' is missing");
        r = json_expect(subjects, JSON_ARRAY, e);
        if (r < 0)
                return error_prefixf(e, r, "subject");
        JSON_FOREACH (s, subjects) {
                if (json_type(s) != JSON_OBJECT)
                        continue;
                for (char *const *d = asked->digests; d && *d; d++)
                        if (names_digest(json_get(s, "digest"), *d))
                                return 0;
        }
        return error_setf(e, -EBADMSG, "the signature is for another image, wanted is %s",
                          asked->digests && *asked->digests ? *asked->digests : "none");
}

static int check_statement(const gnutls_datum_t *payload, const CosignAsked *asked, Error *e) {
        _cleanup_(json_freep) JsonValue *v = NULL;
        const JsonValue *type, *predicate;
        int r;

        r = json_parse((const char *) payload->data, payload->size, &v, e);
        if (r >= 0)
                r = json_expect(v, JSON_OBJECT, e);
        if (r < 0)
                return r;
        type = json_get(v, "_type");
        if (!is_text(type, STATEMENT) && !is_text(type, STATEMENT_OLD))
                return error_setf(e, -EBADMSG, "'_type' is not " STATEMENT);
        /* The same key may sign what it knows about an image (how it was built, what is in it): that is no consent. */
        predicate = json_get(v, "predicateType");
        if (!is_text(predicate, PREDICATE))
                return error_setf(e, -EBADMSG, "'predicateType' is '%.100s', not " PREDICATE,
                                  predicate && json_type(predicate) == JSON_STRING ? json_text(predicate)
                                                                                   : "");
        return check_subjects(json_get(v, "subject"), asked, e);
}

/**
 * cosign_bundle_verify() - check a bundle with one key
 * @s:     its payload is the bundle, hostile
 * @key:   public key
 * @asked: what must be signed; COSIGN_IDENTITY_EXACT is never met, because there is no name in a bundle
 * @e:     sentence on failure
 *
 * Return: 0, -EKEYREJECTED (not signed by this key), -EOPNOTSUPP (another version, or no key), -EBADMSG (about something
 * else), -EPERM (it names no image, but must), those of json_parse() and json_map().
 */
int cosign_bundle_verify(const OciSignature *s, const CosignKey *key, const CosignAsked *asked, Error *e) {
        _cleanup_(envelope_done) Envelope envelope = {};
        _cleanup_(cosign_datum_done) gnutls_datum_t payload = {};
        _cleanup_(json_freep) JsonValue *v = NULL;
        _cleanup_strbuf_ StrBuf signed_data = STRBUF_INIT;
        int r;

        r = json_parse(s->payload, s->payload_size, &v, e);
        if (r >= 0)
                r = json_expect(v, JSON_OBJECT, e);
        if (r >= 0)
                r = read_envelope(v, &envelope, e);
        if (r >= 0 && cosign_base64_decode(envelope.payload, &payload) < 0)
                r = error_setf(e, -EBADMSG, "dsseEnvelope: the payload is no base64 text");
        if (r < 0)
                return error_prefixf(e, r, "bundle");
        if (encode(envelope.type, &payload, &signed_data) < 0)
                return error_oom(e);
        r = cosign_check_signature(key, signed_data.data, signed_data.size, envelope.signatures[0].sig, e);
        if (r < 0)
                return r;
        r = check_statement(&payload, asked, e);
        if (r < 0)
                return error_prefixf(e, r, "what is signed");
        if (asked->identity == COSIGN_IDENTITY_EXACT)
                return error_setf(e, -EPERM, "a bundle says no name, which Identity=exact wants");
        return 0;
}
