/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For tests only, not installed: asks registries for an image, and prints what came; with "blobs" gets its layers, too.
 *
 *      tool-registry NAME [WORD | KEY=VALUE]...
 *
 * endpoint=URL begins an endpoint; user=, password=, identity=, ca=, cert=, key=, token-host=, repository=, http, insecure
 * belong to it. known=, lookaside=, retries=, time=, size=, cosign, referrers, blobs belong to the request. */
#include <stdio.h>
#include <stdlib.h>

#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "net/download.h"
#include "oci/oci-digest.h"
#include "oci/registry.h"

#define ENDPOINTS 4

typedef struct Tool {
        RegistryEndpoint endpoints[ENDPOINTS];
        RegistryRequest q;
        PullRequest limits;
        bool blobs;
} Tool;

static int take_word(Tool *t, char *word) {
        RegistryEndpoint *p = &t->endpoints[t->q.n_endpoints > 0 ? t->q.n_endpoints - 1 : 0];
        char *value = strchr(word, '=');
        const struct {
                const char *name;
                char **text;
        } texts[] = { { "user", &p->username },
                      { "password", &p->password },
                      { "identity", &p->identity_token },
                      { "cert", &p->cert_file },
                      { "key", &p->key_file },
                      { "token-host", &p->token_host },
                      { "repository", &p->repository } };
        const struct {
                const char *name;
                bool *flag;
        } flags[] = { { "http", &p->allow_http },
                      { "insecure", &p->insecure_tls },
                      { "cosign", &t->q.want_cosign },
                      { "referrers", &t->q.want_referrers },
                      { "blobs", &t->blobs } };

        if (!value) {
                FOREACH_ARRAY (f, flags, ELEMENTSOF(flags))
                        if (streq(word, f->name)) {
                                *f->flag = true;
                                return 0;
                        }
                return -EINVAL;
        }
        *value++ = 0;
        FOREACH_ARRAY (f, texts, ELEMENTSOF(texts))
                if (streq(word, f->name))
                        return str_replace(f->text, value);
        if (streq(word, "endpoint") && t->q.n_endpoints < ENDPOINTS)
                return str_replace(&t->endpoints[t->q.n_endpoints++].base, value);
        if (streq(word, "ca"))
                return strv_extend(&p->ca_files, value);
        if (streq(word, "lookaside"))
                return strv_extend(&t->q.lookaside, value);
        if (streq(word, "known")) {
                t->q.known_digest = value;
                return 0;
        }
        if (streq(word, "retries"))
                return parse_uint(value, 1000, &t->limits.retries_max);
        if (streq(word, "time"))
                return parse_uint(value, 1000, &t->limits.time_max_sec);
        return -EINVAL;
}

static int get_blob(const RegistryAnswer *a, const OciDescriptor *l, Error *e) {
        _cleanup_(pull_request_done) PullRequest q = {};
        _cleanup_free_ char *data = NULL;
        size_t size;
        int r;

        r = registry_blob_request(a, l->digest, l->size, &q, e);
        if (r >= 0)
                r = download_small(&q, &data, &size, e);
        if (r >= 0)
                r = oci_digest_verify(l->digest, data, size, "the layer", e);
        if (r >= 0)
                (void) printf("layer %s %zu\n", l->digest, size);
        return r;
}

static int show(const Tool *t, const RegistryAnswer *a, Error *e) {
        _cleanup_(oci_document_freep) OciDocument *d = NULL;
        int r;

        (void) printf("%s %s\nendpoint %s\n", a->unchanged ? "unchanged" : "digest", a->digest, a->endpoint);
        FOREACH_ARRAY (x, a->documents, a->n_documents)
                (void) printf("%s %s %zu %s %s\n", registry_role_to_string(x->role), x->digest, x->size,
                              str_or(x->about, "-"), str_or(x->signature, "-"));
        STRV_FOREACH (w, a->warnings)
                (void) printf("warning %s\n", *w);
        STRV_FOREACH (h, a->blobs.headers)
                (void) printf("secret %.25s\n", *h);
        if (a->unchanged)
                return 0;
        r = registry_answer_check(a, &t->q, &d, e);
        for (size_t i = 0; r >= 0 && t->blobs && i < d->n_layers; i++)
                r = get_blob(a, &d->layers[i], e);
        return r;
}

static int run(Tool *t, int argc, char *argv[], Error *e) {
        _cleanup_(registry_answer_freep) RegistryAnswer *a = NULL;
        _cleanup_(oci_name_freep) OciName *name = NULL;
        int r;

        r = oci_name_parse(argv[1], &name, e);
        if (r >= 0)
                r = oci_platform_from_string("linux/amd64", &t->q.platform, e);
        for (int i = 2; r >= 0 && i < argc; i++)
                if (take_word(t, argv[i]) < 0)
                        r = error_setf(e, -EINVAL, "'%s' is not understood", argv[i]);
        if (r < 0)
                return r;
        t->q.name = name;
        t->q.endpoints = t->endpoints;
        t->q.limits = &t->limits;
        r = registry_resolve(&t->q, &a, e);
        return r < 0 ? r : show(t, a, e);
}

static void tool_done(Tool *t) {
        FOREACH_ARRAY (p, t->endpoints, ENDPOINTS) {
                char *const texts[] = { p->base,     p->repository, p->cert_file,      p->key_file,
                                        p->username, p->password,   p->identity_token, p->token_host };

                for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                        free(texts[i]);
                strv_free(p->ca_files);
        }
        strv_free(t->q.lookaside);
        oci_platform_done(&t->q.platform);
}

int main(int argc, char *argv[]) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_(tool_done) Tool t = {};
        int r;

        if (argc < 2)
                return EXIT_FAILURE;
        r = run(&t, argc, argv, &e);
        if (r < 0)
                (void) fprintf(stderr, "%d %s\n", -r, error_text(&e, r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
