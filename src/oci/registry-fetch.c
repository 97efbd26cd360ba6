/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a name to the documents of an image: index, manifest, config. Everything but the first is asked for by its digest, so a
 * tag that moves meanwhile makes no mixture. */
#include <inttypes.h>
#include <stdio.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "oci/oci-digest.h"
#include "oci/registry-session.h"

typedef struct Fetch {
        RegistrySession *s;
        RegistryEmit emit;
        void *userdata;
        char **digests; /* of indexes and of the manifest: what signatures may be about */
} Fetch;

static int call_manifest(RegistrySession *s, const char *reference, bool head, HttpAnswer *ret, Error *e) {
        _cleanup_free_ char *url = NULL;

        if (registry_session_url(s, "manifests", reference, &url) < 0)
                return error_oom(e);
        return registry_session_call(
                s,
                &(HttpCall){ .url = url, .head = head, .accept = OCI_ACCEPT, .body_max = OCI_DOCUMENT_MAX },
                ret, e);
}

/* What the server says the digest is, if it is one that we can check. */
static int check_content_digest(const HttpAnswer *a, const char *what, Error *e) {
        int r;

        if (!a->head.content_digest)
                return 0;
        r = oci_digest_verify(a->head.content_digest, a->body, a->size, what, e);
        return r < 0 ? error_prefixf(e, r, "Docker-Content-Digest") : 0;
}

/* The manifest or index that a tag or a digest leads to. */
static int get_manifest(Fetch *f, const char *reference, HttpAnswer *ret, char digest[OCI_DIGEST_MAX],
                        Error *e) {
        _cleanup_(http_answer_done) HttpAnswer a = HTTP_ANSWER_INIT;
        _cleanup_free_ char *what = strf("manifest '%s'", reference);
        bool by_digest = oci_digest_is_valid(reference);
        int r;

        if (!what)
                return error_oom(e);
        r = call_manifest(f->s, reference, false, &a, e);
        if (r < 0)
                return error_prefixf(e, r, "%s", what);
        if (a.status != 200)
                return registry_session_refused(f->s, &a, what, e);
        if (by_digest)
                r = oci_digest_verify(reference, a.body, a.size, "the manifest", e);
        if (r >= 0)
                r = check_content_digest(&a, what, e);
        if (r < 0)
                return r;
        if (by_digest)
                (void) snprintf(digest, OCI_DIGEST_MAX, "%s", reference);
        else if (oci_digest_of(DIGEST_SHA256, a.body, a.size, digest) < 0)
                return error_oom(e);
        *ret = a;
        a = HTTP_ANSWER_INIT;
        return 0;
}

static int emit_manifest(Fetch *f, const HttpAnswer *a, bool is_index, char *digest, Error *e) {
        if (strv_extend(&f->digests, digest) < 0)
                return error_oom(e);
        return f->emit(f->userdata,
                       &(RegistryDocument){ .role = is_index ? REGISTRY_INDEX : REGISTRY_MANIFEST,
                                            .media_type = a->head.content_type,
                                            .digest = digest,
                                            .data = a->body,
                                            .size = a->size },
                       e);
}

/* One step: read the document; if it is an index, say which manifest comes next. */
static int read_manifest(Fetch *f, const char *reference, const OciDescriptor *from, OciDocument **ret,
                         Error *e) {
        _cleanup_(oci_document_freep) OciDocument *d = NULL;
        _cleanup_(http_answer_done) HttpAnswer a = HTTP_ANSWER_INIT;
        char digest[OCI_DIGEST_MAX];
        int r;

        r = get_manifest(f, reference, &a, digest, e);
        if (r < 0)
                return r;
        if (from && from->size != a.size)
                return error_setf(e, -EBADMSG,
                                  "manifest %s differs from its size: expected %" PRIu64 " bytes, found %zu",
                                  digest, from->size, a.size);
        r = oci_document_parse(a.body, a.size, a.head.content_type, from ? from->media_type : NULL, &d, e);
        if (r >= 0)
                r = emit_manifest(f, &a, d->is_index, digest, e);
        if (r < 0)
                return error_prefixf(e, r, "%s", digest);
        *ret = TAKE_PTR(d);
        return 0;
}

static int get_config(Fetch *f, const OciDescriptor *config, Error *e) {
        _cleanup_(http_answer_done) HttpAnswer a = HTTP_ANSWER_INIT;
        _cleanup_free_ char *url = NULL;
        int r;

        if (registry_session_url(f->s, "blobs", config->digest, &url) < 0)
                return error_oom(e);
        r = registry_session_call(f->s, &(HttpCall){ .url = url, .body_max = (size_t) config->size }, &a, e);
        if (r < 0)
                return error_prefixf(e, r, "config %s", config->digest);
        if (a.status != 200)
                return registry_session_refused(f->s, &a, "config", e);
        if (a.size != config->size)
                return error_setf(e, -EBADMSG,
                                  "config %s differs from its size: expected %" PRIu64 " bytes, found %zu",
                                  config->digest, config->size, a.size);
        r = oci_digest_verify(config->digest, a.body, a.size, "the config", e);
        if (r < 0)
                return r;
        return f->emit(f->userdata,
                       &(RegistryDocument){ .role = REGISTRY_CONFIG,
                                            .media_type = config->media_type,
                                            .digest = config->digest,
                                            .data = a.body,
                                            .size = a.size },
                       e);
}

/* Where the tag leads now, without what counts as a pull. @ret_reference: what to ask for, by digest if that is known. */
static int look(RegistrySession *s, char **ret_reference, char **ret_unchanged, Error *e) {
        const RegistryTask *t = s->task;
        _cleanup_(http_answer_done) HttpAnswer a = HTTP_ANSWER_INIT;
        const char *digest;
        int r;

        *ret_reference = strdup(t->reference);
        if (!*ret_reference)
                return error_oom(e);
        if (!t->known_digest)
                return 0;
        if (!oci_digest_is_valid(t->reference)) {
                r = call_manifest(s, t->reference, true, &a, e);
                if (r < 0)
                        return error_prefixf(e, r, "manifest '%s'", t->reference);
                digest = a.head.content_digest;
                if (a.status != 200 || !digest || !oci_digest_is_valid(digest))
                        return 0; /* a GET says more */
        } else
                digest = t->reference;
        if (streq(digest, t->known_digest)) {
                *ret_unchanged = strdup(digest);
                return *ret_unchanged ? 0 : error_oom(e);
        }
        return str_replace(ret_reference, digest) < 0 ? error_oom(e) : 0;
}

/* From index to index to manifest. */
static int descend(Fetch *f, const char *reference, OciDocument **ret, Error *e) {
        _cleanup_(oci_document_freep) OciDocument *d = NULL;
        int r;

        r = read_manifest(f, reference, NULL, &d, e);
        for (unsigned depth = 0; r >= 0 && d && d->is_index; depth++) {
                _cleanup_(oci_document_freep) OciDocument *index = TAKE_PTR(d);
                const OciDescriptor *next = NULL;

                r = oci_index_choose(index, &f->s->task->platform, depth, &next, e);
                if (r >= 0)
                        r = read_manifest(f, next->digest, next, &d, e);
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(d);
        return 0;
}

static int fetch(Fetch *f, const char *reference, Error *e) {
        _cleanup_(oci_document_freep) OciDocument *manifest = NULL;
        int r;

        r = descend(f, reference, &manifest, e);
        if (r < 0)
                return r;
        r = oci_document_check_image(manifest, e);
        if (r >= 0)
                r = get_config(f, manifest->config, e);
        if (r < 0)
                return r;
        return registry_fetch_signatures(f->s, f->digests, f->emit, f->userdata, e);
}

/**
 * registry_fetch() - do what the session's task says
 * @s:             a session
 * @emit:          gets each document; what it returns below 0 ends everything
 * @userdata:      for @emit
 * @ret_unchanged: the digest that is known already, and nothing was emitted; else NULL. For free()
 * @e:             sentence on failure; may be NULL
 *
 * Return: 0; -ENOENT, -EACCES, -EBUSY, -EPERM, -EBADMSG, -EOPNOTSUPP (schema 1, artifacts), -E2BIG, -EFBIG, and those of
 * http_session_call().
 */
int registry_fetch(RegistrySession *s, RegistryEmit emit, void *userdata, char **ret_unchanged, Error *e) {
        _cleanup_free_ char *reference = NULL;
        Fetch f = { .s = s, .emit = emit, .userdata = userdata };
        int r;

        *ret_unchanged = NULL;
        r = look(s, &reference, ret_unchanged, e);
        if (r >= 0 && !*ret_unchanged)
                r = fetch(&f, reference, e);
        strv_free(f.digests);
        return r;
}
