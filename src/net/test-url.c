/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/str.h"
#include "net/url.h"

static const struct {
        const char *text;
        const char *expect; /* written again; NULL: refused */
} cases[] = {
        { "https://example.com/a.aci", "https://example.com/a.aci" },
        { "HTTPS://EXAMPLE.com", "https://example.com/" },
        { "http://example.com:80/", "http://example.com/" },
        { "https://example.com:443?ac-discovery=1", "https://example.com/?ac-discovery=1" },
        { "https://example.com:8443/%20a?b=c", "https://example.com:8443/%20a?b=c" },
        { "https://127.0.0.1/a", "https://127.0.0.1/a" },
        { "https://[::1]:4/a", "https://[::1]:4/a" },
        { "https://a_b.example./", "https://a_b.example./" },
        /* H3, D4 */
        { "file:///etc/passwd", NULL },
        { "ftp://example.com/", NULL },
        { "gopher://example.com/", NULL },
        { "https:example.com", NULL },
        { "", NULL },
        /* H6 */
        { "https://user@example.com/", NULL },
        { "https://user:secret@example.com/", NULL },
        { "https://example.com\\@evil.example/", NULL },
        /* H20 */
        { "https://example.com/a b", NULL },
        { "https://example.com/\r\nX: y", NULL },
        { "https://example.com/\xc3\xa4", NULL },
        { "https://example.com/%zz", NULL },
        { "https://example.com/%2", NULL },
        { "https://example.com/#a", NULL },
        { "https://example.com/{x}", NULL },
        { "https://", NULL },
        { "https:///a", NULL },
        { "https://-a.example/", NULL },
        { "https://a-.example/", NULL },
        { "https://a..example/", NULL },
        { "https://.example/", NULL },
        { "https://example.com:/", NULL },
        { "https://example.com:0/", NULL },
        { "https://example.com:65536/", NULL },
        { "https://example.com:0443000/", NULL },
        { "https://example.com:+1/", NULL },
        /* numbers in disguise */
        { "https://2130706433/", NULL },
        { "https://0x7f.1/", NULL },
        { "https://127.1/", NULL },
        { "https://[::1/", NULL },
        { "https://[::1]x/", NULL },
        { "https://[fe80::1%eth0]/", NULL },
};

static void test_parse(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(url_freep) Url *u = NULL;
                _cleanup_error_ Error e = ERROR_INIT;
                _cleanup_free_ char *s = NULL;
                int r = url_parse(cases[i].text, &u, &e);

                print_message("# %zu: %s\n", i, error_text(&e, r));
                if (!cases[i].expect) {
                        assert_true(r < 0);
                        assert_non_null(e.message);
                        assert_null(strstr(e.message, "secret"));
                        continue;
                }
                assert_int_equal(r, 0);
                assert_int_equal(url_to_string(u, &s), 0);
                assert_string_equal(s, cases[i].expect);
        }
}

static void test_redirect(void **state) {
        static const struct {
                const char *from, *to;
                int r;
                bool same_origin;
        } pairs[] = {
                { "https://a.example/", "https://b.example/", 0, false },
                { "https://a.example/", "https://a.example:443/x", 0, true },
                { "https://a.example/", "https://a.example:444/x", 0, false },
                { "http://a.example/", "https://a.example/", 0, false },
                { "https://a.example/", "http://a.example/", -EPERM, false }, /* H1, H5 */
        };

        for (size_t i = 0; i < ELEMENTSOF(pairs); i++) {
                _cleanup_(url_freep) Url *a = NULL, *b = NULL;

                assert_int_equal(url_parse(pairs[i].from, &a, NULL), 0);
                assert_int_equal(url_parse(pairs[i].to, &b, NULL), 0);
                assert_int_equal(url_check_redirect(a, b, NULL), pairs[i].r);
                assert_int_equal(url_same_origin(a, b), pairs[i].same_origin);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),
                cmocka_unit_test(test_redirect),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
