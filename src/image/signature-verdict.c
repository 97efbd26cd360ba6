/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gpgv's status lines, and what follows from them. gpgv's exit status is not used: one good signature beside one by a
 * stranger is good, one good beside one that does not fit is not. */
#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "image/signature.h"

#define HINT "; to use the image in spite of that, pass --insecure-options=image"

/**
 * signature_verdict_done() - free what a verdict holds
 * @v: is empty afterwards
 */
void signature_verdict_done(SignatureVerdict *v) {
        (void) strv_free(v->good);
        (void) strv_free(v->identities);
        free(v->unknown_key);
        free(v->expired_key);
        free(v->revoked_key);
        *v = (SignatureVerdict){};
}

static void lower(char *s) {
        for (; *s; s++)
                if (*s >= 'A' && *s <= 'Z')
                        *s = (char) (*s - 'A' + 'a');
}

/* SHA-256, -384 and -512; a binary document; version 4 or later. */
static bool is_strong(char **w) {
        unsigned version, hash, class;

        if (parse_uint(w[6], 255, &version) < 0 || parse_uint(w[9], 255, &hash) < 0 ||
            parse_uint(w[10], 255, &class) < 0)
                return false;
        return version >= 4 && hash >= 8 && hash <= 10 && class == 0;
}

static int take_validsig(SignatureVerdict *v, char **w, bool good) {
        _cleanup_free_ char *fingerprint = NULL;

        if (!good)
                return 0;
        if (strv_length(w) < 11 || !is_strong(w)) {
                v->weak = true;
                return 0;
        }
        fingerprint = strdup(strv_length(w) > 11 ? w[11] : w[2]);
        if (!fingerprint)
                return -ENOMEM;
        lower(fingerprint);
        return strv_contains(v->good, fingerprint) ? 0 : strv_extend(&v->good, fingerprint);
}

/* GOODSIG KEYID NAME: the name is the rest of the line. */
static int take_identity(SignatureVerdict *v, const char *line) {
        const char *key = strchr(line, ' '), *name = key ? strchr(key + 1, ' ') : NULL;
        _cleanup_free_ char *s = NULL;

        if (!name)
                return 0;
        s = strdup(name + 1);
        if (!s)
                return -ENOMEM;
        for (char *p = s; *p; p++)
                if (*p < ' ' || *p > '~')
                        *p = '?';
        return strv_extend(&v->identities, s);
}

static int take_line(SignatureVerdict *v, const char *line, bool *good) {
        _cleanup_strv_free_ char **w = NULL;
        const char *keyword, *key, *rest;

        rest = startswith(line, "[GNUPG:] ");
        if (!rest)
                return 0;
        if (strv_split(line, " ", &w) < 0)
                return -ENOMEM;
        keyword = w[1] ? w[1] : "";
        key = w[1] && w[2] ? w[2] : "";
        if (streq(keyword, "NEWSIG"))
                *good = false;
        else if (streq(keyword, "GOODSIG")) {
                *good = v->any = true;
                return take_identity(v, rest);
        } else if (streq(keyword, "VALIDSIG"))
                return take_validsig(v, w, *good);
        else if (streq(keyword, "BADSIG"))
                v->any = v->bad = true;
        else if (streq(keyword, "EXPSIG"))
                v->any = v->expired = true;
        else if (streq(keyword, "EXPKEYSIG"))
                return v->any = true, str_replace(&v->expired_key, key);
        else if (streq(keyword, "REVKEYSIG"))
                return v->any = true, str_replace(&v->revoked_key, key);
        else if (streq(keyword, "ERRSIG")) {
                /* ERRSIG keyid pkalgo hashalgo class time rc: 9 is "no public key", anything else cannot be checked. */
                v->any = true;
                if (strv_length(w) > 7 && streq(w[7], "9"))
                        return str_replace(&v->unknown_key, key);
                v->weak = true;
        }
        return 0;
}

/**
 * signature_verdict_parse() - read gpgv's status lines
 * @status: text, from a process that read hostile bytes
 * @ret:    for signature_verdict_done()
 *
 * Return: 0, -ENOMEM.
 */
int signature_verdict_parse(const char *status, SignatureVerdict *ret) {
        _cleanup_(signature_verdict_done) SignatureVerdict v = {};
        _cleanup_strv_free_ char **lines = NULL;
        bool good = false;

        if (strv_split(status, "\n", &lines) < 0)
                return -ENOMEM;
        STRV_FOREACH (l, lines)
                if (take_line(&v, *l, &good) < 0)
                        return -ENOMEM;
        *ret = v;
        v = (SignatureVerdict){};
        return 0;
}

static int judge_none_good(const SignatureVerdict *v, const char *name, Error *e) {
        if (!v->any)
                return error_setf(e, -EBADMSG, "the signature file contains no OpenPGP signature" HINT);
        if (v->revoked_key)
                return error_setf(e, -EKEYREVOKED, "signed by key %s, which was revoked" HINT,
                                  v->revoked_key);
        if (v->expired_key)
                return error_setf(e, -EKEYEXPIRED, "signed by key %s, which has expired" HINT,
                                  v->expired_key);
        if (v->expired)
                return error_setf(e, -EKEYEXPIRED, "the signature has expired" HINT);
        if (v->unknown_key)
                return error_setf(
                        e, -EKEYREJECTED,
                        "openpgp: signature made by unknown entity: key %s is not trusted for '%s'; trust it "
                        "with rkt trust --prefix=%s, or pass --insecure-options=image",
                        v->unknown_key, name, name);
        return error_setf(
                e, -EKEYREJECTED,
                "the signature is of a kind that is not accepted (wanted: detached, of a binary file, by "
                "SHA-256 or better)" HINT);
}

/**
 * signature_verdict_judge() - is the image signed by somebody who may sign it
 * @v:        what gpgv said
 * @k:        the keys that gpgv had
 * @name:     from the image's manifest
 * @ret_keys: fingerprints of the keys that are trusted for @name, at least one; for strv_free()
 * @e:        sentence on failure, naming the reason and the option that would allow it; may be NULL
 *
 * Return: 0, -EBADMSG (no signature, or one that does not fit), -EKEYREJECTED, -EKEYEXPIRED, -EKEYREVOKED, -ENOMEM.
 */
int signature_verdict_judge(const SignatureVerdict *v, const Keyring *k, const char *name, char ***ret_keys,
                            Error *e) {
        _cleanup_strv_free_ char **keys = NULL;

        if (v->bad)
                return error_setf(e, -EBADMSG,
                                  "wrong signature: it was not made over these bytes, so the image or "
                                  "the signature was changed" HINT);
        STRV_FOREACH (f, v->good)
                if (keyring_trusts(k, *f, name) && strv_extend(&keys, *f) < 0)
                        return error_oom(e);
        if (keys) {
                *ret_keys = TAKE_PTR(keys);
                return 0;
        }
        if (v->good)
                return error_setf(
                        e, -EKEYREJECTED,
                        "openpgp: signature made by unknown entity: key %s is trusted for other names, not "
                        "for "
                        "'%s'; trust it with rkt trust --prefix=%s, or pass --insecure-options=image",
                        v->good[0], name, name);
        return judge_none_good(v, name, e);
}
