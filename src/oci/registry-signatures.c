/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signatures that a registry or a lookaside server has about an image. Nothing is verified here. What is malformed is passed
 * over with a warning: it signs nothing, and must not keep a good signature beside it from being found. */
#include <inttypes.h>
#include <stdio.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "manifest/ac-types.h"
#include "oci/oci-digest.h"
#include "oci/registry-challenge.h"
#include "oci/registry-session.h"

#define COSIGN_TYPE       "application/vnd.dev.cosign.simplesigning.v1+json"
#define COSIGN_ANNOTATION "dev.cosignproject.cosign/signature"
#define BUNDLE_TYPE       "application/vnd.dev.sigstore.bundle"
#define PAGES_MAX         4U
#define REFERRERS_MAX     64U /* manifests that are looked at */

typedef struct Signatures {
        RegistrySession *s;
        RegistryEmit emit;
        void *userdata;
        char *about;
        unsigned n_found;
        unsigned n_asked;
} Signatures;

/* A registry that has no such thing says so in many ways. */
static bool is_absent(unsigned status) {
        return status == 404 || status == 400 || status == 405 || status == 406 || status == 501;
}

/* Is this mistake one of the server's data, rather than of the way there? */
static bool is_bad_data(int r) {
        return r == -EBADMSG || r == -EFBIG || r == -E2BIG || r == -EINVAL || r == -EOPNOTSUPP ||
               r == -ENODATA || r == -ENOENT || r == -EILSEQ || r == -ERANGE || r == -EPROTOTYPE;
}

/* 0: there; 1: there is none. */
static int ask(Signatures *g, const char *kind, const char *reference, const char *accept, size_t size_max,
               HttpAnswer *ret, Error *e) {
        _cleanup_free_ char *url = NULL;
        int r;

        if (registry_session_url(g->s, kind, reference, &url) < 0)
                return error_oom(e);
        r = registry_session_call(g->s, &(HttpCall){ .url = url, .accept = accept, .body_max = size_max },
                                  ret, e);
        if (r < 0)
                return r;
        if (is_absent(ret->status))
                return 1;
        return ret->status == 200 ? 0 : registry_session_refused(g->s, ret, "signature", e);
}

static int ask_document(Signatures *g, const char *reference, HttpAnswer *a, OciDocument **ret, Error *e) {
        int r;

        r = ask(g, "manifests", reference, OCI_ACCEPT, OCI_DOCUMENT_MAX, a, e);
        if (r != 0)
                return r;
        if (oci_digest_is_valid(reference))
                r = oci_digest_verify(reference, a->body, a->size, "the manifest", e);
        return r < 0 ? r : oci_document_parse(a->body, a->size, a->head.content_type, NULL, ret, e);
}

/* One layer of a signature's manifest. */
static int take_layer(Signatures *g, const OciDescriptor *l, RegistryRole role, const char *signature,
                      Error *e) {
        _cleanup_(http_answer_done) HttpAnswer a = HTTP_ANSWER_INIT;
        _cleanup_free_ char *text = NULL;
        RegistryDocument d = {
                .role = role, .media_type = l->media_type, .digest = l->digest, .about = g->about
        };
        int r;

        if (l->size > REGISTRY_SIGNATURE_SIZE_MAX)
                return error_setf(e, -E2BIG, "%s has %" PRIu64 " bytes, at most %u are allowed", l->digest,
                                  l->size, REGISTRY_SIGNATURE_SIZE_MAX);
        if (g->n_found >= REGISTRY_SIGNATURES_MAX)
                return 0;
        r = ask(g, "blobs", l->digest, NULL, (size_t) l->size, &a, e);
        if (r > 0)
                return error_setf(e, -ENOENT, "%s is not there", l->digest);
        if (r < 0)
                return r;
        if (a.size != l->size)
                return error_setf(e, -EBADMSG,
                                  "%s differs from its size: expected %" PRIu64 " bytes, found %zu",
                                  l->digest, l->size, a.size);
        r = oci_digest_verify(l->digest, a.body, a.size, "it", e);
        if (r < 0)
                return r;
        if (signature) {
                text = strdup(signature);
                if (!text)
                        return error_oom(e);
                d.signature = text;
        }
        d.data = a.body;
        d.size = a.size;
        g->n_found++;
        return g->emit(g->userdata, &d, e);
}

/* What is wrong with one signature is said, and does not end the search. */
static int forgive(Signatures *g, const char *what, int r, Error *e) {
        if (!is_bad_data(r))
                return r;
        registry_session_warn(g->s, "%s of %.19s... is passed over: %s", what, g->about, error_text(e, r));
        error_done(e);
        return 0;
}

static int take_cosign(Signatures *g, const OciDocument *d, Error *e) {
        FOREACH_ARRAY (l, d->layers, d->n_layers) {
                const char *signature = ac_pairs_get(l->annotations, l->n_annotations, COSIGN_ANNOTATION);
                int r;

                if (!streq(l->media_type, COSIGN_TYPE) || !signature || !pull_text_is_plain(signature) ||
                    !*signature)
                        continue;
                r = take_layer(g, l, REGISTRY_COSIGN, signature, e);
                if (r < 0)
                        r = forgive(g, "a cosign signature", r, e);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* "sha256:HEX" as a tag: "sha256-HEX" with something behind it. */
static char *tag_of(const char *digest, const char *suffix) {
        char *tag = strf("%s%s", digest, suffix);

        if (tag)
                *strchr(tag, ':') = '-';
        return tag;
}

static int find_cosign(Signatures *g, Error *e) {
        _cleanup_(http_answer_done) HttpAnswer a = HTTP_ANSWER_INIT;
        _cleanup_(oci_document_freep) OciDocument *d = NULL;
        _cleanup_free_ char *tag = tag_of(g->about, ".sig");
        int r;

        if (!tag)
                return error_oom(e);
        r = ask_document(g, tag, &a, &d, e);
        if (r > 0)
                return 0;
        if (r >= 0)
                r = take_cosign(g, d, e);
        return r < 0 ? forgive(g, "a cosign signature", r, e) : 0;
}

/* One manifest that says it refers to the image. The entry in the list need not say what it is. */
static int take_referrer(Signatures *g, const OciDescriptor *entry, Error *e) {
        _cleanup_(http_answer_done) HttpAnswer a = HTTP_ANSWER_INIT;
        _cleanup_(oci_document_freep) OciDocument *d = NULL;
        int r;

        if (!oci_type_is_manifest(entry->media_type) || g->n_asked++ >= REFERRERS_MAX)
                return 0;
        r = ask_document(g, entry->digest, &a, &d, e);
        if (r != 0)
                return MIN(r, 0);
        if (d->is_index || (d->subject && !streq(d->subject->digest, g->about)))
                return 0;
        if (!d->artifact_type || !startswith(d->artifact_type, BUNDLE_TYPE))
                return take_cosign(g, d, e); /* cosign 2 with --registry-referrers-mode=oci-1-1 */
        FOREACH_ARRAY (l, d->layers, d->n_layers) {
                if (!startswith(l->media_type, BUNDLE_TYPE))
                        continue;
                r = take_layer(g, l, REGISTRY_BUNDLE, NULL, e);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int take_referrers(Signatures *g, const HttpAnswer *a, Error *e) {
        _cleanup_(oci_document_freep) OciDocument *d = NULL;
        int r;

        r = oci_document_parse(a->body, a->size, a->head.content_type, NULL, &d, e);
        if (r < 0)
                return forgive(g, "the list of referrers", r, e);
        FOREACH_ARRAY (m, d->manifests, d->n_manifests) {
                r = take_referrer(g, m, e);
                if (r < 0)
                        r = forgive(g, "a referrer", r, e);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* All pages of the list, up to a limit. 1: this registry does not know referrers. */
static int find_by_api(Signatures *g, Error *e) {
        _cleanup_free_ char *url = NULL;

        if (registry_session_url(g->s, "referrers", g->about, &url) < 0)
                return error_oom(e);
        for (unsigned page = 0; url && page < PAGES_MAX; page++) {
                _cleanup_(http_answer_done) HttpAnswer a = HTTP_ANSWER_INIT;
                _cleanup_free_ char *at = TAKE_PTR(url);
                int r;

                r = registry_session_call(
                        g->s,
                        &(HttpCall){ .url = at, .accept = OCI_TYPE_INDEX, .body_max = OCI_DOCUMENT_MAX }, &a,
                        e);
                if (r < 0)
                        return r;
                if (a.status != 200)
                        return is_absent(a.status)
                                       ? page == 0
                                       : registry_session_refused(g->s, &a, "list of referrers", e);
                r = take_referrers(g, &a, e);
                if (r >= 0)
                        r = registry_link_next(a.head.link, g->s->base, &url, e);
                if (r < 0)
                        return forgive(g, "the list of referrers", r, e);
        }
        return 0;
}

static int find_referrers(Signatures *g, Error *e) {
        _cleanup_(http_answer_done) HttpAnswer a = HTTP_ANSWER_INIT;
        _cleanup_free_ char *tag = tag_of(g->about, "");
        int r;

        if (!tag)
                return error_oom(e);
        r = find_by_api(g, e);
        if (r <= 0)
                return r;
        r = ask(g, "manifests", tag, OCI_ACCEPT, OCI_DOCUMENT_MAX, &a, e);
        if (r > 0)
                return 0;
        return r < 0 ? forgive(g, "the list of referrers", r, e) : take_referrers(g, &a, e);
}

/* BASE/NAME@sha256=HEX/signature-N, N from 1 to the first that is not there. These servers are of the administrator's
 * choice, and are not told who we are. */
static int find_lookaside(Signatures *g, const char *base, Error *e) {
        _cleanup_free_ char *about = strdup(g->about);

        if (!about)
                return error_oom(e);
        *strchr(about, ':') = '=';
        for (unsigned n = 1; g->n_found < REGISTRY_SIGNATURES_MAX; n++) {
                _cleanup_(http_answer_done) HttpAnswer a = HTTP_ANSWER_INIT;
                _cleanup_free_ char *url = NULL;
                char digest[OCI_DIGEST_MAX];
                int r;

                url = strf("%s/%s@%s/signature-%u", base, g->s->task->lookaside_name, about, n);
                if (!url)
                        return error_oom(e);
                r = http_session_call(g->s->http,
                                      &(HttpCall){ .url = url, .body_max = REGISTRY_SIGNATURE_SIZE_MAX }, &a,
                                      e);
                if (r < 0)
                        return forgive(g, "a signature", r, e);
                if (a.status != 200) {
                        if (a.status != 404 && a.status != 403)
                                registry_session_warn(
                                        g->s, "the signature server at '%s' fails (bad HTTP status code: %u)",
                                        base, a.status);
                        return 0;
                }
                if (oci_digest_of(DIGEST_SHA256, a.body, a.size, digest) < 0)
                        return error_oom(e);
                g->n_found++;
                r = g->emit(g->userdata,
                            &(RegistryDocument){ .role = REGISTRY_OPENPGP,
                                                 .digest = digest,
                                                 .about = g->about,
                                                 .data = a.body,
                                                 .size = a.size },
                            e);
                if (r < 0)
                        return r;
        }
        return 0;
}

/**
 * registry_fetch_signatures() - find what the session's task wants to know about an image
 * @s:        a session
 * @digests:  of the indexes and the manifest; a signature on any of them may be good
 * @emit:     gets each signature
 * @userdata: for @emit
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0; those of registry_session_call(). What is malformed becomes a warning of the session.
 */
int registry_fetch_signatures(RegistrySession *s, char *const *digests, RegistryEmit emit, void *userdata,
                              Error *e) {
        Signatures g = { .s = s, .emit = emit, .userdata = userdata };
        _cleanup_error_ Error own = ERROR_INIT;
        int r = 0;

        for (char *const *d = digests; d && *d && r >= 0; d++) {
                g.about = *d;
                if (s->task->want_cosign)
                        r = find_cosign(&g, &own);
                if (r >= 0 && s->task->want_referrers)
                        r = find_referrers(&g, &own);
                for (char **l = s->task->lookaside; l && *l && r >= 0; l++)
                        r = find_lookaside(&g, *l, &own);
        }
        return r < 0 ? error_setf(e, r, "signatures: %s", error_text(&own, r)) : 0;
}
