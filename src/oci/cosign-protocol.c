/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests and answers of rkt-cosign as bytes: fields of a type, a length and what the type says. */
#include <stdio.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "oci/cosign-protocol.h"

typedef enum FieldType {
        FIELD_NAME,      /* docker://..., text */
        FIELD_DIGEST,    /* text */
        FIELD_IDENTITY,  /* uint32_t */
        FIELD_KEY,       /* DER */
        FIELD_COSIGN,    /* payload of a signature of this kind */
        FIELD_BUNDLE,    /* the same */
        FIELD_SIGNATURE, /* text of the signature that came last */
        _FIELD_TYPE_MAX,
} FieldType;

typedef struct FieldHeader {
        uint32_t type;
        uint32_t size;
} FieldHeader;

typedef struct AnswerHeader {
        int32_t r;
        uint32_t key;
        uint64_t time_usec;
        uint32_t size; /* of the text behind it */
        uint32_t zero;
} AnswerHeader;

/**
 * cosign_request_done() - free what a request holds
 * @q: decoded; is empty afterwards
 */
void cosign_request_done(CosignRequest *q) {
        FOREACH_ARRAY (k, q->keys, q->n_keys)
                cosign_key_done(k);
        free(q->keys);
        (void) oci_name_free(q->name);
        (void) strv_free(q->digests);
        FOREACH_ARRAY (s, q->signatures, q->n_signatures)
                oci_signature_done(s);
        free(q->signatures);
        *q = (CosignRequest){};
}

static void add(StrBuf *b, FieldType type, const void *data, size_t size) {
        const FieldHeader h = { .type = (uint32_t) type, .size = (uint32_t) size };

        strbuf_add_n(b, (const char *) &h, sizeof(h));
        strbuf_add_n(b, data, size);
}

/**
 * cosign_request_encode() - write a request
 * @q:        within the limits: of keys, digests, signatures and their sizes
 * @ret:      bytes, for free()
 * @ret_size: at most COSIGN_REQUEST_MAX
 *
 * Return: 0, -ENOMEM.
 */
int cosign_request_encode(const CosignRequest *q, char **ret, size_t *ret_size) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        _cleanup_free_ char *name = NULL;
        const uint32_t identity = (uint32_t) q->identity;
        size_t size;
        int r;

        r = oci_name_to_string(q->name, &name);
        if (r < 0)
                return r;
        add(&b, FIELD_NAME, name, strlen(name));
        add(&b, FIELD_IDENTITY, &identity, sizeof(identity));
        STRV_FOREACH (d, q->digests)
                add(&b, FIELD_DIGEST, *d, strlen(*d));
        FOREACH_ARRAY (k, q->keys, q->n_keys)
                add(&b, FIELD_KEY, k->der, k->size);
        FOREACH_ARRAY (s, q->signatures, q->n_signatures) {
                add(&b, s->kind == OCI_SIGNATURE_BUNDLE ? FIELD_BUNDLE : FIELD_COSIGN, s->payload,
                    s->payload_size);
                if (s->signature)
                        add(&b, FIELD_SIGNATURE, s->signature, strlen(s->signature));
        }
        size = b.size;
        r = strbuf_steal(&b, ret);
        if (r < 0)
                return r;
        *ret_size = size;
        return 0;
}

static int bad(Error *e, const char *what) {
        return error_setf(e, -EPROTO, "the request has %s", what);
}

static int take_key(CosignRequest *q, const char *data, size_t size, Error *e) {
        CosignKey key = COSIGN_KEY_INIT;
        int r;

        if (q->n_keys >= COSIGN_KEYS_MAX)
                return bad(e, "too many keys");
        r = cosign_key_from_der((const uint8_t *) data, size, &key, e);
        if (r < 0)
                return r;
        if (!GREEDY_GROW(q->keys, q->n_keys)) {
                cosign_key_done(&key);
                return error_oom(e);
        }
        q->keys[q->n_keys++] = key;
        return 0;
}

static int take_payload(CosignRequest *q, OciSignatureKind kind, const char *data, size_t size, Error *e) {
        OciSignature *s;

        if (q->n_signatures >= COSIGN_SIGNATURES_MAX || size > COSIGN_PAYLOAD_MAX)
                return bad(e, "too many or too large signatures");
        if (!GREEDY_GROW(q->signatures, q->n_signatures))
                return error_oom(e);
        s = q->signatures + q->n_signatures++;
        *s = (OciSignature){ .kind = kind, .payload = malloc(size + 1), .payload_size = size };
        if (!s->payload)
                return error_oom(e);
        memcpy(s->payload, data, size);
        s->payload[size] = '\0';
        return 0;
}

static int take_signature(CosignRequest *q, const char *text, Error *e) {
        OciSignature *s = q->n_signatures > 0 ? q->signatures + q->n_signatures - 1 : NULL;

        if (!s || s->signature)
                return bad(e, "a signature of nothing");
        s->signature = strdup(text);
        return s->signature ? 0 : error_oom(e);
}

static int take_identity(CosignRequest *q, const char *data, size_t size, Error *e) {
        uint32_t n;

        if (size != sizeof(n))
                return bad(e, "a wrong field");
        memcpy(&n, data, sizeof(n));
        if (n >= _COSIGN_IDENTITY_MAX)
                return bad(e, "an unknown rule for names");
        q->identity = (CosignIdentity) n;
        return 0;
}

static int take_field(CosignRequest *q, uint32_t type, const char *data, size_t size, Error *e) {
        _cleanup_free_ char *text = NULL;

        switch (type) {
        case FIELD_KEY: return take_key(q, data, size, e);
        case FIELD_COSIGN: return take_payload(q, OCI_SIGNATURE_COSIGN, data, size, e);
        case FIELD_BUNDLE: return take_payload(q, OCI_SIGNATURE_BUNDLE, data, size, e);
        case FIELD_IDENTITY: return take_identity(q, data, size, e);
        default: break;
        }
        text = strndup(data, size);
        if (!text)
                return error_oom(e);
        switch (type) {
        case FIELD_NAME: return q->name ? bad(e, "two names") : oci_name_parse(text, &q->name, e);
        case FIELD_SIGNATURE: return take_signature(q, text, e);
        case FIELD_DIGEST:
                if (strv_length(q->digests) >= COSIGN_DIGESTS_MAX)
                        return bad(e, "too many digests");
                return strv_extend(&q->digests, text) < 0 ? error_oom(e) : 0;
        default: return bad(e, "an unknown field");
        }
}

/**
 * cosign_request_decode() - read a request
 * @data: @size bytes
 * @size: bytes
 * @ret:  for cosign_request_done()
 * @e:    sentence on failure
 *
 * Return: 0, -EPROTO, -ENOMEM, and what cosign_key_from_der() and oci_name_parse() return.
 */
int cosign_request_decode(const char *data, size_t size, CosignRequest *ret, Error *e) {
        _cleanup_(cosign_request_done) CosignRequest q = {};
        FieldHeader h;

        while (size > 0) {
                int r;

                if (size < sizeof(h))
                        return bad(e, "half a field");
                memcpy(&h, data, sizeof(h));
                data += sizeof(h);
                size -= sizeof(h);
                if (h.size > size)
                        return bad(e, "half a field");
                r = take_field(&q, h.type, data, h.size, e);
                if (r < 0)
                        return r;
                data += h.size;
                size -= h.size;
        }
        if (!q.name || q.name->transport != OCI_TRANSPORT_REGISTRY)
                return bad(e, "no name");
        *ret = q;
        q = (CosignRequest){};
        return 0;
}

/**
 * cosign_answer_encode() - write an answer
 * @verdicts: one for each signature of the request
 * @n:        of them
 * @ret:      bytes, for free()
 * @ret_size: at most COSIGN_ANSWER_MAX
 *
 * Return: 0, -ENOMEM.
 */
int cosign_answer_encode(const CosignVerdict *verdicts, size_t n, char **ret, size_t *ret_size) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        size_t size;
        int r;

        FOREACH_ARRAY (v, verdicts, n) {
                const AnswerHeader h = { .r = v->r,
                                         .key = v->key,
                                         .time_usec = v->time_usec,
                                         .size = (uint32_t) strlen(v->text) };

                strbuf_add_n(&b, (const char *) &h, sizeof(h));
                strbuf_add(&b, v->text);
        }
        size = b.size;
        r = strbuf_steal(&b, ret);
        if (r < 0)
                return r;
        *ret_size = size;
        return 0;
}

static bool is_possible(const AnswerHeader *h, size_t n_keys) {
        return h->r <= 0 && h->r > -4096 && (h->r < 0 || h->key < n_keys) && h->size < COSIGN_TEXT_MAX &&
               h->time_usec <= UINT32_MAX * USEC_PER_SEC && h->zero == 0;
}

/* Shown on terminals. */
static void take_text(char *to, const char *data, size_t size) {
        for (size_t i = 0; i < size; i++)
                to[i] = (char) (data[i] >= ' ' && data[i] <= '~' ? data[i] : '?');
        to[size] = '\0';
}

/**
 * cosign_answer_decode() - read an answer
 * @data:   @size bytes, hostile
 * @size:   bytes
 * @n_keys: of the request
 * @n:      signatures of the request
 * @ret:    @n verdicts, for free()
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0, -EPROTO (that is no answer to this request), -ENOMEM.
 */
int cosign_answer_decode(const char *data, size_t size, size_t n_keys, size_t n, CosignVerdict **ret,
                         Error *e) {
        _cleanup_free_ CosignVerdict *verdicts = new0(CosignVerdict, n);
        AnswerHeader h;

        if (!verdicts)
                return error_oom(e);
        for (size_t i = 0; i < n; i++) {
                if (size < sizeof(h))
                        return error_setf(e, -EPROTO, "rkt-cosign answered for %zu of %zu signatures", i, n);
                memcpy(&h, data, sizeof(h));
                data += sizeof(h);
                size -= sizeof(h);
                if (!is_possible(&h, n_keys) || h.size > size)
                        return error_setf(e, -EPROTO, "rkt-cosign sent a wrong answer");
                verdicts[i] = (CosignVerdict){ .r = h.r, .key = h.key, .time_usec = h.time_usec };
                take_text(verdicts[i].text, data, h.size);
                data += h.size;
                size -= h.size;
        }
        if (size > 0)
                return error_setf(e, -EPROTO, "rkt-cosign answered more than it was asked");
        *ret = TAKE_PTR(verdicts);
        return 0;
}

/* A signature that some key made, but that is about something else, says more than that the next key did not make it. */
static void judge_one(const CosignRequest *q, const OciSignature *s, CosignVerdict *ret) {
        const CosignAsked asked = { .name = q->name, .digests = q->digests, .identity = q->identity };

        *ret = (CosignVerdict){ .r = -ENOKEY };
        (void) snprintf(ret->text, sizeof(ret->text), "no key");
        for (size_t i = 0; i < q->n_keys; i++) {
                _cleanup_error_ Error e = ERROR_INIT;
                int r = cosign_verify(s, q->keys + i, &asked, &ret->time_usec, &e);

                ret->r = r;
                ret->key = (unsigned) i;
                (void) snprintf(ret->text, sizeof(ret->text), "%s", r < 0 ? error_text(&e, r) : "");
                if (r != -EKEYREJECTED)
                        return;
        }
        if (q->n_keys > 1)
                (void) snprintf(ret->text, sizeof(ret->text),
                                "the signature was made by none of the %zu keys", q->n_keys);
}

/**
 * cosign_judge() - check every signature of a request with every key
 * @q:   request
 * @ret: as many as there are signatures
 */
void cosign_judge(const CosignRequest *q, CosignVerdict *ret) {
        for (size_t i = 0; i < q->n_signatures; i++)
                judge_one(q, q->signatures + i, ret + i);
}
