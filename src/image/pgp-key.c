/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The little of RFC 4880 that is needed to name a key and to hand it to gpgv: gpgv reads binary keyrings only. */
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>

#include "basic/hex.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "image/pgp-key.h"

#define ARMOR_BEGIN    "-----BEGIN PGP PUBLIC KEY BLOCK-----"
#define ARMOR_END      "-----END PGP PUBLIC KEY BLOCK-----"
#define IDENTITIES_MAX 64U
#define SUBKEYS_MAX    64U

typedef enum PgpTag {
        PGP_SIGNATURE = 2,
        PGP_SECRET_KEY = 5,
        PGP_PUBLIC_KEY = 6,
        PGP_SECRET_SUBKEY = 7,
        PGP_MARKER = 10,
        PGP_TRUST = 12,
        PGP_USER_ID = 13,
        PGP_PUBLIC_SUBKEY = 14,
        PGP_USER_ATTRIBUTE = 17,
} PgpTag;

/**
 * pgp_key_done() - free what a key holds
 * @k: is empty afterwards
 */
void pgp_key_done(PgpKey *k) {
        (void) strv_free(k->identities);
        (void) strv_free(k->subkeys);
        free(k->data);
        *k = PGP_KEY_INIT;
}

static int base64_value(char c) {
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= 'a' && c <= 'z')
                return c - 'a' + 26;
        if (c >= '0' && c <= '9')
                return c - '0' + 52;
        return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* The lines between the armor's blank line and its checksum or end, '=' only at the end. */
static int decode(char **lines, uint8_t *out, size_t *ret_size) {
        size_t n_out = 0, n_pad = 0;
        uint32_t bits = 0;
        unsigned n = 0;

        STRV_FOREACH (l, lines) {
                for (const char *p = *l; *p; p++) {
                        int v = base64_value(*p);

                        if (*p == '=')
                                n_pad++;
                        if ((v < 0 && *p != '=') || (v >= 0 && n_pad > 0) || n_pad > 2)
                                return -EINVAL;
                        bits = bits << 6 | (uint32_t) MAX(v, 0);
                        if (++n % 4 != 0)
                                continue;
                        out[n_out++] = (uint8_t) (bits >> 16);
                        if (n_pad < 2)
                                out[n_out++] = (uint8_t) (bits >> 8);
                        if (n_pad < 1)
                                out[n_out++] = (uint8_t) bits;
                }
        }
        *ret_size = n_out;
        return n % 4 == 0 ? 0 : -EINVAL;
}

static uint32_t crc24(const uint8_t *data, size_t size) {
        uint32_t crc = 0xB704CE;

        for (size_t i = 0; i < size; i++) {
                crc ^= (uint32_t) data[i] << 16;
                for (int k = 0; k < 8; k++) {
                        crc <<= 1;
                        if (crc & 0x1000000)
                                crc ^= 0x1864CFB;
                }
        }
        return crc & 0xFFFFFF;
}

static int check_crc(const char *line, const uint8_t *data, size_t size, Error *e) {
        _cleanup_strv_free_ char **v = NULL;
        uint8_t crc[4];
        size_t n;

        if (strv_extend(&v, line + 1) < 0)
                return error_oom(e);
        if (strlen(line) != 5 || decode(v, crc, &n) < 0 || n != 3 ||
            crc24(data, size) != ((uint32_t) crc[0] << 16 | (uint32_t) crc[1] << 8 | crc[2]))
                return error_setf(e, -EBADMSG, "the key is damaged: its checksum does not match");
        return 0;
}

/* Sorts the lines into base64 and checksum; refuses a second block and anything that is not a public key. */
static int armor_lines(char **lines, char ***ret_base64, char **ret_crc, Error *e) {
        enum { BEFORE, HEADERS, DATA, AFTER } state = BEFORE;

        STRV_FOREACH (l, lines) {
                char *line = str_strip(*l);

                if (strstr(line, "PRIVATE KEY BLOCK"))
                        return error_setf(e, -EINVAL,
                                          "this is a private key; keep it secret, and give the public one");
                if (streq(line, ARMOR_BEGIN)) {
                        if (state != BEFORE)
                                return error_setf(e, -EINVAL,
                                                  "the file has more than one key block; put each key "
                                                  "into a file of its own");
                        state = HEADERS;
                } else if (streq(line, ARMOR_END)) {
                        if (state != DATA)
                                return error_setf(e, -EBADMSG,
                                                  "the key is damaged: it ends before it begins");
                        state = AFTER;
                } else if (state == HEADERS && !strchr(line, ':') && *line) {
                        return error_setf(e, -EBADMSG, "the key is damaged: no empty line after its header");
                } else if (state == HEADERS && !*line) {
                        state = DATA;
                } else if (state == DATA && *line == '=' && !*ret_crc) {
                        if (str_replace(ret_crc, line) < 0)
                                return error_oom(e);
                } else if (state == DATA && strv_extend(ret_base64, line) < 0)
                        return error_oom(e);
        }
        if (state != AFTER)
                return error_setf(e, -EINVAL, "this is not an armored OpenPGP public key (" ARMOR_BEGIN ")");
        return 0;
}

/* Like strv_split(), but empty lines stay. */
static int split_lines(const char *text, size_t size, char ***ret) {
        _cleanup_strv_free_ char **lines = NULL;
        const char *end = text + size;

        while (text < end) {
                const char *nl = memchr(text, '\n', (size_t) (end - text));
                size_t n = (size_t) ((nl ? nl : end) - text);

                if (strv_consume(&lines, strndup(text, n)) < 0)
                        return -ENOMEM;
                text += n + 1;
        }
        *ret = TAKE_PTR(lines);
        return 0;
}

static int dearmor(const char *text, size_t size, PgpKey *k, Error *e) {
        _cleanup_strv_free_ char **lines = NULL, **base64 = NULL;
        _cleanup_free_ char *crc = NULL;
        int r;

        if (size > PGP_KEY_FILE_MAX)
                return error_setf(e, -E2BIG, "the key file is larger than %u bytes", PGP_KEY_FILE_MAX);
        for (size_t i = 0; i < size; i++)
                if (text[i] == 0 || (unsigned char) text[i] > 126)
                        return error_setf(e, -EINVAL,
                                          "this is not an armored OpenPGP public key (" ARMOR_BEGIN ")");
        if (split_lines(text, size, &lines) < 0)
                return error_oom(e);
        r = armor_lines(lines, &base64, &crc, e);
        if (r < 0)
                return r;
        k->data = malloc(size + 4);
        if (!k->data)
                return error_oom(e);
        if (decode(base64, k->data, &k->size) < 0)
                return error_setf(e, -EBADMSG, "the key is damaged: its base64 text cannot be read");
        return crc ? check_crc(crc, k->data, k->size, e) : 0;
}

/* One packet's tag and body. Partial and indeterminate lengths do not occur in keys. */
static int next_packet(const uint8_t **p, const uint8_t *end, unsigned *ret_tag, const uint8_t **ret_body,
                       size_t *ret_size) {
        const uint8_t *q = *p;
        size_t n_length, n = 0;
        uint8_t first;

        first = *q++;
        if (!(first & 0x80))
                return -EBADMSG;
        if (first & 0x40) {
                *ret_tag = first & 0x3F;
                if (q >= end || (*q >= 224 && *q < 255))
                        return -EBADMSG;
                if (*q < 192) {
                        n = *q++;
                        n_length = 0;
                } else if (*q < 224) {
                        if (end - q < 2)
                                return -EBADMSG;
                        n = (size_t) ((q[0] - 192) << 8) + q[1] + 192;
                        q += 2;
                        n_length = 0;
                } else {
                        q++;
                        n_length = 4;
                }
        } else {
                *ret_tag = (first >> 2) & 0xF;
                if ((first & 3) == 3)
                        return -EBADMSG;
                n_length = (size_t) 1 << (first & 3);
        }
        if ((size_t) (end - q) < n_length)
                return -EBADMSG;
        for (; n_length > 0; n_length--)
                n = n << 8 | *q++;
        if (n > (size_t) (end - q))
                return -EBADMSG;
        *ret_body = q;
        *ret_size = n;
        *p = q + n;
        return 0;
}

static int fingerprint(const uint8_t *body, size_t size, char ret[PGP_FINGERPRINT_HEX + 1], Error *e) {
        gnutls_hash_hd_t h;
        uint8_t sha1[20], head[3] = { 0x99, (uint8_t) (size >> 8), (uint8_t) size };

        if (size < 6 || size > UINT16_MAX)
                return error_setf(e, -EBADMSG, "the key is damaged: a packet has a wrong size");
        if (body[0] != 4)
                return error_setf(e, -EOPNOTSUPP,
                                  "OpenPGP keys of version %u are not supported, only version 4",
                                  (unsigned) body[0]);
        if (gnutls_hash_init(&h, GNUTLS_DIG_SHA1) < 0)
                return error_setf(e, -EOPNOTSUPP, "GnuTLS does not compute fingerprints (SHA-1)");
        (void) gnutls_hash(h, head, sizeof(head));
        (void) gnutls_hash(h, body, size);
        gnutls_hash_deinit(h, sha1);
        hex_from_bytes(sha1, sizeof(sha1), ret);
        return 0;
}

/* A name is shown to people on terminals: nothing but text may come through. */
static int add_identity(PgpKey *k, const uint8_t *body, size_t size) {
        _cleanup_free_ char *s = NULL;

        if (strv_length(k->identities) >= IDENTITIES_MAX)
                return 0;
        s = malloc(size + 1);
        if (!s)
                return -ENOMEM;
        for (size_t i = 0; i < size; i++)
                s[i] = (char) (body[i] < ' ' || body[i] == 127 ? '?' : body[i]);
        s[size] = 0;
        /* C1 controls hide in UTF-8 as C2 80 to C2 9F. */
        for (char *p = s; *p; p++)
                if ((unsigned char) p[0] == 0xC2 && (unsigned char) p[1] >= 0x80 &&
                    (unsigned char) p[1] < 0xA0)
                        p[0] = p[1] = '?';
        if (!str_is_utf8(s, size))
                for (char *p = s; *p; p++)
                        if ((unsigned char) *p > 126)
                                *p = '?';
        return strv_extend(&k->identities, s);
}

static int take_packet(PgpKey *k, unsigned tag, const uint8_t *body, size_t size, Error *e) {
        char fpr[PGP_FINGERPRINT_HEX + 1];
        int r;

        if (!*k->fingerprint && tag != PGP_PUBLIC_KEY && tag != PGP_SECRET_KEY && tag != PGP_MARKER)
                return error_setf(e, -EINVAL, "the key does not begin with a public key");
        switch (tag) {
        case PGP_PUBLIC_KEY:
                if (*k->fingerprint)
                        return error_setf(e, -EINVAL,
                                          "the file has more than one key; put each key into a file of "
                                          "its own");
                return fingerprint(body, size, k->fingerprint, e);
        case PGP_PUBLIC_SUBKEY:
                if (strv_length(k->subkeys) >= SUBKEYS_MAX)
                        return error_setf(e, -E2BIG, "the key has more than %u subkeys", SUBKEYS_MAX);
                r = fingerprint(body, size, fpr, e);
                if (r < 0)
                        return r;
                return strv_extend(&k->subkeys, fpr) < 0 ? error_oom(e) : 0;
        case PGP_USER_ID: return add_identity(k, body, size) < 0 ? error_oom(e) : 0;
        case PGP_SECRET_KEY:
        case PGP_SECRET_SUBKEY:
                return error_setf(e, -EINVAL,
                                  "this is a private key; keep it secret, and give the public one");
        case PGP_SIGNATURE:
        case PGP_TRUST:
        case PGP_MARKER:
        case PGP_USER_ATTRIBUTE: return 0;
        default: return error_setf(e, -EINVAL, "the key contains a packet of type %u, which no key has", tag);
        }
}

/**
 * pgp_key_parse() - read the file of one public key
 * @text: @size bytes, hostile
 * @size: bytes; more than PGP_KEY_FILE_MAX is refused
 * @ret:  for pgp_key_done()
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL (no public key, several, a private one), -EBADMSG (damaged), -EOPNOTSUPP, -E2BIG, -ENOMEM.
 */
int pgp_key_parse(const char *text, size_t size, PgpKey *ret, Error *e) {
        _cleanup_(pgp_key_done) PgpKey k = PGP_KEY_INIT;
        const uint8_t *p, *body;
        unsigned tag;
        size_t n;
        int r;

        r = dearmor(text, size, &k, e);
        if (r < 0)
                return r;
        for (p = k.data; p < k.data + k.size;) {
                if (next_packet(&p, k.data + k.size, &tag, &body, &n) < 0)
                        return error_setf(e, -EBADMSG, "the key is damaged: a packet has a wrong size");
                r = take_packet(&k, tag, body, n, e);
                if (r < 0)
                        return r;
        }
        if (!*k.fingerprint)
                return error_setf(e, -EINVAL, "the file contains no key");
        *ret = k;
        k = PGP_KEY_INIT;
        return 0;
}
