/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Digests with their algorithm in front. Only what is checked here may become part of a path or of a URL: nothing but
 * "sha256:" and 64, or "sha512:" and 128, lower-case hex digits. */
#include <stdio.h>
#include <string.h>

#include "basic/hex.h"
#include "basic/str.h"
#include "oci/oci-digest.h"

static const struct {
        const char *prefix;
        DigestType type;
        unsigned n_hex;
} algorithms[] = {
        { "sha256:", DIGEST_SHA256, 64 },
        { "sha512:", DIGEST_SHA512, 128 },
};

/**
 * oci_digest_parse() - read "ALGORITHM:HEX"
 * @s:        from a document, a header or a user
 * @ret_type: may be NULL
 * @ret_hex:  points into @s; may be NULL
 * @e:        says what is wrong
 *
 * Return: 0, -EINVAL, -EOPNOTSUPP (another algorithm).
 */
int oci_digest_parse(const char *s, DigestType *ret_type, const char **ret_hex, Error *e) {
        if (!*s)
                return error_setf(e, -EINVAL, "a digest is empty");
        FOREACH_ARRAY (a, algorithms, ELEMENTSOF(algorithms)) {
                const char *hex = startswith(s, a->prefix);

                if (!hex)
                        continue;
                if (strlen(hex) != a->n_hex || !hex_is_valid(hex))
                        return error_setf(
                                e, -EINVAL,
                                "'%.150s' is no digest: %s must be followed by %u lower-case hex digits", s,
                                a->prefix, a->n_hex);
                if (ret_type)
                        *ret_type = a->type;
                if (ret_hex)
                        *ret_hex = hex;
                return 0;
        }
        if (!strchr(s, ':'))
                return error_setf(e, -EINVAL, "'%.150s' is no digest: write sha256:HEX or sha512:HEX", s);
        return error_setf(e, -EOPNOTSUPP, "digest '%.150s' is of an algorithm other than sha256 and sha512",
                          s);
}

/**
 * oci_digest_is_valid() - is this a digest that we can check?
 * @s: not NULL
 *
 * Return: true for sha256 and sha512 in their one spelling.
 */
bool oci_digest_is_valid(const char *s) {
        return oci_digest_parse(s, NULL, NULL, NULL) >= 0;
}

/**
 * oci_digest_of() - digest of bytes in memory
 * @type: algorithm
 * @data: @size bytes
 * @size: bytes
 * @ret:  "ALGORITHM:HEX"
 *
 * Return: 0, -ENOMEM, -EOPNOTSUPP, -EIO.
 */
int oci_digest_of(DigestType type, const void *data, size_t size, char ret[OCI_DIGEST_MAX]) {
        _cleanup_(digest_freep) Digest *d = NULL;
        char hex[DIGEST_HEX_MAX];
        int r;

        r = digest_new(type, &d);
        if (r < 0)
                return r;
        r = digest_update(d, data, size);
        if (r < 0)
                return r;
        (void) digest_final_hex(d, hex);
        (void) snprintf(ret, OCI_DIGEST_MAX, "%s%s", type == DIGEST_SHA512 ? "sha512:" : "sha256:", hex);
        return 0;
}

/**
 * oci_digest_verify() - do bytes in memory have the digest that was promised?
 * @digest: promised
 * @data:   @size bytes
 * @size:   bytes
 * @what:   subject of the sentence, as "manifest"
 * @e:      names the expected and the found digest
 *
 * Return: 0, -EBADMSG (they differ), those of oci_digest_parse() and oci_digest_of().
 */
int oci_digest_verify(const char *digest, const void *data, size_t size, const char *what, Error *e) {
        char found[OCI_DIGEST_MAX];
        DigestType type;
        int r;

        r = oci_digest_parse(digest, &type, NULL, e);
        if (r < 0)
                return r;
        r = oci_digest_of(type, data, size, found);
        if (r < 0)
                return error_setf(e, r, "%s cannot be hashed", what);
        if (!streq(found, digest))
                return error_setf(e, -EBADMSG, "%s differs from its digest: expected %s, found %s", what,
                                  digest, found);
        return 0;
}

/**
 * oci_digest_to_path() - where a layout keeps a blob
 * @digest: any
 * @ret:    "blobs/ALGORITHM/HEX"
 *
 * Return: 0, -EINVAL or -EOPNOTSUPP (no valid digest).
 */
int oci_digest_to_path(const char *digest, char ret[OCI_BLOB_PATH_MAX]) {
        const char *hex;
        DigestType type;
        int r;

        r = oci_digest_parse(digest, &type, &hex, NULL);
        if (r < 0)
                return r;
        (void) snprintf(ret, OCI_BLOB_PATH_MAX, "blobs/%s/%s", type == DIGEST_SHA512 ? "sha512" : "sha256",
                        hex);
        return 0;
}

/**
 * oci_chain_id() - the name of what a stack of layers makes together
 * @diff_ids: @n digests of the uncompressed layers, lowest first
 * @n:        at least 1
 * @ret:      the digest of the only layer; else sha256 over "CHAIN-ID-BELOW DIFF-ID"
 * @e:        says which layer
 *
 * Return: 0, -EINVAL, -EOPNOTSUPP, -ENOMEM, -EIO.
 */
int oci_chain_id(char *const *diff_ids, size_t n, char ret[OCI_DIGEST_MAX], Error *e) {
        char chain[OCI_DIGEST_MAX] = "", text[2 * OCI_DIGEST_MAX];
        int r;

        if (n == 0)
                return error_setf(e, -EINVAL, "an image without layers has no ChainID");
        for (size_t i = 0; i < n; i++) {
                int length;

                r = oci_digest_parse(diff_ids[i], NULL, NULL, e);
                if (r < 0)
                        return error_prefixf(e, r, "layer %zu", i + 1);
                if (i == 0) {
                        (void) snprintf(chain, sizeof(chain), "%s", diff_ids[0]);
                        continue;
                }
                length = snprintf(text, sizeof(text), "%s %s", chain, diff_ids[i]);
                r = oci_digest_of(DIGEST_SHA256, text, (size_t) length, chain);
                if (r < 0)
                        return error_setf(e, r, "layer %zu: the ChainID cannot be computed", i + 1);
        }
        memcpy(ret, chain, sizeof(chain));
        return 0;
}

static int set_digest(const JsonField *f, const JsonValue *v, void *p, Error *e) {
        int r;

        r = oci_digest_parse(json_text(v), NULL, NULL, e);
        return r < 0 ? r : json_kind_string.set(f, v, p, e);
}

static void write_digest(const JsonField *f, JsonWriter *w, const void *p) {
        json_kind_string.write(f, w, p);
}

static bool digest_is_unset(const void *p) {
        return json_kind_string.is_unset(p);
}

const JsonKind oci_kind_digest = { JSON_STRING, set_digest, write_digest, digest_is_unset };
