/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The little of RFC 4880 that is needed to name keys and to hand them to gpgv, which reads binary keyrings only. */
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>

#include "basic/hex.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "image/pgp-key.h"

#define ARMOR_BEGIN "-----BEGIN PGP PUBLIC KEY BLOCK-----"
#define ARMOR_END   "-----END PGP PUBLIC KEY BLOCK-----"
#define ARMOR_WIDTH 64U /* characters of a line */
#define NO_KEY                                                                                               \
        "this is not an armored OpenPGP public key (" ARMOR_BEGIN "), as gpg --armor --export writes it"
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
        (void) strv_free(k->weak_subkeys);
        free(k->data);
        *k = PGP_KEY_INIT;
}

/**
 * pgp_keys_done() - free what keys hold
 * @k: is empty afterwards
 */
void pgp_keys_done(PgpKeys *k) {
        FOREACH_ARRAY (i, k->keys, k->n_keys)
                pgp_key_done(i);
        free(k->keys);
        *k = (PgpKeys){};
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

/* What an armored block consists of. */
typedef struct Block {
        char **base64;
        char *crc;
} Block;

static void block_done(Block *b) {
        (void) strv_free(b->base64);
        free(b->crc);
}

/* Sorts the lines of the next block into base64 and checksum, and leaves *lines behind it. Refuses anything that is not a
 * public key. 0: there is no further block. */
static int next_block(char ***lines, Block *b, Error *e) {
        enum { BEFORE, HEADERS, DATA } state = BEFORE;

        for (; *lines && **lines; (*lines)++) {
                char *line = str_strip(**lines);

                if (strstr(line, "PRIVATE KEY BLOCK"))
                        return error_setf(e, -EINVAL,
                                          "this is a private key; keep it secret, and give the public one");
                if (streq(line, ARMOR_BEGIN) && state == BEFORE) {
                        state = HEADERS;
                } else if (streq(line, ARMOR_BEGIN) || (streq(line, ARMOR_END) && state != DATA)) {
                        return error_setf(e, -EBADMSG, "the key is damaged: it ends before it begins");
                } else if (streq(line, ARMOR_END)) {
                        (*lines)++;
                        return 1;
                } else if (state == HEADERS && !strchr(line, ':') && *line) {
                        return error_setf(e, -EBADMSG, "the key is damaged: no empty line after its header");
                } else if (state == HEADERS && !*line) {
                        state = DATA;
                } else if (state == DATA && *line == '=' && !b->crc) {
                        if (str_replace(&b->crc, line) < 0)
                                return error_oom(e);
                } else if (state == DATA && strv_extend(&b->base64, line) < 0)
                        return error_oom(e);
        }
        return state == BEFORE ? 0 : error_setf(e, -EBADMSG, "the key is damaged: its end is missing");
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

/* Binary packets out of one block, into @out, which has room for the whole file. */
static int decode_block(const Block *b, uint8_t *out, size_t *ret_size, Error *e) {
        if (decode(b->base64, out, ret_size) < 0)
                return error_setf(e, -EBADMSG, "the key is damaged: its base64 text cannot be read");
        return b->crc ? check_crc(b->crc, out, *ret_size, e) : 0;
}

static int dearmor(const char *text, size_t size, uint8_t **ret, size_t *ret_size, Error *e) {
        _cleanup_strv_free_ char **lines = NULL;
        _cleanup_free_ uint8_t *data = NULL;
        size_t used = 0, n;
        char **rest;
        int r;

        if (size > PGP_KEY_FILE_MAX)
                return error_setf(e, -E2BIG, "the key file is larger than %u bytes", PGP_KEY_FILE_MAX);
        for (size_t i = 0; i < size; i++)
                if (text[i] == 0 || (unsigned char) text[i] > 126)
                        return error_setf(e, -EINVAL, NO_KEY);
        if (split_lines(text, size, &lines) < 0)
                return error_oom(e);
        data = malloc(size + 4);
        if (!data)
                return error_oom(e);
        for (rest = lines;;) {
                _cleanup_(block_done) Block b = {};

                r = next_block(&rest, &b, e);
                if (r == 0)
                        break;
                if (r > 0)
                        r = decode_block(&b, data + used, &n, e);
                if (r < 0)
                        return r;
                used += n;
        }
        if (used == 0)
                return error_setf(e, -EINVAL, NO_KEY);
        *ret = TAKE_PTR(data);
        *ret_size = used;
        return 0;
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

/* Marks that turn the direction of text, or end a line: what is shown would not be what is there. */
static bool is_direction(const unsigned char *p) {
        if (p[0] != 0xE2)
                return false;
        return (p[1] == 0x80 && (p[2] == 0x8E || p[2] == 0x8F || (p[2] >= 0xA8 && p[2] <= 0xAE))) ||
               (p[1] == 0x81 && p[2] >= 0xA6 && p[2] <= 0xA9);
}

/**
 * pgp_text_clean() - make a user ID fit for a terminal
 * @s: hostile; what is not text becomes '?'
 */
void pgp_text_clean(char *s) {
        bool utf8 = str_is_utf8(s, strlen(s));

        for (char *p = s; *p; p++) {
                if ((unsigned char) *p < ' ' || *p == 127 || (!utf8 && (unsigned char) *p > 126))
                        *p = '?';
                /* C1 controls hide in UTF-8 as C2 80 to C2 9F. */
                else if ((unsigned char) p[0] == 0xC2 && (unsigned char) p[1] < 0xA0)
                        p[0] = p[1] = '?';
                else if (is_direction((const unsigned char *) p))
                        p[0] = p[1] = p[2] = '?';
        }
}

static int add_identity(PgpKey *k, const uint8_t *body, size_t size) {
        _cleanup_free_ char *s = NULL;

        if (strv_length(k->identities) >= IDENTITIES_MAX)
                return 0;
        s = malloc(size + 1);
        if (!s)
                return -ENOMEM;
        for (size_t i = 0; i < size; i++)
                s[i] = (char) (body[i] ? body[i] : '?');
        s[size] = 0;
        pgp_text_clean(s);
        return strv_extend(&k->identities, s);
}

/* Bits of the modulus of keys for which that says how strong they are; 0: not such a key. */
static unsigned modulus_bits(const uint8_t *body, size_t size) {
        enum { VERSION_AND_TIME = 5, RSA = 1, RSA_ENCRYPT = 2, RSA_SIGN = 3, DSA = 17 };
        uint8_t algorithm;

        if (size < VERSION_AND_TIME + 3)
                return 0;
        algorithm = body[VERSION_AND_TIME];
        if (algorithm != RSA && algorithm != RSA_ENCRYPT && algorithm != RSA_SIGN && algorithm != DSA)
                return 0;
        return MAX((unsigned) body[VERSION_AND_TIME + 1] << 8 | body[VERSION_AND_TIME + 2], 1U);
}

static bool is_weak(const uint8_t *body, size_t size) {
        unsigned bits = modulus_bits(body, size);

        return bits > 0 && bits < PGP_BITS_MIN;
}

static int add_primary(PgpKey *k, const uint8_t *body, size_t size, Error *e) {
        int r = fingerprint(body, size, k->fingerprint, e);

        if (r >= 0 && is_weak(body, size))
                return error_setf(
                        e, -EKEYREJECTED,
                        "key %s is too weak: it has %u bits, and %u are wanted; ask its owner for another",
                        k->fingerprint, modulus_bits(body, size), PGP_BITS_MIN);
        return r;
}

static int add_subkey(PgpKey *k, const uint8_t *body, size_t size, Error *e) {
        char fpr[PGP_FINGERPRINT_HEX + 1];
        int r;

        if (strv_length(k->subkeys) >= SUBKEYS_MAX)
                return error_setf(e, -E2BIG, "the key has more than %u subkeys", SUBKEYS_MAX);
        r = fingerprint(body, size, fpr, e);
        if (r < 0)
                return r;
        if (strv_extend(&k->subkeys, fpr) < 0 ||
            (is_weak(body, size) && strv_extend(&k->weak_subkeys, fpr) < 0))
                return error_oom(e);
        return 0;
}

static int take_packet(PgpKeys *keys, unsigned tag, const uint8_t *body, size_t size, Error *e) {
        PgpKey *k = keys->n_keys > 0 ? keys->keys + keys->n_keys - 1 : NULL;

        if (!k && tag != PGP_PUBLIC_KEY && tag != PGP_SECRET_KEY && tag != PGP_MARKER)
                return error_setf(e, -EINVAL, "the key does not begin with a public key");
        switch (tag) {
        case PGP_PUBLIC_KEY:
                if (keys->n_keys >= PGP_KEYS_MAX)
                        return error_setf(e, -E2BIG, "the file has more than %u keys", PGP_KEYS_MAX);
                if (!GREEDY_GROW(keys->keys, keys->n_keys))
                        return error_oom(e);
                keys->keys[keys->n_keys] = PGP_KEY_INIT;
                return add_primary(keys->keys + keys->n_keys++, body, size, e);
        case PGP_PUBLIC_SUBKEY: return add_subkey(k, body, size, e);
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

/* A key's own packets end where the next primary key begins. */
static int take_data(PgpKeys *keys, const uint8_t *start, const uint8_t *end) {
        PgpKey *k = keys->keys + keys->n_keys - 1;

        k->size = (size_t) (end - start);
        k->data = malloc(k->size);
        if (!k->data)
                return -ENOMEM;
        memcpy(k->data, start, k->size);
        return 0;
}

static int walk_packets(PgpKeys *keys, const uint8_t *data, size_t size, Error *e) {
        const uint8_t *key_start = data, *p, *start, *body;
        unsigned tag;
        size_t n;
        int r;

        for (p = data; p < data + size;) {
                start = p;
                if (next_packet(&p, data + size, &tag, &body, &n) < 0)
                        return error_setf(e, -EBADMSG, "the key is damaged: a packet has a wrong size");
                if (tag == PGP_PUBLIC_KEY) {
                        if (keys->n_keys > 0 && take_data(keys, key_start, start) < 0)
                                return error_oom(e);
                        key_start = start;
                }
                r = take_packet(keys, tag, body, n, e);
                if (r < 0)
                        return r;
        }
        if (keys->n_keys == 0)
                return error_setf(e, -EINVAL, "the file contains no key");
        return take_data(keys, key_start, p) < 0 ? error_oom(e) : 0;
}

/**
 * pgp_keys_parse() - read a file of public keys
 * @text: @size bytes, hostile; one or more armored blocks, each with one or more keys
 * @size: bytes; more than PGP_KEY_FILE_MAX is refused
 * @ret:  for pgp_keys_done(); at least one key
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL (no public key, a private one), -EBADMSG (damaged), -EKEYREJECTED (too weak), -EOPNOTSUPP, -E2BIG,
 * -ENOMEM.
 */
int pgp_keys_parse(const char *text, size_t size, PgpKeys *ret, Error *e) {
        _cleanup_(pgp_keys_done) PgpKeys keys = {};
        _cleanup_free_ uint8_t *data = NULL;
        size_t data_size = 0;
        int r;

        r = dearmor(text, size, &data, &data_size, e);
        if (r >= 0)
                r = walk_packets(&keys, data, data_size, e);
        if (r < 0)
                return r;
        *ret = keys;
        keys = (PgpKeys){};
        return 0;
}

/**
 * pgp_key_parse() - read the file of one public key
 * @text: @size bytes, hostile
 * @size: bytes; more than PGP_KEY_FILE_MAX is refused
 * @ret:  for pgp_key_done()
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL (several keys), and what pgp_keys_parse() returns.
 */
int pgp_key_parse(const char *text, size_t size, PgpKey *ret, Error *e) {
        _cleanup_(pgp_keys_done) PgpKeys keys = {};
        int r;

        r = pgp_keys_parse(text, size, &keys, e);
        if (r < 0)
                return r;
        if (keys.n_keys != 1)
                return error_setf(e, -EINVAL, "the file has more than one key");
        *ret = keys.keys[0];
        keys.n_keys = 0;
        return 0;
}

static void add_base64(StrBuf *b, const uint8_t *data, size_t size) {
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

        for (size_t i = 0; i < size; i += 3) {
                uint32_t v = (uint32_t) data[i] << 16;
                char four[5] = "====";

                v |= i + 1 < size ? (uint32_t) data[i + 1] << 8 : 0;
                v |= i + 2 < size ? (uint32_t) data[i + 2] : 0;
                for (size_t k = 0; k <= MIN(size - i, (size_t) 3); k++)
                        four[k] = digits[v >> (18 - 6 * k) & 63];
                strbuf_addf(b, "%s%s", i > 0 && i % (ARMOR_WIDTH / 4 * 3) == 0 ? "\n" : "", four);
        }
}

/**
 * pgp_key_armor() - a key as the text of a file of its own
 * @k:   a key
 * @ret: for free(); pgp_key_parse() reads it
 *
 * Return: 0, -ENOMEM.
 */
int pgp_key_armor(const PgpKey *k, char **ret) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        uint32_t crc = crc24(k->data, k->size);

        strbuf_add(&b, ARMOR_BEGIN "\n\n");
        add_base64(&b, k->data, k->size);
        strbuf_add(&b, "\n=");
        add_base64(&b, (const uint8_t[]){ (uint8_t) (crc >> 16), (uint8_t) (crc >> 8), (uint8_t) crc }, 3);
        strbuf_add(&b, "\n" ARMOR_END "\n");
        return strbuf_steal(&b, ret);
}
