/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "basic/str.h"
#include "net/proxy.h"

static void test_parse(void **state) {
        static const struct {
                const char *text;
                const char *url, *user, *password; /* url NULL: refused */
        } cases[] = {
                { "http://proxy:3128", "http://proxy:3128", NULL, NULL },
                { "proxy:3128", "http://proxy:3128", NULL, NULL },
                { "proxy", "http://proxy:80", NULL, NULL },
                { "http://Proxy.example.com/", "http://proxy.example.com:80", NULL, NULL },
                { "https://proxy", "https://proxy:443", NULL, NULL },
                { "https://proxy:80", "https://proxy:80", NULL, NULL },
                { "socks5://10.0.0.1", "socks5://10.0.0.1:1080", NULL, NULL },
                { "HTTP://[::1]:8080", "http://[::1]:8080", NULL, NULL },
                { "http://me:secret@proxy:1", "http://proxy:1", "me", "secret" },
                { "http://me@proxy:1", "http://proxy:1", "me", NULL },
                { "me:p%40ss%3Aw@proxy:1", "http://proxy:1", "me", "p@ss:w" },
                { "http://me:p@ss@proxy:1", "http://proxy:1", "me", "p@ss" },
                { "ftp://proxy", NULL, NULL, NULL },
                { "http://", NULL, NULL, NULL },
                { "http://proxy/path", NULL, NULL, NULL },
                { "http://proxy:0", NULL, NULL, NULL },
                { "http://proxy:99999", NULL, NULL, NULL },
                { "http://a%0ab:c@proxy", NULL, NULL, NULL },
                { "http://a%3Ab:c@proxy", NULL, NULL, NULL },
                { "http://a%4@proxy", NULL, NULL, NULL },
                { "http://pro xy", NULL, NULL, NULL },
                { "http://proxy\n", NULL, NULL, NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(proxy_done) Proxy p = {};
                _cleanup_error_ Error e = ERROR_INIT;
                int r = proxy_parse(cases[i].text, &p, &e);

                if (!cases[i].url) {
                        assert_int_equal(r, -EINVAL);
                        if (strchr(cases[i].text, '@'))
                                assert_null(strstr(error_text(&e, r), cases[i].text));
                        continue;
                }
                assert_int_equal(r, 0);
                assert_string_equal(p.url, cases[i].url);
                assert_true(streq_ptr(p.user, cases[i].user));
                assert_true(streq_ptr(p.password, cases[i].password));
        }
}

static void test_bypass(void **state) {
        static const struct {
                const char *no_proxy, *url;
                bool bypassed;
        } cases[] = {
                { NULL, "https://example.com/", false },
                { NULL, "https://localhost/", true },
                { NULL, "http://127.3.2.1/", true },
                { NULL, "http://[::1]/", true },
                { "*", "https://example.com/", true },
                { "other.com, *", "https://example.com/", true },
                { "example.com", "https://example.com/", true },
                { "example.com", "https://a.example.com/", true },
                { ".example.com", "https://a.example.com/", true },
                { ".example.com", "https://example.com/", true },
                { "*.example.com", "https://a.example.com/", true },
                { "EXAMPLE.com", "https://a.example.com/", true },
                { "example.com", "https://notexample.com/", false },
                { "le.com", "https://example.com/", false },
                { "a.example.com", "https://example.com/", false },
                { "example.com:443", "https://example.com/", true },
                { "example.com:443", "https://example.com:8443/", false },
                { "example.com:x", "https://example.com/", false },
                { "10.0.0.0/8", "http://10.2.3.4/", true },
                { "10.0.0.0/8", "http://11.2.3.4/", false },
                { "10.0.0.0/33", "http://10.2.3.4/", false },
                { "10.0.0.0/8", "http://ten.example.com/", false },
                { "192.168.1.0/25", "http://192.168.1.128/", false },
                { "0.0.0.0/0", "http://192.168.1.128/", true },
                { "fd00::/8", "http://[fd12::1]/", true },
                { "[fd12::1]:80", "http://[fd12::1]/", true },
                { "fd12::1", "http://[fd12::1]/", true },
                { "10.2.3.4", "http://10.2.3.4/", true },
                { " , ,", "https://example.com/", false },
                { ".", "https://example.com/", false },
                { "[", "https://example.com/", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(url_freep) Url *u = NULL;

                assert_int_equal(url_parse(cases[i].url, &u, NULL), 0);
                if (proxy_is_bypassed(cases[i].no_proxy, u) != cases[i].bypassed)
                        fail_msg("%s by %s", cases[i].url, cases[i].no_proxy);
        }
}

static const char *const variables[] = { "HTTP_PROXY",  "http_proxy", "HTTPS_PROXY",
                                         "https_proxy", "NO_PROXY",   "no_proxy" };

static void test_environment(void **state) {
        _cleanup_(proxy_settings_done) ProxySettings p = {};
        _cleanup_error_ Error e = ERROR_INIT;

        FOREACH_ARRAY (v, variables, ELEMENTSOF(variables))
                assert_int_equal(unsetenv(*v), 0);
        assert_int_equal(proxy_settings_from_environment(&p, NULL), 0);
        assert_true(!p.http && !p.https && !p.no_proxy);
        (void) setenv("http_proxy", "lower:1", 1);
        (void) setenv("no_proxy", "a", 1);
        assert_int_equal(proxy_settings_from_environment(&p, NULL), 0);
        assert_string_equal(p.http, "lower:1");
        assert_string_equal(p.https, "lower:1");
        assert_string_equal(p.no_proxy, "a");
        proxy_settings_done(&p);
        (void) setenv("HTTP_PROXY", "upper:1", 1);
        (void) setenv("HTTPS_PROXY", "secure:1", 1);
        (void) setenv("NO_PROXY", "", 1);
        assert_int_equal(proxy_settings_from_environment(&p, NULL), 0);
        assert_string_equal(p.http, "upper:1");
        assert_string_equal(p.https, "secure:1");
        assert_string_equal(p.no_proxy, "a");
        /* H21: what is wrong is named, what is in it is not shown */
        (void) setenv("HTTPS_PROXY", "ftp://me:secret@proxy", 1);
        assert_int_equal(proxy_settings_from_environment(&p, &e), -EINVAL);
        assert_non_null(strstr(error_text(&e, 0), "HTTPS_PROXY"));
        assert_null(strstr(error_text(&e, 0), "secret"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),
                cmocka_unit_test(test_bypass),
                cmocka_unit_test(test_environment),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
