/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The small JSON document that cosign and simple signing sign: which image (digest) is called how (reference). */
#include "basic/json.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "oci/cosign.h"
#include "oci/oci-digest.h"

typedef struct Payload {
        char *type;
        char *digest;
        char *reference;
        int64_t time;
} Payload;

static void payload_done(void *p) {
        Payload *a = p;

        free(a->type);
        free(a->digest);
        free(a->reference);
}

/**
 * oci_signature_done() - free the members
 * @s: is empty afterwards
 */
void oci_signature_done(OciSignature *s) {
        free(s->payload);
        free(s->signature);
        *s = (OciSignature){};
}

static const char *const identities[_COSIGN_IDENTITY_MAX] = {
        [COSIGN_IDENTITY_MATCH] = "match",
        [COSIGN_IDENTITY_REPOSITORY] = "repository",
        [COSIGN_IDENTITY_EXACT] = "exact",
};

/**
 * cosign_identity_to_string() - the word in files
 * @i: rule
 *
 * Return: as "match".
 */
const char *cosign_identity_to_string(CosignIdentity i) {
        return identities[i];
}

/**
 * cosign_identity_from_string() - the rule that a word stands for
 * @s: as "match"
 *
 * Return: the rule, or _COSIGN_IDENTITY_INVALID.
 */
CosignIdentity cosign_identity_from_string(const char *s) {
        for (CosignIdentity i = 0; i < _COSIGN_IDENTITY_MAX; i++)
                if (streq(s, identities[i]))
                        return i;
        return _COSIGN_IDENTITY_INVALID;
}

/* Every member of "critical" counts, so one that we do not know makes the whole thing unknown: no JSON_OPEN here. */
static const JsonField identity_fields[] = {
        JSON_ROW("docker-reference", json_kind_string, Payload, reference, JSON_MANDATORY),
        {},
};
static const JsonField image_fields[] = {
        JSON_ROW("docker-manifest-digest", oci_kind_digest, Payload, digest, JSON_MANDATORY),
        {},
};
static const JsonField optional_fields[] = {
        JSON_ROW("timestamp", json_kind_int64, Payload, time, 0),
        {},
};

static int map_part(const JsonValue *object, const char *key, const JsonField *fields, Payload *p, Error *e) {
        const JsonValue *part = json_get(object, key);
        int r;

        if (!part)
                return error_setf(e, -ENODATA, "'%s' is missing", key);
        r = json_map(part, fields, 0, p, e);
        return r < 0 ? error_prefixf(e, r, "%s", key) : 0;
}

static int check_members(const JsonValue *object, const char *const *names, size_t n, Error *e) {
        int r = json_expect(object, JSON_OBJECT, e);

        if (r < 0)
                return r;
        JSON_FOREACH (m, object) {
                bool known = false;

                for (size_t i = 0; i < n; i++)
                        known = known || streq(json_key(m), names[i]);
                if (!known)
                        return error_setf(e, -ENXIO, "unknown member '%.100s'", json_key(m));
        }
        return 0;
}

static int read_payload(const JsonValue *v, Payload *p, Error *e) {
        static const char *const top[] = { "critical", "optional" };
        static const char *const parts[] = { "type", "image", "identity" };
        const JsonValue *critical, *type, *optional;
        int r;

        r = check_members(v, top, ELEMENTSOF(top), e);
        if (r < 0)
                return r;
        critical = json_get(v, "critical");
        if (!critical)
                return error_setf(e, -ENODATA, "'critical' is missing");
        r = check_members(critical, parts, ELEMENTSOF(parts), e);
        if (r >= 0)
                r = map_part(critical, "image", image_fields, p, e);
        if (r >= 0)
                r = map_part(critical, "identity", identity_fields, p, e);
        if (r < 0)
                return error_prefixf(e, r, "critical");
        type = json_get(critical, "type");
        if (!type || json_type(type) != JSON_STRING)
                return error_setf(e, -ENODATA, "critical: 'type' is missing");
        p->type = strdup(json_text(type));
        if (!p->type)
                return error_oom(e);
        /* Annotations of the signer: whatever he likes. A number called timestamp is when. */
        optional = json_get(v, "optional");
        if (optional && json_type(optional) == JSON_OBJECT)
                (void) json_map(optional, optional_fields, JSON_OPEN, p, NULL);
        return 0;
}

static int check_digest(const Payload *p, const CosignAsked *asked, Error *e) {
        for (char *const *d = asked->digests; d && *d; d++)
                if (streq(*d, p->digest))
                        return 0;
        return error_setf(e, -EBADMSG, "the signature is for another image: it says %s, wanted is %s",
                          p->digest, asked->digests && *asked->digests ? *asked->digests : "none");
}

/* As signers write it: with or without a tag. oci_name_parse() would add "latest". */
static bool names_tag(const char *reference) {
        const char *last = strrchr(reference, '/');

        return strchr(last ? last : reference, ':') || strchr(reference, '@');
}

/* Whoever asks by digest has said exactly what he wants; a tag adds nothing to that. */
static bool is_tag_right(const OciName *named, bool with_tag, const CosignAsked *asked) {
        const OciName *n = asked->name;

        if (asked->identity == COSIGN_IDENTITY_REPOSITORY)
                return true;
        if (asked->identity == COSIGN_IDENTITY_MATCH && (!with_tag || n->digest))
                return true;
        if (!with_tag)
                return false;
        return n->digest ? streq_ptr(n->digest, named->digest)
                         : !named->digest && streq_ptr(n->tag, named->tag);
}

static int check_reference(const Payload *p, const CosignAsked *asked, Error *e) {
        _cleanup_free_ char *text = strf("docker://%s", p->reference);
        _cleanup_(oci_name_freep) OciName *named = NULL;
        const OciName *n = asked->name;

        if (!text)
                return error_oom(e);
        if (strstr(p->reference, "//") || oci_name_parse(text, &named, NULL) < 0)
                return error_setf(e, -EBADMSG, "the signature is for '%.300s', which is no name of an image",
                                  p->reference);
        if (!streq(named->host, n->host) || !streq(named->repository, n->repository))
                return error_setf(e, -EBADMSG, "the signature is for '%.300s', not for %s/%s", p->reference,
                                  n->host, n->repository);
        if (!is_tag_right(named, names_tag(p->reference), asked))
                return error_setf(e, -EBADMSG, "the signature is for '%.300s', not for '%s'", p->reference,
                                  oci_name_registry_reference(n));
        return 0;
}

/**
 * cosign_payload_check() - does what was signed say what was asked for
 * @payload:       @size bytes; the signature over them is good
 * @size:          bytes
 * @type:          COSIGN_PAYLOAD_COSIGN or COSIGN_PAYLOAD_OPENPGP: the other kind is not good enough
 * @asked:         digests, name, and how much of the name must be there
 * @ret_time_usec: when it was signed, as the signer says; 0: he does not; may be NULL
 * @e:             names what was wanted and what was found
 *
 * Return: 0, -EBADMSG (another image, name or type), -ENXIO, -ENODATA and others of json_parse() and json_map().
 */
int cosign_payload_check(const char *payload, size_t size, const char *type, const CosignAsked *asked,
                         usec_t *ret_time_usec, Error *e) {
        _cleanup_(payload_done) Payload p = { .time = INT64_MIN };
        _cleanup_(json_freep) JsonValue *v = NULL;
        int r;

        if (size > COSIGN_PAYLOAD_MAX)
                return error_setf(e, -E2BIG, "what is signed is larger than %u bytes", COSIGN_PAYLOAD_MAX);
        r = json_parse(payload, size, &v, e);
        if (r >= 0)
                r = read_payload(v, &p, e);
        if (r < 0)
                return error_prefixf(e, r, "what is signed");
        if (!streq(p.type, type))
                return error_setf(e, -EBADMSG, "what is signed has the type '%.100s', not '%s'", p.type,
                                  type);
        r = check_digest(&p, asked, e);
        if (r >= 0)
                r = check_reference(&p, asked, e);
        if (r < 0)
                return r;
        if (ret_time_usec)
                *ret_time_usec = p.time > 0 && p.time <= UINT32_MAX ? (usec_t) p.time * USEC_PER_SEC : 0;
        return 0;
}
