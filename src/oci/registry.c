/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asking registries, the trusted side: a worker per registry that is asked, so that none of them meets the credentials of
 * another. */
#include "oci/registry.h"

#include <inttypes.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "net/pull-worker.h"
#include "oci/oci-digest.h"
#include "oci/registry-protocol.h"

#define RESOLVE_MAX_SEC 600U /* for all documents of one registry, waiting for it included */
#define META_MAX        PULL_META_MAX
#define FRAMES_MAX      (REGISTRY_SIZE_MAX + REGISTRY_DOCUMENTS_MAX * REGISTRY_FRAME_HEAD_MAX)

/**
 * registry_answer_free() - free an answer
 * @a: may be NULL
 *
 * Return: NULL.
 */
RegistryAnswer *registry_answer_free(RegistryAnswer *a) {
        if (!a)
                return NULL;
        registry_documents_free(a->documents, a->n_documents);
        STRV_FOREACH (h, a->blobs.headers)
                explicit_bzero(*h, strlen(*h));
        pull_request_done(&a->blobs);
        strv_free(a->warnings);
        free(a->digest);
        free(a->endpoint);
        free(a->repository);
        free(a);
        return NULL;
}

/**
 * registry_answer_find() - the document that plays a role
 * @a:    an answer
 * @role: which
 *
 * Return: the first of them, owned by @a; NULL: there is none.
 */
const RegistryDocument *registry_answer_find(const RegistryAnswer *a, RegistryRole role) {
        FOREACH_ARRAY (d, a->documents, a->n_documents)
                if (d->role == role)
                        return d;
        return NULL;
}

/* What all requests to an endpoint have in common. */
static int common_request(const RegistryRequest *q, const RegistryEndpoint *p, const char *base,
                          PullRequest *ret, Error *e) {
        _cleanup_(pull_request_done) PullRequest r = {};

        if (q->limits && pull_request_copy(q->limits, &r) < 0)
                return error_oom(e);
        r.headers = strv_free(r.headers);
        r.etag = (free(r.etag), NULL);
        r.resume_tag = (free(r.resume_tag), NULL);
        r.resume_from = 0;
        r.ca_files = strv_free(r.ca_files);
        r.allow_http = p->allow_http;
        r.insecure_tls = p->insecure_tls;
        if (str_replace(&r.url, base) < 0 || strv_copy(p->ca_files, &r.ca_files) < 0 ||
            (p->cert_file && str_replace(&r.cert_file, p->cert_file) < 0) ||
            (p->key_file && str_replace(&r.key_file, p->key_file) < 0))
                return error_oom(e);
        *ret = r;
        r = (PullRequest){};
        return 0;
}

static int write_task(const RegistryRequest *q, const RegistryEndpoint *p, char **ret, Error *e) {
        char empty[] = "";
        char *reference = NULL, *known = NULL;
        RegistryTask t = {
                .repository = p->repository ? p->repository : q->name->repository,
                .platform = q->platform,
                .want_cosign = q->want_cosign,
                .want_referrers = q->want_referrers,
                .lookaside = q->lookaside,
                .lookaside_name = q->lookaside ? q->name->repository : NULL,
                .username = p->username,
                .password = p->username && !p->password ? empty : p->password,
                .identity_token = p->identity_token,
                .token_host = p->token_host,
        };
        int r;

        reference = strdup(oci_name_registry_reference(q->name));
        known = q->known_digest ? strdup(q->known_digest) : NULL;
        t.reference = reference;
        t.known_digest = known;
        r = !reference || (q->known_digest && !known) ? -ENOMEM : registry_task_write(&t, ret);
        free(reference);
        free(known);
        if (r == -ENOMEM)
                return error_oom(e);
        return r < 0 ? error_setf(e, r,
                                  "the name, the credentials or the URL of a signature server is too "
                                  "long, or has characters that none has")
                     : 0;
}

/* What the worker sent, against what was asked for. */
static int take_documents(RegistryAnswer *a, const RegistryRequest *q, const RegistryMeta *m, Error *e) {
        if (m->unchanged) {
                if (a->n_documents > 0 || !streq_ptr(m->unchanged, q->known_digest))
                        return error_setf(e, -EPROTO,
                                          "the download worker says that another image is unchanged");
                a->unchanged = true;
        } else if (a->n_documents == 0)
                return error_setf(e, -EPROTO, "the download worker did not send any document");
        if (str_replace(&a->digest, a->unchanged ? m->unchanged : a->documents[0].digest) < 0)
                return error_oom(e);
        if (q->name->digest && !streq(q->name->digest, a->digest))
                return error_setf(e, -EBADMSG, "another image came than was asked for: expected %s, found %s",
                                  q->name->digest, a->digest);
        return 0;
}

static int read_answer(const PullWorker *w, RegistryAnswer *a, const RegistryRequest *q, Error *e) {
        _cleanup_(registry_meta_done) RegistryMeta m = {};
        _cleanup_(pull_output_done) PullOutput frames = { .size_max = FRAMES_MAX };
        _cleanup_(pull_output_done) PullOutput meta = { .size_max = META_MAX };
        int r;

        r = pull_worker_read(w, &frames, &meta, e);
        if (r >= 0)
                r = registry_meta_parse(meta.data, meta.size, &m, e);
        if (r < 0)
                return r;
        if (m.n_bytes != frames.size)
                return error_setf(e, -EPROTO,
                                  "the download worker sent another number of bytes than it said");
        r = registry_frames_parse(frames.data, frames.size, &a->documents, &a->n_documents, e);
        if (r >= 0)
                r = take_documents(a, q, &m, e);
        if (r < 0)
                return r;
        if (m.authorization && strv_extendf(&a->blobs.headers, "Authorization: %s", m.authorization) < 0)
                return error_oom(e);
        a->warnings = TAKE_PTR(m.warnings);
        return 0;
}

static int ask_base(const RegistryRequest *q, const RegistryEndpoint *p, const char *base,
                    RegistryAnswer **ret, Error *e) {
        const bool is_last = p == &q->endpoints[q->n_endpoints - 1];
        _cleanup_(registry_answer_freep) RegistryAnswer *a = new0(RegistryAnswer, 1);
        _cleanup_(pull_worker_done) PullWorker w = PULL_WORKER_INIT;
        _cleanup_free_ char *task = NULL;
        RegistryEndpoint to = *p; /* borrows, as does the next */
        PullRequest now;
        int r;

        if (!a)
                return error_oom(e);
        if (base != p->base) /* who made https fail shall not get them for that */
                to.username = to.password = to.identity_token = NULL;
        r = common_request(q, p, base, &a->blobs, e);
        if (r >= 0)
                r = write_task(q, &to, &task, e);
        if (r < 0)
                return r;
        a->endpoint = strdup(base);
        a->repository = strdup(p->repository ? p->repository : q->name->repository);
        if (!a->endpoint || !a->repository)
                return error_oom(e);
        now = a->blobs;
        if (!is_last) /* the next one is sooner there than this one comes to itself */
                now.retries_max = PULL_NONE;
        now.time_max_sec = MIN(now.time_max_sec > 0 ? now.time_max_sec : RESOLVE_MAX_SEC, RESOLVE_MAX_SEC);
        r = pull_worker_start("registry", &now, task, &w, e);
        explicit_bzero(task, strlen(task));
        if (r >= 0)
                r = read_answer(&w, a, q, e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(a);
        return 0;
}

/* It does not speak https, or not there. A bad certificate is another matter. */
static bool may_be_plain(int r) {
        return r == -EPROTO || r == -EHOSTUNREACH || r == -ECONNRESET || r == -ETIMEDOUT;
}

static int ask_endpoint(const RegistryRequest *q, const RegistryEndpoint *p, RegistryAnswer **ret, Error *e) {
        const char *rest = startswith(p->base, "https://");
        _cleanup_error_ Error first = ERROR_INIT, second = ERROR_INIT;
        _cleanup_free_ char *plain = NULL;
        int r, again;

        r = ask_base(q, p, p->base, ret, &first);
        if (r >= 0 || !may_be_plain(r) || !p->allow_http || !rest)
                return r < 0 ? error_setf(e, r, "%s", error_text(&first, r)) : 0;
        plain = strf("http://%s", rest);
        if (!plain)
                return error_oom(e);
        again = ask_base(q, p, plain, ret, &second);
        if (again < 0 && may_be_plain(again))
                return error_setf(e, r, "%s", error_text(&first, r));
        return again < 0 ? error_setf(e, again, "%s", error_text(&second, again)) : 0;
}

/* Our own trouble is the same with any registry. */
static bool is_ours(int r) {
        return r == -ENOMEM || r == -ESRCH || r == -EMFILE || r == -ENFILE;
}

static int check_request(const RegistryRequest *q, Error *e) {
        assert(q->name->transport == OCI_TRANSPORT_REGISTRY);
        if (q->n_endpoints == 0 || q->n_endpoints > REGISTRY_ENDPOINTS_MAX)
                return error_setf(e, -EINVAL, "there is no registry to ask, or more than %u",
                                  REGISTRY_ENDPOINTS_MAX);
        return q->known_digest ? oci_digest_parse(q->known_digest, NULL, NULL, e) : 0;
}

/**
 * registry_resolve() - the documents of an image
 * @q:   what is wanted, and where; no I/O before it is checked
 * @ret: for registry_answer_free()
 * @e:   names each registry that was asked, and what it said; may be NULL
 *
 * Bytes of every document have the digest that stands beside them, and the first the digest that was asked for. That each
 * leads to the next is checked by registry_answer_check(), which parses them.
 *
 * Return: 0; what the last registry said: -ENOENT (no such image), -EACCES (credentials), -EBUSY (rate limit), -EPERM,
 * -EBADMSG, -EOPNOTSUPP (schema 1), -EHOSTUNREACH, -ETIMEDOUT, -EKEYREJECTED (certificate); -EPROTO (the worker), -ENOMEM.
 */
int registry_resolve(const RegistryRequest *q, RegistryAnswer **ret, Error *e) {
        _cleanup_strbuf_ StrBuf all = STRBUF_INIT;
        _cleanup_strv_free_ char **failed = NULL;
        int r;

        r = check_request(q, e);
        if (r < 0)
                return r;
        FOREACH_ARRAY (p, q->endpoints, q->n_endpoints) {
                _cleanup_error_ Error one = ERROR_INIT;
                RegistryAnswer *a = NULL;

                r = ask_endpoint(q, p, &a, &one);
                if (r >= 0) {
                        STRV_FOREACH (f, failed)
                                (void) strv_extend(&a->warnings, *f);
                        *ret = a;
                        return 0;
                }
                if (is_ours(r))
                        return error_setf(e, r, "%s", error_text(&one, r));
                strbuf_addf(&all, "%s%s: %s", all.size > 0 ? "; " : "", p->base, error_text(&one, r));
                if (strv_extendf(&failed, "%s: %s", p->base, error_text(&one, r)) < 0)
                        return error_oom(e);
        }
        return all.failed ? error_oom(e) : error_setf(e, r, "%s", all.data);
}

/* Is the document that follows the one that the descriptor means? */
static int check_link(const OciDescriptor *from, const RegistryDocument *to, Error *e) {
        if (!streq(from->digest, to->digest) || from->size != to->size)
                return error_setf(e, -EBADMSG,
                                  "another %s came than was asked for: expected %s of %" PRIu64
                                  " bytes, found %s of %zu",
                                  registry_role_to_string(to->role), from->digest, from->size, to->digest,
                                  to->size);
        return 0;
}

/* The document at a place, read; the one before led here by @from, unless it is the first. */
static int parse_document(const RegistryDocument *d, const OciDescriptor *from, OciDocument **ret, Error *e) {
        int r = from ? check_link(from, d, e) : 0;

        if (r >= 0)
                r = oci_document_parse(d->data, d->size, d->media_type, from ? from->media_type : NULL, ret,
                                       e);
        if (r >= 0 && (*ret)->is_index != (d->role == REGISTRY_INDEX)) {
                *ret = oci_document_free(*ret);
                r = error_setf(e, -EPROTO, "the download worker mistook an index for a manifest");
        }
        return r < 0 ? error_prefixf(e, r, "%s", d->digest) : 0;
}

/**
 * registry_answer_check() - read the documents, and see that each leads to the next
 * @a:   an answer with documents, whose signatures count or do not matter: this is the first time that they are parsed here
 * @q:   what was asked for
 * @ret: the manifest of the image, which is one that we can run; for oci_document_free()
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0; -EBADMSG, -EPROTO (the worker chose otherwise), those of oci_document_parse(), oci_index_choose() and
 * oci_document_check_image().
 */
int registry_answer_check(const RegistryAnswer *a, const RegistryRequest *q, OciDocument **ret, Error *e) {
        _cleanup_(oci_document_freep) OciDocument *d = NULL;
        size_t i = 0;
        int r;

        assert(a->n_documents >= 2); /* registry_frames_parse() */
        r = parse_document(&a->documents[0], NULL, &d, e);
        for (; r >= 0 && d && d->is_index; i++) {
                _cleanup_(oci_document_freep) OciDocument *index = TAKE_PTR(d);
                const OciDescriptor *next = NULL;

                /* what it calls a manifest may be an index after all */
                if (i + 2 >= a->n_documents)
                        return error_setf(e, -EPROTO, "the download worker sent too few documents");
                r = oci_index_choose(index, &q->platform, (unsigned) i, &next, e);
                if (r >= 0)
                        r = parse_document(&a->documents[i + 1], next, &d, e);
        }
        if (r < 0)
                return r;
        assert(d);
        r = oci_document_check_image(d, e);
        if (r >= 0)
                r = check_link(d->config, &a->documents[i + 1], e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(d);
        return 0;
}

/**
 * registry_blob_request() - how a layer is downloaded
 * @a:      an answer
 * @digest: of the layer
 * @size:   bytes, which is the limit
 * @ret:    for download_start() and pull_request_done(); contains secrets
 * @e:      sentence on failure; may be NULL
 *
 * A token may have expired when it is used: -EACCES of the download means to resolve once more. Credentials go to this
 * registry only, wherever it redirects to.
 *
 * Return: 0, -EINVAL and -EOPNOTSUPP (digest), -ENOMEM.
 */
int registry_blob_request(const RegistryAnswer *a, const char *digest, uint64_t size, PullRequest *ret,
                          Error *e) {
        _cleanup_(pull_request_done) PullRequest q = {};
        int r;

        r = oci_digest_parse(digest, NULL, NULL, e);
        if (r < 0)
                return r;
        if (pull_request_copy(&a->blobs, &q) < 0)
                return error_oom(e);
        free(q.url);
        q.url = strf("%s/v2/%s/blobs/%s", a->endpoint, a->repository, digest);
        if (!q.url)
                return error_oom(e);
        q.size_max = MAX(size, UINT64_C(1)); /* 0 would be the default */
        *ret = q;
        q = (PullRequest){};
        return 0;
}
