/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All parsers of what registries, token servers and rkt-pull say about images. The first byte chooses: c challenges (one
 * header per line), t token, e error, l link, q request to the worker, f its documents, m its meta data. */
#include <stdint.h>
#include <string.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "oci/oci-digest.h"
#include "oci/registry-challenge.h"
#include "oci/registry-protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_challenge(const char *s) {
        _cleanup_(registry_challenge_done) RegistryChallenge c = {};
        _cleanup_strv_free_ char **headers = NULL;
        _cleanup_free_ char *url = NULL;

        if (strv_split(s, "\n", &headers) < 0 || registry_challenge_parse(headers, &c, NULL) < 0)
                return;
        assert(c.basic || c.bearer);
        assert(!c.bearer || c.realm);
        if (c.bearer)
                assert(registry_token_url(&c, "repository:a:pull", NULL, &url) == 0 &&
                       startswith(url, c.realm));
}

static void fuzz_token(const char *s, size_t size) {
        _cleanup_free_ char *token = NULL;

        if (registry_token_parse(s, size, &token, NULL) < 0)
                return;
        assert(*token && pull_text_is_plain(token) && !strchr(token, ' ') &&
               strlen(token) <= REGISTRY_TOKEN_MAX);
}

static void fuzz_error(const char *s, size_t size) {
        _cleanup_free_ char *text = NULL;

        if (registry_error_text(s, size, &text) == 0 && text)
                assert(pull_text_is_plain(text) && strlen(text) <= REGISTRY_ERROR_MAX + 60);
}

static void fuzz_link(const char *s) {
        _cleanup_(url_freep) Url *from = NULL;
        _cleanup_free_ char *next = NULL;

        if (url_parse("https://example.com/v2/", &from, NULL) == 0 &&
            registry_link_next(s, from, &next, NULL) == 0 && next)
                assert(startswith(next, "https://example.com/"));
}

/* What is accepted can be written, and reads back the same. */
static void fuzz_request(const char *s, size_t size) {
        _cleanup_(registry_task_done) RegistryTask t = {}, again = {};
        _cleanup_(pull_request_done) PullRequest q = {}, q2 = {};
        _cleanup_free_ char *text = NULL, *twice = NULL, *all = NULL;

        if (registry_task_parse(s, size, &q, &t, NULL) < 0 || registry_task_write(&t, &text) < 0)
                return;
        all = strf("url https://x\nsize-max 1\ntime-max 1\n\n%s", text);
        assert(all && registry_task_parse(all, strlen(all), &q2, &again, NULL) == 0);
        assert(registry_task_write(&again, &twice) == 0 && streq(text, twice));
}

static void fuzz_frames(const char *s, size_t size) {
        RegistryDocument *documents = NULL;
        size_t n = 0;

        if (registry_frames_parse(s, size, &documents, &n, NULL) < 0)
                return;
        FOREACH_ARRAY (d, documents, n)
                assert(oci_digest_verify(d->digest, d->data, d->size, "", NULL) == 0);
        registry_documents_free(documents, n);
}

static void fuzz_meta(const char *s, size_t size) {
        _cleanup_(registry_meta_done) RegistryMeta m = {};

        if (registry_meta_parse(s, size, &m, NULL) == 0)
                assert(m.ended && (!m.authorization || pull_text_is_plain(m.authorization)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *s = NULL;

        if (size < 1)
                return 0;
        s = strndup((const char *) data + 1, size - 1);
        if (!s)
                return 0;
        switch (data[0]) {
        case 'c': fuzz_challenge(s); break;
        case 't': fuzz_token(s, strlen(s)); break;
        case 'e': fuzz_error(s, strlen(s)); break;
        case 'l': fuzz_link(s); break;
        case 'q': fuzz_request((const char *) data + 1, size - 1); break;
        case 'f': fuzz_frames((const char *) data + 1, size - 1); break;
        case 'm': fuzz_meta((const char *) data + 1, size - 1); break;
        default: break;
        }
        return 0;
}
