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
        FOREACH_ARRAY (g, v->good, v->n_good) {
                free(g->primary);
                free(g->made_by);
        }
        free(v->good);
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
        _cleanup_free_ char *primary = NULL, *made_by = NULL;
        uint64_t seconds = 0;

        if (!good)
                return 0;
        if (strv_length(w) < 11 || !is_strong(w)) {
                v->weak = true;
                return 0;
        }
        primary = strdup(strv_length(w) > 11 ? w[11] : w[2]);
        made_by = strdup(w[2]);
        if (!primary || !made_by || !GREEDY_GROW(v->good, v->n_good))
                return -ENOMEM;
        lower(primary);
        lower(made_by);
        if (parse_uint64(w[4], &seconds) < 0 || seconds > UINT32_MAX)
                seconds = 0;
        v->good[v->n_good++] =
                (SignatureGood){ TAKE_PTR(primary), TAKE_PTR(made_by), seconds * USEC_PER_SEC };
        return 0;
}

static int take_line(SignatureVerdict *v, const char *line, bool *good) {
        _cleanup_strv_free_ char **w = NULL;
        const char *keyword, *key;

        if (!startswith(line, "[GNUPG:] "))
                return 0;
        if (strv_split(line, " ", &w) < 0)
                return -ENOMEM;
        keyword = w[1] ? w[1] : "";
        key = w[1] && w[2] ? w[2] : "";
        if (streq(keyword, "NEWSIG"))
                *good = false;
        else if (streq(keyword, "GOODSIG"))
                *good = v->any = true;
        else if (streq(keyword, "VALIDSIG"))
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

static int judge_unknown(const char *key, bool elsewhere, const char *name, Error *e) {
        if (!name)
                return error_setf(
                        e, -ENOKEY,
                        "openpgp: signature made by unknown entity: key %s is not trusted; trust it with "
                        "rkt trust --prefix=NAME, or pass --insecure-options=image",
                        key);
        return error_setf(
                e, -ENOKEY,
                "openpgp: signature made by unknown entity: key %s is %s '%s'; trust it with rkt trust "
                "--prefix=%s, or pass --insecure-options=image",
                key, elsewhere ? "trusted for other names, not for" : "not trusted for", name, name);
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
                return judge_unknown(v->unknown_key, false, name, e);
        return error_setf(e, -EKEYREJECTED,
                          "the signature is of a kind that is not accepted (wanted: of a binary file, by "
                          "SHA-256 or better)" HINT);
}

static bool has_signer(const SignatureSigner *signers, size_t n, const TrustedKey *key) {
        FOREACH_ARRAY (s, signers, n)
                if (s->key == key)
                        return true;
        return false;
}

/**
 * signature_verdict_judge() - is the image signed by somebody who may sign it
 * @v:        what gpgv said
 * @k:        the keys that gpgv had
 * @name:     of the image; NULL: not known yet, so that a key which is trusted for any name will do
 * @ret:      who signed, at least one, for free(); the keys are those of @k; may be NULL
 * @ret_n:    how many; may be NULL
 * @e:        sentence on failure, naming the reason and the option that would allow it; may be NULL
 *
 * Return: 0, -EBADMSG (no signature, or one that does not fit), -ENOKEY (by a stranger), -EKEYREJECTED
 * (weak), -EKEYEXPIRED, -EKEYREVOKED, -ENOMEM.
 */
int signature_verdict_judge(const SignatureVerdict *v, const Keyring *k, const char *name,
                            SignatureSigner **ret, size_t *ret_n, Error *e) {
        _cleanup_free_ SignatureSigner *signers = NULL;
        const char *weak = NULL;
        size_t n = 0;

        if (v->bad)
                return error_setf(e, -EBADMSG,
                                  "wrong signature: it was not made over these bytes, so the image or "
                                  "the signature was changed" HINT);
        signers = new0(SignatureSigner, v->n_good + 1);
        if (!signers)
                return error_oom(e);
        FOREACH_ARRAY (g, v->good, v->n_good) {
                const TrustedKey *t = keyring_find(k, g->primary, name);

                if (t && strv_contains(t->key.weak_subkeys, g->made_by))
                        weak = g->made_by;
                else if (t && !has_signer(signers, n, t))
                        signers[n++] = (SignatureSigner){ t, g->time_usec };
        }
        if (n == 0 && weak)
                return error_setf(e, -EKEYREJECTED,
                                  "signed by subkey %s, which is too weak (less than %u bits)" HINT, weak,
                                  PGP_BITS_MIN);
        if (n == 0)
                return v->n_good > 0 ? judge_unknown(v->good[0].primary, true, name, e)
                                     : judge_none_good(v, name, e);
        if (ret)
                *ret = TAKE_PTR(signers);
        if (ret_n)
                *ret_n = n;
        return 0;
}
