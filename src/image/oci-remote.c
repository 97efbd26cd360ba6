/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Glue between what an administrator wrote (registries.d, credentials, trust.d) and who talks to registries. Nothing of what
 * a registry says is read as JSON before its signatures are found good, or nobody asks for any. */
#include "image/oci-remote.h"

#include <stdlib.h>
#include <string.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "config/docker-auth.h"
#include "config/registries.h"
#include "image/request.h"
#include "oci/cosign.h"
#include "oci/registry.h"

/* Places where the image is, and what is asked of them in common. */
typedef struct Places {
        RegistriesEndpoint *found;
        RegistryEndpoint *endpoints; /* the same in other words; its strings are those of found */
        size_t n;
        PullRequest limits;
} Places;

static void places_done(Places *p) {
        registries_endpoints_free(p->found, p->n);
        free(p->endpoints);
        pull_request_done(&p->limits);
}

static void translate(const RegistriesEndpoint *from, const ImageFetch *f, RegistryEndpoint *to) {
        *to = (RegistryEndpoint){
                .base = from->base,
                .repository = from->repository,
                .allow_http = from->allow_http || (f->options->insecure & INSECURE_HTTP),
                .insecure_tls = from->insecure_tls || (f->options->insecure & INSECURE_TLS),
                .ca_files = from->ca_files,
                .cert_file = from->cert_file,
                .key_file = from->key_file,
                .username = from->username,
                .password = from->password,
                .identity_token = from->identity_token,
                .token_host = from->token_host,
        };
}

static int find_places(const OciName *name, const ImageFetch *f, Places *p, Error *e) {
        const RegistriesQuery q = { .host = name->host,
                                    .repository = name->repository,
                                    .by_digest = name->digest };
        _cleanup_(docker_auth_sources_done) DockerAuthSources sources = {};
        const RequestOptions request = { .config = f->config, .limits = f->options->limits };
        int r;

        r = registries_endpoints(f->config, &q, &p->found, &p->n, e);
        if (r >= 0)
                r = docker_auth_sources_init(&sources, e);
        if (r >= 0)
                r = docker_credentials_fill(f->config, &sources, p->found, p->n, e);
        if (r < 0)
                return r;
        p->endpoints = new0(RegistryEndpoint, p->n);
        if (!p->endpoints)
                return error_oom(e);
        for (size_t i = 0; i < p->n; i++)
                translate(&p->found[i], f, &p->endpoints[i]);
        /* for its limits and proxies; headers of auth.d belong to servers of ACIs */
        r = request_init(&p->limits, p->endpoints[0].base, &request, e);
        if (r >= 0)
                p->limits.headers = strv_free(p->limits.headers);
        return r;
}

/* What the answer has of one kind of documents is what the policy shall be content with. */
static int verify(const OciName *name, const OciRemoteOptions *o, const RegistryAnswer *a, OciImage *i,
                  Error *e) {
        static const struct {
                RegistryRole role;
                OciSignatureKind kind;
        } kinds[] = {
                { REGISTRY_COSIGN, OCI_SIGNATURE_COSIGN },
                { REGISTRY_BUNDLE, OCI_SIGNATURE_BUNDLE },
                { REGISTRY_OPENPGP, OCI_SIGNATURE_OPENPGP },
        };
        _cleanup_free_ OciSignature *signatures = new0(OciSignature, a->n_documents);
        _cleanup_strv_free_ char **digests = NULL;
        size_t n = 0;
        int r;

        if (!signatures)
                return error_oom(e);
        FOREACH_ARRAY (d, a->documents, a->n_documents) {
                if ((d->role == REGISTRY_INDEX || d->role == REGISTRY_MANIFEST) &&
                    strv_extend(&digests, d->digest) < 0)
                        return error_oom(e);
                FOREACH_ARRAY (k, kinds, ELEMENTSOF(kinds))
                        if (d->role == k->role)
                                signatures[n++] = (OciSignature){ .kind = k->kind,
                                                                  .payload = d->data,
                                                                  .payload_size = d->size,
                                                                  .signature = d->signature };
        }
        r = oci_trust_verify(o->policy, name, digests, signatures, n, &i->signatures, &i->n_signatures, e);
        if (r < 0)
                return r;
        image_message(o->fetch->options, "signature verified:");
        FOREACH_ARRAY (s, i->signatures, i->n_signatures)
                image_message(o->fetch->options, "  %s", s->identity ? s->identity : s->fingerprint);
        return 0;
}

static int copy_document(const RegistryDocument *d, char **ret, size_t *ret_size, char **ret_digest,
                         Error *e) {
        *ret = malloc(d->size + 1);
        *ret_digest = strdup(d->digest);
        if (!*ret || !*ret_digest)
                return error_oom(e);
        memcpy(*ret, d->data, d->size);
        (*ret)[d->size] = '\0';
        *ret_size = d->size;
        return 0;
}

static int take_documents(const RegistryRequest *q, const RegistryAnswer *a, OciImage *i, Error *e) {
        const RegistryDocument *index = registry_answer_find(a, REGISTRY_INDEX),
                               *manifest = registry_answer_find(a, REGISTRY_MANIFEST),
                               *config = registry_answer_find(a, REGISTRY_CONFIG);
        _cleanup_(oci_document_freep) OciDocument *parsed = NULL;
        int r;

        if (!manifest || !config)
                return error_setf(e, -EPROTO, "the download worker brought no manifest");
        r = registry_answer_check(a, q, &parsed, e);
        if (r >= 0)
                r = copy_document(manifest, &i->manifest, &i->manifest_size, &i->manifest_digest, e);
        if (r >= 0)
                r = copy_document(config, &i->config, &i->config_size, &i->config_digest, e);
        if (r >= 0 && index && str_replace(&i->index_digest, index->digest) < 0)
                r = error_oom(e);
        if (r >= 0)
                r = oci_image_set_layers(i, parsed, e);
        if (r >= 0)
                r = oci_image_set_config(i, e);
        for (size_t n = 0; r >= 0 && n < i->n_layers; n++)
                r = registry_blob_request(a, i->layers[n].digest, i->layers[n].size, &i->layers[n].request,
                                          e);
        return r;
}

/**
 * oci_remote_changed() - does a name lead to another digest by now?
 * @name:   of a registry
 * @f:      how, with a config
 * @digest: that it led to
 * @e:      sentence on failure; may be NULL
 *
 * Only asks: nothing of the answer is believed but that it is the same.
 *
 * Return: 1: it does; 0: it does not; what registries_endpoints(), docker_credentials_fill() and registry_resolve() return.
 */
int oci_remote_changed(const OciName *name, const ImageFetch *f, const char *digest, Error *e) {
        _cleanup_(registry_answer_freep) RegistryAnswer *a = NULL;
        _cleanup_(oci_platform_done) OciPlatform platform = {};
        _cleanup_(places_done) Places places = {};
        RegistryRequest q = { .name = name, .known_digest = digest, .limits = &places.limits };
        int r = oci_platform_host(&platform) < 0 ? error_oom(e) : find_places(name, f, &places, e);

        q.platform = platform;
        q.endpoints = places.endpoints;
        q.n_endpoints = places.n;
        if (r >= 0)
                r = registry_resolve(&q, &a, e);
        return r < 0 ? r : !a->unchanged && !streq(a->digest, digest);
}

/**
 * oci_remote_load() - the documents of an image in a registry, verified, and requests for its layers
 * @name:       of a registry
 * @o:          how
 * @ret:        oci_image_done(); nothing if the name still leads to o->known_digest
 * @ret_digest: what the name leads to; for free()
 * @e:          sentence on failure; may be NULL
 *
 * Return: 1; 0: it still leads to o->known_digest; what registries_endpoints(), docker_credentials_fill(),
 * registry_resolve(), oci_trust_verify(), registry_answer_check(), oci_document_check_image() and oci_config_parse() return.
 */
int oci_remote_load(const OciName *name, const OciRemoteOptions *o, OciImage *ret, char **ret_digest,
                    Error *e) {
        _cleanup_(registry_answer_freep) RegistryAnswer *a = NULL;
        _cleanup_(places_done) Places places = {};
        _cleanup_free_ char *digest = NULL;
        OciImage i = OCI_IMAGE_INIT;
        RegistryRequest q = {
                .name = name,
                .platform = *o->load->platform,
                .known_digest = o->known_digest,
                .want_cosign = o->verify && oci_trust_wants_cosign(o->policy),
                .want_referrers = o->verify && oci_trust_wants_cosign(o->policy),
                .lookaside = o->verify ? o->policy->lookaside : NULL,
                .limits = &places.limits,
        };
        int r;

        r = find_places(name, o->fetch, &places, e);
        q.endpoints = places.endpoints;
        q.n_endpoints = places.n;
        if (r >= 0)
                r = registry_resolve(&q, &a, e);
        if (r < 0)
                return r;
        STRV_FOREACH (w, a->warnings)
                image_message(o->fetch->options, "warning: %s", *w);
        digest = strdup(a->digest);
        if (!digest)
                return error_oom(e);
        if (!a->unchanged && o->verify)
                r = verify(name, o, a, &i, e);
        if (r >= 0 && !a->unchanged)
                r = take_documents(&q, a, &i, e);
        if (r < 0) {
                oci_image_done(&i);
                return r;
        }
        *ret = i;
        *ret_digest = TAKE_PTR(digest);
        return !a->unchanged;
}
