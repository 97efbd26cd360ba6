/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Challenges, realms, tokens and the worker's protocol. What happens over the network: test/registry-test.py. R-ids:
 * robustness, section 3.10. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "basic/base64.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "oci/oci-digest.h"
#include "oci/registry-challenge.h"
#include "oci/registry-protocol.h"

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A     "sha256:" HEX_A
/* of "{}" */
#define EMPTY "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

/* R8: what a 401 says; NULL as @expect: nothing that we know. Lines of @headers are headers of their own. */
static const struct {
        const char *headers, *expect;
} challenges[] = {
        { "Bearer realm=\"https://a/t\",service=\"s\",scope=\"repository:x:pull,push\"",
          "bearer https://a/t s repository:x:pull,push -" },
        { "Bearer realm=https://a/t,service=s", "bearer https://a/t s - -" },
        { "bEARER REALM = \"https://a/t\" , Service=\"s\"", "bearer https://a/t s - -" },
        { "Basic realm=\"x\"", "basic" },
        { "Basic", "basic" },
        { "Negotiate, Basic realm=\"x\", Bearer realm=\"https://a/t\",service=\"s\"",
          "basic bearer https://a/t s - -" },
        { "Bearer realm=\"https://a/t\", Basic realm=\"x\"", "basic bearer https://a/t - - -" },
        { "Basic realm=\"x\"\nBearer realm=\"https://a/t\"", "basic bearer https://a/t - - -" },
        { "Negotiate YWJj==, Bearer realm=\"https://a/t\"", "bearer https://a/t - - -" },
        { "Digest realm=\"https://x/\", Bearer realm=\"https://a/t\"", "bearer https://a/t - - -" },
        { "Bearer realm=\"https://a/\\\"t\"", "bearer https://a/\"t - - -" },
        { "Bearer realm=\"https://a/t\", Bearer realm=\"https://b/t\"", "bearer https://a/t - - -" },
        { "Bearer service=\"s\", Bearer realm=\"https://b/t\"", "bearer https://b/t - - -" },
        { "Bearer realm=\"https://a/t\",error=\"insufficient_scope\"",
          "bearer https://a/t - - insufficient_scope" },
        { "Bearer realm=\"https://a/t\",realm=\"https://b/t\"", "bearer https://a/t - - -" },
        { "Bearer realm=\"https://a/t", NULL },
        { "Basic realm=\"x\", Bearer realm=\"https://a/t", "basic" },
        { "Bearer", NULL },
        { "Bearer service=s", NULL },
        { "Negotiate", NULL },
        { "=\"", NULL },
        { "\"", NULL },
        { "", NULL },
};

static void test_challenge(void **state) {
        FOREACH_ARRAY (t, challenges, ELEMENTSOF(challenges)) {
                _cleanup_(registry_challenge_done) RegistryChallenge c = {};
                _cleanup_strv_free_ char **headers = NULL;
                _cleanup_free_ char *found = NULL;
                _cleanup_error_ Error e = ERROR_INIT;
                int r;

                assert_int_equal(strv_split(t->headers, "\n", &headers), 0);
                r = registry_challenge_parse(headers, &c, &e);
                if (!t->expect) {
                        assert_int_equal(r, -EBADMSG);
                        assert_non_null(strstr(e.message, "who we are"));
                        continue;
                }
                assert_int_equal(r, 0);
                found = strf("%s%s%s%s%s%s%s%s%s%s", c.basic ? "basic" : "", c.basic && c.bearer ? " " : "",
                             c.bearer ? "bearer " : "", c.bearer ? c.realm : "", c.bearer ? " " : "",
                             c.bearer ? str_or(c.service, "-") : "", c.bearer ? " " : "",
                             c.bearer ? str_or(c.scope, "-") : "", c.bearer ? " " : "",
                             c.bearer ? str_or(c.error, "-") : "");
                assert_string_equal(found, t->expect);
        }
}

/* R8: who may get the credentials of a registry */
static const struct {
        const char *registry, *realm, *token_host;
        bool own;
} realms[] = {
        { "https://registry-1.docker.io", "https://auth.docker.io/token", NULL, true },
        { "https://quay.io", "https://quay.io/v2/auth", NULL, true },
        { "https://registry.gitlab.com", "https://gitlab.com/jwt/auth", NULL, true },
        { "https://ghcr.io", "https://token.ghcr.io/token", NULL, true },
        { "https://r.example.com:5000", "https://r.example.com/token", NULL, true },
        { "https://a.b.example.com", "https://c.b.example.com/token", NULL, true },
        { "https://registry.example.co.uk", "https://auth.example.co.uk/", NULL, true },
        { "https://registry.abc.io", "https://auth.abc.io/", NULL, true },
        { "https://example.co.uk", "https://evil.co.uk/", NULL, false },
        { "https://quay.io", "https://evil.io/", NULL, false },
        { "https://quay.io", "https://evilquay.io/", NULL, false },
        { "https://quay.io", "https://quay.io.evil.com/", NULL, false },
        { "https://registry-1.docker.io", "https://evil.com/docker.io", NULL, false },
        { "https://registry-1.docker.io", "https://evildocker.io/", NULL, false },
        { "https://registry.example.com", "http://registry.example.com/token", NULL, false },
        { "http://registry.example.com", "http://registry.example.com/token", NULL, true },
        { "http://registry.example.com", "https://registry.example.com/token", NULL, true },
        { "https://192.0.2.1", "https://192.0.2.1/token", NULL, true },
        { "https://192.0.2.1", "https://192.1.2.1/token", NULL, false },
        { "https://1.2.3.4", "https://5.2.3.4/token", NULL, false },
        { "https://[2001:db8::1]:5000", "https://[2001:db8::1]/token", NULL, true },
        { "https://[2001:db8::1]", "https://[2001:db8::2]/token", NULL, false },
        { "https://localhost:5000", "https://localhost:5001/token", NULL, true },
        { "https://localhost", "https://example.com/token", NULL, false },
        { "https://r.example.com", "https://sso.example.net/token", "sso.example.net", true },
        { "https://r.example.com", "https://sso.example.net:8443/token", "SSO.example.net:8443", true },
        { "https://r.example.com", "https://sso.example.net:8443/token", "sso.example.net", false },
        { "https://r.example.com", "http://sso.example.net/token", "sso.example.net", false },
};

static void test_realm(void **state) {
        FOREACH_ARRAY (t, realms, ELEMENTSOF(realms)) {
                _cleanup_(url_freep) Url *registry = NULL, *realm = NULL;

                assert_int_equal(url_parse(t->registry, &registry, NULL), 0);
                assert_int_equal(url_parse(t->realm, &realm, NULL), 0);
                if (registry_realm_is_own(registry, realm, t->token_host) != t->own)
                        fail_msg("%s -> %s", t->registry, t->realm);
        }
}

static void test_token(void **state) {
        static const struct {
                const char *json, *expect, *part;
        } cases[] = {
                { "{\"token\":\"abc\"}", "abc", NULL },
                { "{\"access_token\":\"abc\",\"expires_in\":60}", "abc", NULL },
                { "{\"token\":\"a\",\"access_token\":\"b\"}", "a", NULL },
                { "{\"token\":\"\",\"access_token\":\"b\"}", "b", NULL },
                { "{\"token\":7,\"access_token\":\"b\"}", "b", NULL },
                { "{\"token\":\"a b\"}", NULL, "characters" },
                { "{\"token\":\"a\\r\\nX: y\"}", NULL, "characters" },
                { "{\"token\":\"\\u00e4\"}", NULL, "characters" },
                { "{}", NULL, "no token" },
                { "[]", NULL, "no JSON object" },
                { "{\"token\":", NULL, "no JSON object" },
                { "", NULL, "no JSON object" },
        };
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        _cleanup_error_ Error long_error = ERROR_INIT;
        char *none = NULL;

        FOREACH_ARRAY (t, cases, ELEMENTSOF(cases)) {
                _cleanup_error_ Error e = ERROR_INIT;
                _cleanup_free_ char *token = NULL;
                int r = registry_token_parse(t->json, strlen(t->json), &token, &e);

                assert_int_equal(r, t->expect ? 0 : -EBADMSG);
                if (t->expect)
                        assert_string_equal(token, t->expect);
                else
                        assert_non_null(strstr(e.message, t->part));
        }
        strbuf_add(&b, "{\"token\":\"");
        for (unsigned i = 0; i < REGISTRY_TOKEN_MAX + 1; i++)
                strbuf_add(&b, "x");
        strbuf_add(&b, "\"}");
        assert_int_equal(registry_token_parse(b.data, b.size, &none, &long_error), -E2BIG);
        assert_null(strstr(long_error.message, "xx")); /* never the token */
}

static void test_query(void **state) {
        char realm[] = "https://a/t?x=y", service[] = "a b&c=d";
        RegistryChallenge c = { .bearer = true, .realm = realm, .service = service };
        _cleanup_free_ char *url = NULL, *form = NULL, *text = NULL;

        assert_int_equal(registry_token_url(&c, "repository:a/b:pull", "u#", &url), 0);
        assert_string_equal(
                url, "https://a/t?x=y&account=u%23&service=a%20b%26c%3Dd&scope=repository%3Aa%2Fb%3Apull");
        assert_int_equal(registry_form_add(&form, "a", NULL), 0);
        assert_null(form);
        assert_int_equal(base64_encode("a:b\xff", 4, &text), 0);
        assert_string_equal(text, "YTpi/w==");
}

static void test_error_text(void **state) {
        static const struct {
                const char *body, *expect;
        } cases[] = {
                { "{\"errors\":[{\"code\":\"X\",\"message\":\"y\"}]}", "X: y" },
                { "{\"errors\":[{\"message\":\"y\\u001b[2J\\u00e4\"}]}", "y?[2J??" },
                { "{\"errors\":[{\"code\":\"X\"}]}", "X" },
                { "{\"details\":\"bad password\"}", "bad password" },
                { "{\"errors\":[]}", NULL },
                { "{\"errors\":{}}", NULL },
                { "{\"errors\":[7]}", NULL },
                { "<html>", NULL },
                { "", NULL },
        };

        FOREACH_ARRAY (t, cases, ELEMENTSOF(cases)) {
                _cleanup_free_ char *text = NULL;

                assert_int_equal(registry_error_text(t->body, strlen(t->body), &text), 0);
                if (t->expect)
                        assert_string_equal(text, t->expect);
                else
                        assert_null(text);
        }
}

static void test_link(void **state) {
        static const struct {
                const char *link, *expect;
                int r;
        } cases[] = {
                { NULL, NULL, 0 },
                { "", NULL, 0 },
                { "</v2/x?n=2>; rel=\"next\"", "https://a.example.com:5000/v2/x?n=2", 0 },
                { "<https://a.example.com:5000/y>; rel=next", "https://a.example.com:5000/y", 0 },
                { "</x>; rel=\"prev\"", NULL, 0 },
                { "<https://evil.example.com/y>; rel=\"next\"", NULL, -EBADMSG },
                { "<//evil.example.com/y>; rel=\"next\"", NULL, -EBADMSG },
                { "<http://a.example.com:5000/y>; rel=\"next\"", NULL, -EBADMSG },
                { "<y>; rel=\"next\"", NULL, -EBADMSG },
                { "</y", NULL, 0 },
        };
        _cleanup_(url_freep) Url *from = NULL;

        assert_int_equal(url_parse("https://a.example.com:5000/v2/", &from, NULL), 0);
        FOREACH_ARRAY (t, cases, ELEMENTSOF(cases)) {
                _cleanup_free_ char *next = NULL;

                assert_int_equal(registry_link_next(t->link, from, &next, NULL), t->r);
                if (t->expect)
                        assert_string_equal(next, t->expect);
                else
                        assert_null(next);
        }
}

/* Everything that is said comes back, secrets of any bytes included. */
static void test_task(void **state) {
        char os[] = "linux", arch[] = "arm64", variant[] = "v8", url[] = "https://r.example.com",
             name[] = "a/b", reference[] = "latest", known[] = A, user[] = "u:\n\xff", empty[] = "",
             token[] = "i d", look[] = "https://l/x", host[] = "sso:1";
        char *lookaside[] = { look, NULL };
        RegistryTask t = { .repository = name,
                           .reference = reference,
                           .known_digest = known,
                           .platform = { os, arch, variant },
                           .want_cosign = true,
                           .lookaside = lookaside,
                           .lookaside_name = name,
                           .username = user,
                           .password = empty,
                           .identity_token = token,
                           .token_host = host };
        PullRequest q = { .url = url };
        _cleanup_free_ char *head = NULL, *text = NULL, *all = NULL;
        _cleanup_(registry_task_done) RegistryTask again = {};
        _cleanup_(pull_request_done) PullRequest limits = {};

        assert_int_equal(pull_request_write(&q, &head), 0);
        assert_int_equal(registry_task_write(&t, &text), 0);
        assert_null(strstr(text, "i d"));
        all = strf("%s%s", head, text);
        assert_int_equal(registry_task_parse(all, strlen(all), &limits, &again, NULL), 0);
        assert_string_equal(limits.url, url);
        assert_string_equal(again.repository, "a/b");
        assert_string_equal(again.reference, "latest");
        assert_string_equal(again.known_digest, A);
        assert_string_equal(again.platform.variant, "v8");
        assert_true(again.want_cosign);
        assert_false(again.want_referrers);
        assert_string_equal(again.lookaside[0], look);
        assert_string_equal(again.username, user);
        assert_string_equal(again.password, "");
        assert_string_equal(again.identity_token, "i d");
        assert_string_equal(again.token_host, "sso:1");

        name[1] = '\n';
        free(TAKE_PTR(text));
        assert_int_equal(registry_task_write(&t, &text), -EINVAL);
}

static void test_task_wrong(void **state) {
        static const char *const cases[] = {
                "",
                "\n",
                "repository a\n",
                "reference x\n",
                "password zz\n",
                "password 6\n",
                "password 00\n",
                "nonsense 1\n",
                "want-cosign 2\n",
                "known-digest \n",
                "lookaside https://l/\n",
                "repository\n",
                "username 61\n",
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_(registry_task_done) RegistryTask t = {};
                _cleanup_(pull_request_done) PullRequest q = {};
                _cleanup_free_ char *text =
                        strf("url https://a\nsize-max 1\ntime-max 1\n\nos linux\narchitecture amd64\n%s", *c);

                assert_int_equal(registry_task_parse(text, strlen(text), &q, &t, NULL), -EINVAL);
        }
}

#define INDEX_FRAME    "role index\ndigest " EMPTY "\nsize 2\n\n{}"
#define MANIFEST_FRAME "role manifest\nmedia-type x/y\ndigest " EMPTY "\nsize 2\n\n{}"
#define CONFIG_FRAME   "role config\ndigest " EMPTY "\nsize 2\n\n{}"
#define COSIGN_FRAME   "role cosign\ndigest " EMPTY "\nabout " EMPTY "\nsignature abc=\nsize 2\n\n{}"

/* What a worker that was taken over might send; R1, R2 */
static const struct {
        const char *frames, *part; /* NULL: fine */
        unsigned n;
} streams[] = {
        { "", NULL, 0 },
        { MANIFEST_FRAME CONFIG_FRAME, NULL, 2 },
        { INDEX_FRAME INDEX_FRAME MANIFEST_FRAME CONFIG_FRAME COSIGN_FRAME, NULL, 5 },
        { INDEX_FRAME INDEX_FRAME INDEX_FRAME MANIFEST_FRAME CONFIG_FRAME, "all documents", 0 },
        { MANIFEST_FRAME, "all documents", 0 },
        { CONFIG_FRAME MANIFEST_FRAME, "all documents", 0 },
        { INDEX_FRAME CONFIG_FRAME, "all documents", 0 },
        { MANIFEST_FRAME CONFIG_FRAME CONFIG_FRAME, "nobody asked", 0 },
        { MANIFEST_FRAME CONFIG_FRAME "role cosign\ndigest " EMPTY "\nabout " A "\nsignature x\nsize 2\n\n{}",
          "nobody asked", 0 },
        { "role manifest\ndigest " EMPTY "\nsize 2\n\n[]", "differs from its digest", 0 },
        { "role manifest\ndigest " A "\nsize 2\n\n{}", "differs from its digest", 0 },
        { "role manifest\ndigest sha256:../..\nsize 2\n\n{}", "wrong line", 0 },
        { "role manifest\nsize 2\n\n{}", "cannot be", 0 },
        { "role manifest\ndigest " EMPTY "\n\n{}", "cannot be", 0 },
        { "role manifest\ndigest " EMPTY "\nsize 4194305\n\n{}", "cannot be", 0 },
        { "role bundle\ndigest " EMPTY "\nabout " EMPTY "\nsize 1048577\n\n{}", "cannot be", 0 },
        { "role bundle\ndigest " EMPTY "\nsize 2\n\n{}", "cannot be", 0 },
        { "role manifest\nabout " EMPTY "\ndigest " EMPTY "\nsize 2\n\n{}", "cannot be", 0 },
        { "role manifest\nsignature x\ndigest " EMPTY "\nsize 2\n\n{}", "cannot be", 0 },
        { "role cosign\nabout " EMPTY "\ndigest " EMPTY "\nsize 2\n\n{}", "cannot be", 0 },
        { "role manifest\ndigest " EMPTY "\nsize 3\n\n{}", "less of a document", 0 },
        { "role manifest\ndigest " EMPTY "\nsize 18446744073709551615\n\n{}", "cannot be", 0 },
        { "role manifest\ndigest " EMPTY "\nsize -1\n\n{}", "wrong line", 0 },
        { "role king\n\n", "wrong line", 0 },
        { "role\n\n", "wrong line", 0 },
        { "role manifest", "without a head", 0 },
        { "\n\n", "cannot be", 0 },
        { "role manifest\nmedia-type \x1b\n\n", "wrong line", 0 },
};

static void test_frames(void **state) {
        FOREACH_ARRAY (t, streams, ELEMENTSOF(streams)) {
                RegistryDocument *documents = NULL;
                _cleanup_error_ Error e = ERROR_INIT;
                size_t n = 0;
                int r = registry_frames_parse(t->frames, strlen(t->frames), &documents, &n, &e);

                if (t->part && (r >= 0 || !strstr(e.message, t->part)))
                        fail_msg("'%s' gives %d '%s', not '%s'", t->frames, r, str_or(e.message, ""),
                                 t->part);
                if (!t->part) {
                        assert_int_equal(r, 0);
                        assert_int_equal(n, t->n);
                }
                registry_documents_free(documents, n);
        }
}

/* What is written is read again. */
static void test_frame_write(void **state) {
        char digest[] = EMPTY, type[] = "a/b", bad[] = "a\nb", data[] = "{}", signature[] = "abc=";
        RegistryDocument d = { .role = REGISTRY_COSIGN,
                               .digest = digest,
                               .about = digest,
                               .media_type = type,
                               .signature = signature,
                               .data = data,
                               .size = 2 };
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        RegistryDocument *documents = NULL;
        size_t n = 0;

        strbuf_add(&b, MANIFEST_FRAME CONFIG_FRAME);
        assert_int_equal(registry_frame_write(&d, &b), 0);
        strbuf_add_n(&b, data, 2);
        assert_int_equal(registry_frames_parse(b.data, b.size, &documents, &n, NULL), 0);
        assert_int_equal(n, 3);
        assert_string_equal(documents[2].signature, signature);
        assert_string_equal(documents[2].media_type, type);
        registry_documents_free(documents, n);
        d.signature = bad;
        assert_int_equal(registry_frame_write(&d, &b), -E2BIG);
        for (RegistryRole i = 0; i < _REGISTRY_ROLE_MAX; i++)
                assert_int_equal(registry_role_from_string(registry_role_to_string(i)), i);
}

static void test_meta(void **state) {
        static const struct {
                const char *text, *part;
                int r;
        } cases[] = {
                { "end 7\n", NULL, 0 },
                { "authorization Bearer x\nwarning a b\nunchanged " EMPTY "\nend 0\n", NULL, 0 },
                { "error 2 there is no such image\n", "there is no such image", -ENOENT },
                { "end 7\nwarning late\n", "wrong line", -EPROTO },
                { "warning x\n", "too early", -EPROTO },
                { "", "too early", -EPROTO },
                { "end 7", "half a line", -EPROTO },
                { "end x\n", "wrong line", -EPROTO },
                { "unchanged sha256:x\nend 7\n", "wrong line", -EPROTO },
                { "warning \x1b\nend 7\n", "wrong line", -EPROTO },
                { "url https://x\nend 7\n", "wrong line", -EPROTO },
                { "warning 1\nwarning 2\nwarning 3\nwarning 4\nwarning 5\nwarning 6\nwarning 7\nwarning "
                  "8\nwarning 9\nend 7\n",
                  "wrong line", -EPROTO },
        };

        FOREACH_ARRAY (t, cases, ELEMENTSOF(cases)) {
                _cleanup_(registry_meta_done) RegistryMeta m = {};
                _cleanup_error_ Error e = ERROR_INIT;

                assert_int_equal(registry_meta_parse(t->text, strlen(t->text), &m, &e), t->r);
                if (t->part)
                        assert_non_null(strstr(e.message, t->part));
        }
}

/* R3: nothing is asked for by what is no digest */
static void test_blob_request(void **state) {
        static const char *const wrong[] = { "sha256:../..", "sha256:AAAA", "md5:00", "", HEX_A, "sha256:" };
        char base[] = "https://r.example.com:5000", repository[] = "a/b",
             header[] = "Authorization: Bearer x";
        char *headers[] = { header, NULL };
        RegistryAnswer a = { .endpoint = base,
                             .repository = repository,
                             .blobs = { .url = base, .headers = headers } };
        _cleanup_(pull_request_done) PullRequest q = {};

        FOREACH_ARRAY (w, wrong, ELEMENTSOF(wrong))
                assert_true(registry_blob_request(&a, *w, 1, &q, NULL) < 0);
        assert_int_equal(registry_blob_request(&a, A, 7, &q, NULL), 0);
        assert_string_equal(q.url, "https://r.example.com:5000/v2/a/b/blobs/" A);
        assert_int_equal(q.size_max, 7);
        assert_string_equal(q.headers[0], header);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_challenge),  cmocka_unit_test(test_realm),
                cmocka_unit_test(test_token),      cmocka_unit_test(test_query),
                cmocka_unit_test(test_error_text), cmocka_unit_test(test_link),
                cmocka_unit_test(test_task),       cmocka_unit_test(test_task_wrong),
                cmocka_unit_test(test_frames),     cmocka_unit_test(test_frame_write),
                cmocka_unit_test(test_meta),       cmocka_unit_test(test_blob_request),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
