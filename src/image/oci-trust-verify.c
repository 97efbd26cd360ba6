/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Are an image's signatures good enough for its policy? Foreign bytes are looked at by rkt-cosign and by gpgv, in processes of
 * their own; here keys go in and verdicts come out. One good signature is enough, whatever else there is. */
#include <fcntl.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/worker.h"
#include "image/oci-trust.h"
#include "image/signature.h"
#include "oci/cosign-protocol.h"

#define COSIGN_USER "rkt-cosign"
#define REASONS_MAX 3U /* that are told */

typedef struct Verify {
        const OciTrustPolicy *policy;
        OciName *name; /* as it must be signed */
        char *const *digests;
        StoreSignature *good;
        size_t n_good;
        char **reasons; /* why signatures are not good enough */
} Verify;

static void signature_done(StoreSignature *s) {
        free(s->fingerprint);
        free(s->identity);
        free(s->key_file);
}

static void verify_done(Verify *v) {
        (void) oci_name_free(v->name);
        FOREACH_ARRAY (g, v->good, v->n_good)
                signature_done(g);
        free(v->good);
        (void) strv_free(v->reasons);
}

static bool is_known(const Verify *v, const char *fingerprint) {
        FOREACH_ARRAY (g, v->good, v->n_good)
                if (streq(g->fingerprint, fingerprint))
                        return true;
        return false;
}

static int add_good(Verify *v, const char *fingerprint, const char *identity, const char *path, usec_t when,
                    Error *e) {
        StoreSignature s = { .time_usec = when };

        if (is_known(v, fingerprint))
                return 0;
        s.fingerprint = strdup(fingerprint);
        s.key_file = strdup(path);
        s.identity = identity ? strdup(identity) : NULL;
        if (!s.fingerprint || !s.key_file || (identity && !s.identity) || !GREEDY_GROW(v->good, v->n_good)) {
                signature_done(&s);
                return error_oom(e);
        }
        v->good[v->n_good++] = s;
        return 0;
}

static int add_reason(Verify *v, const char *text, Error *e) {
        if (strv_contains(v->reasons, text))
                return 0;
        return strv_extend(&v->reasons, text) < 0 ? error_oom(e) : 0;
}

/* ---- cosign ---- */

static int ask_worker(const CosignRequest *q, CosignVerdict **ret, Error *e) {
        _cleanup_(worker_output_done) WorkerOutput out = { .fd = -EBADF, .size_max = COSIGN_ANSWER_MAX };
        _cleanup_(process_done) Process worker = PROCESS_INIT;
        _cleanup_close_ int request_fd = -EBADF;
        _cleanup_free_ char *request = NULL;
        int p[2], r, code = 0;
        size_t size = 0;

        if (cosign_request_encode(q, &request, &size) < 0)
                return error_oom(e);
        r = fd_memory_file("signatures", request, size, &request_fd);
        if (r < 0)
                return error_setf(e, r, "cannot make a file in memory: %s", strerror(-r));
        if (pipe2(p, O_CLOEXEC) < 0)
                return error_setf(e, -errno, "cannot make a pipe: %m");
        out.fd = p[0];
        r = worker_spawn("rkt-cosign", COSIGN_USER, (char *[]){ (char[]){ "rkt-cosign" }, NULL },
                         (const int[]){ request_fd, p[1], STDERR_FILENO }, 3, &worker, e);
        (void) fd_close(p[1]);
        if (r >= 0)
                r = worker_listen("rkt-cosign", &out, 1, e);
        if (r >= 0)
                r = process_reap(&worker, &code, e);
        if (r < 0)
                return r;
        if (code != 0)
                return error_setf(e, -EPROTO, "rkt-cosign ended with status %d", code);
        return cosign_answer_decode(out.data.data, out.data.size, q->n_keys, q->n_signatures, ret, e);
}

static int take_verdicts(Verify *v, const CosignVerdict *verdicts, size_t n, Error *e) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < n; i++) {
                const OciTrustKey *k = v->policy->keys + verdicts[i].key;

                r = verdicts[i].r < 0
                            ? add_reason(v, verdicts[i].text, e)
                            : add_good(v, k->key.fingerprint, NULL, k->path, verdicts[i].time_usec, e);
        }
        return r;
}

/* The request borrows everything. Signatures that are too large to be some are not even sent. */
static int verify_cosign(Verify *v, const OciSignature *signatures, size_t n, Error *e) {
        _cleanup_free_ OciSignature *chosen = new0(OciSignature, n);
        _cleanup_free_ CosignKey *keys = new0(CosignKey, v->policy->n_keys);
        _cleanup_free_ CosignVerdict *verdicts = NULL;
        CosignRequest q = { .name = v->name, .keys = keys, .identity = v->policy->identity };
        int r;

        if (!chosen || !keys)
                return error_oom(e);
        FOREACH_ARRAY (s, signatures, n) {
                if (s->kind == OCI_SIGNATURE_OPENPGP || q.n_signatures >= COSIGN_SIGNATURES_MAX)
                        continue;
                if (s->payload_size <= COSIGN_PAYLOAD_MAX &&
                    (!s->signature || strlen(s->signature) <= COSIGN_SIGNATURE_MAX))
                        chosen[q.n_signatures++] = *s;
                else if (add_reason(v, "the signature is too large", e) < 0)
                        return -ENOMEM;
        }
        if (q.n_signatures == 0 || v->policy->n_keys == 0)
                return 0;
        FOREACH_ARRAY (k, v->policy->keys, v->policy->n_keys)
                keys[q.n_keys++] = k->key;
        q.signatures = chosen;
        r = strv_copy(v->digests, &q.digests);
        if (r < 0)
                return error_oom(e);
        r = ask_worker(&q, &verdicts, e);
        (void) strv_free(q.digests);
        return r < 0 ? r : take_verdicts(v, verdicts, q.n_signatures, e);
}

/* ---- simple signing ---- */

static void upper(char *s) {
        for (; *s; s++)
                if (*s >= 'a' && *s <= 'z')
                        *s = (char) (*s - 'a' + 'A');
}

static int take_signer(Verify *v, const SignatureSigner *by, usec_t when, Error *e) {
        const PgpKey *key = &by->key->key;
        _cleanup_free_ char *fingerprint = strdup(key->fingerprint);

        if (!fingerprint)
                return error_oom(e);
        upper(fingerprint);
        return add_good(v, fingerprint, key->identities ? key->identities[0] : NULL, by->key->path,
                        by->time_usec ? by->time_usec : when, e);
}

/* gpgv's word first; then what it said the word about. */
static int judge_message(const Verify *v, const OciSignature *s, SignatureSigner **ret, usec_t *ret_when,
                         Error *e) {
        const CosignAsked asked = { .name = v->name, .digests = v->digests, .identity = v->policy->identity };
        _cleanup_(signature_verdict_done) SignatureVerdict verdict = {};
        _cleanup_free_ SignatureSigner *by = NULL;
        _cleanup_free_ char *payload = NULL;
        size_t size = 0, n = 0;
        int r;

        r = signature_message_read(v->policy->openpgp, s->payload, s->payload_size, &verdict, &payload, &size,
                                   e);
        if (r >= 0)
                r = signature_verdict_judge(&verdict, v->policy->openpgp, NULL, &by, &n, e);
        if (r == -ENOKEY)
                return error_setf(e, r, "the signature was made by key %s, which is none of OpenPGPKey=",
                                  str_or(verdict.unknown_key, "?"));
        if (r >= 0 && n != 1)
                r = error_setf(e, -EBADMSG, "there are %zu signers of one signature", n);
        if (r >= 0)
                r = cosign_payload_check(payload, size, COSIGN_PAYLOAD_OPENPGP, &asked, ret_when, e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(by);
        return 0;
}

static int verify_openpgp(Verify *v, const OciSignature *s, Error *e) {
        _cleanup_free_ SignatureSigner *by = NULL;
        _cleanup_error_ Error reason = ERROR_INIT;
        usec_t when = 0;
        int r;

        r = judge_message(v, s, &by, &when, &reason);
        if (r == -ENOMEM || r == -ESRCH || r == -EIO || r == -ETIME)
                return error_setf(e, r, "%s", error_text(&reason, r));
        if (r < 0)
                return add_reason(v, error_text(&reason, r), e);
        assert(by);
        return take_signer(v, by, when, e);
}

/* ---- all of them ---- */

/* The name in the place where its signers know it. */
static int name_signed(const OciTrustPolicy *p, const OciName *name, OciName **ret, Error *e) {
        _cleanup_free_ char *text = NULL, *full = NULL, *moved = NULL;

        if (p->signed_as) {
                full = strf("%s/%s", name->host, name->repository);
                moved = full ? strf("%s%s", p->signed_as, full + strlen(p->prefix)) : NULL;
        } else
                moved = strf("%s/%s", name->host, name->repository);
        if (!moved)
                return error_oom(e);
        text = strf("docker://%s%s%s%s%s", moved, name->tag ? ":" : "", str_or(name->tag, ""),
                    name->digest ? "@" : "", str_or(name->digest, ""));
        return text ? oci_name_parse(text, ret, e) : error_oom(e);
}

static int none_good(const Verify *v, const OciName *name, Error *e) {
        _cleanup_strbuf_ StrBuf text = STRBUF_INIT;
        size_t n = 0;

        if (!v->reasons)
                return error_setf(
                        e, -ENODATA,
                        "image 'docker://%s/%s' has no signature, which %s demands; have it signed, "
                        "or use it unsigned with --insecure-options=image",
                        name->host, name->repository, v->policy->where[0]);
        STRV_FOREACH (s, v->reasons)
                if (n++ < REASONS_MAX)
                        strbuf_addf(&text, "%s%s", text.size > 0 ? "; " : "", *s);
        if (text.failed)
                return error_oom(e);
        return error_setf(e, -EKEYREJECTED, "image 'docker://%s/%s' has no signature that %s accepts: %s",
                          name->host, name->repository, v->policy->where[0], text.data);
}

/**
 * oci_trust_verify() - are the signatures good enough
 * @p:            policy of @name, for which oci_trust_demand() wants OCI_TRUST_VERIFY
 * @name:         that was asked for
 * @digests:      "sha256:...", computed here: of the manifest, and of the index that led to it; one of them must be signed
 * @signatures:   hostile; more than OCI_TRUST_SIGNATURES_MAX are not looked at
 * @n_signatures: of them
 * @ret:          keys whose signatures are good, at least one; members and list for free()
 * @ret_n:        of them
 * @e:            why not, for each kind of reason; may be NULL
 *
 * Return: 0, -ENODATA (there is no signature), -EKEYREJECTED (none is good), -EPROTO, -ESRCH, -EIO, -ETIME, -ENOMEM (a worker failed).
 */
int oci_trust_verify(const OciTrustPolicy *p, const OciName *name, char *const *digests,
                     const OciSignature *signatures, size_t n_signatures, StoreSignature **ret, size_t *ret_n,
                     Error *e) {
        _cleanup_(verify_done) Verify v = { .policy = p, .digests = digests };
        int r;

        n_signatures = MIN(n_signatures, (size_t) OCI_TRUST_SIGNATURES_MAX);
        r = name_signed(p, name, &v.name, e);
        if (r >= 0)
                r = verify_cosign(&v, signatures, n_signatures, e);
        for (size_t i = 0; r >= 0 && i < n_signatures; i++)
                if (p->openpgp && signatures[i].kind == OCI_SIGNATURE_OPENPGP)
                        r = verify_openpgp(&v, signatures + i, e);
        if (r < 0)
                return error_prefixf(e, r, "signatures of 'docker://%s/%s'", name->host, name->repository);
        if (v.n_good == 0)
                return none_good(&v, name, e);
        *ret = TAKE_PTR(v.good);
        *ret_n = v.n_good;
        v.n_good = 0;
        return 0;
}
