/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pages and names: appc's own cases (vectors up-0412 to up-0424) and robustness.md 3.9. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "image/discovery.h"

#define META(content)      "<meta name=\"ac-discovery\" content=\"" content "\">"
#define META_KEYS(content) "<meta name=\"ac-discovery-pubkeys\" content=\"" content "\">"
#define FULL               "https://storage.example.com/{name}-{version}-{os}-{arch}.{ext}"
#define SHORT              "https://storage.example.com/{name}-{version}.{ext}"

static const struct {
        const char *name;
        const char *html;
        const char *images; /* image URLs, separated by blanks; NULL: parsers may differ */
        const char *keys;
} cases[] = {
        { "example.com/myapp:1.0.0,os=linux,arch=amd64",
          "<!DOCTYPE html>\n<html><head><title>My app</title>" META("example.com " FULL)
                  META_KEYS("example.com https://example.com/pubkeys.gpg") "</head><body></body></html>",
          "https://storage.example.com/example.com/myapp-1.0.0-linux-amd64.aci",
          "https://example.com/pubkeys.gpg" },
        /* up-0420: a template that cannot be filled in is passed over */
        { "example.com/myapp:1.0.0", META("example.com " FULL) META("example.com " SHORT),
          "https://storage.example.com/example.com/myapp-1.0.0.aci", "" },
        /* up-0421 */
        { "example.com/myapp", META("example.com " FULL) META("example.com " SHORT),
          "https://storage.example.com/example.com/myapp-latest.aci", "" },
        /* up-0423: order is kept; other schemes are for the caller to refuse */
        { "example.com/myapp:1.0.0,os=linux,arch=amd64",
          META("example.com " FULL) META("example.com hdfs://h/{name}.{ext}"),
          "https://storage.example.com/example.com/myapp-1.0.0-linux-amd64.aci "
          "hdfs://h/example.com/myapp.aci",
          "" },
        { "example.com/myapp,channel=beta", META("example.com https://s.example.com/{channel}/{name}.{ext}"),
          "https://s.example.com/beta/example.com/myapp.aci", "" },
        { "example.com/myapp", META("example.org " SHORT), "", "" },
        /* D3: by whole components */
        { "example.com/myapp", META("example.com/my " SHORT), "", "" },
        { "example.com/my/app", META("example.com/my/ " SHORT),
          "https://storage.example.com/example.com/my/app-latest.aci", "" },
        /* D5: what a label contains stays one piece */
        { "example.com/app:1/../../x", META("example.com " SHORT),
          "https://storage.example.com/example.com/app-1%2F..%2F..%2Fx.aci", "" },
        { "example.com/app,a=%2e{os}", META("example.com https://s.example.com/{a}.{ext}"),
          "https://s.example.com/%252e%7Bos%7D.aci", "" },
        { "example.com/app,a=..", META("example.com https://s.example.com/{a}/x.{ext}"), "", "" },
        { "example.com/app", META("example.com https://s.example.com/{unknown}.{ext}"), "", "" },
        { "example.com/app", META("example.com https://s.example.com/{ext"), "", "" },
        { "example.com/app", META("example.com https://s.example.com/x.aci"), "", "" }, /* no {ext} */
        { "example.com/app", META("example.com"), "", "" },
        { "example.com/app", META("example.com "), "", "" },
        { "example.com/app", META("example.com\thttps://s.example.com/x.{ext}"), "", "" },
        { "example.com/app", META("  example.com   https://s.example.com/x.{ext}  "),
          "https://s.example.com/x.aci", "" },
        { "example.com/app", META("example.com https://s.example.com/\x1b[31m.{ext}"), "", "" },
        /* any order, case of names, quoting; entities */
        { "example.com/app",
          "<META CONTENT='example.com https://s.example.com/?a&amp;b={ext}' NAME=ac-discovery />",
          "https://s.example.com/?a&b=aci", "" },
        { "example.com/app", "<meta name=\"AC-Discovery\" content=\"example.com https://s/x.{ext}\">", "",
          "" },
        /* D2, D8 */
        { "example.com/app", "<!-- " META("example.com " SHORT) " -->", "", "" },
        { "example.com/app", "<script>'" META("example.com " SHORT) "'</script>", "", "" },
        { "example.com/app", "<body><p><b>" META("example.com https://s/x.{ext}"), "https://s/x.aci", "" },
        { "example.com/app", "<meta name=\"ac-discovery\" content=\"example.com https://s/x.{ext}", NULL,
          "" },
        { "example.com/app", "<meta name=ac-discovery>", "", "" },
        { "example.com/app", "", "", "" },
        { "example.com/app", "<<<<>>><html", "", "" },
};

static void test_match(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(discovery_page_done) DiscoveryPage page = {}, back = {};
                _cleanup_(discovery_result_done) DiscoveryResult result = {};
                _cleanup_(image_name_freep) ImageName *name = NULL;
                _cleanup_free_ char *text = NULL, *keys = NULL;
                _cleanup_strbuf_ StrBuf images = STRBUF_INIT;

                print_message("# %zu: %s\n", i, cases[i].name);
                assert_int_equal(image_name_parse(cases[i].name, &name, NULL), 0);
                assert_int_equal(discovery_html_parse(cases[i].html, strlen(cases[i].html), &page), 0);
                assert_int_equal(discovery_page_write(&page, &text), 0);
                assert_int_equal(discovery_page_read(text, strlen(text), &back, NULL), 0);
                assert_int_equal(discovery_match(&back, name, &result), 0);
                strbuf_add(&images, "");
                FOREACH_ARRAY (p, result.endpoints, result.n_endpoints) {
                        strbuf_addf(&images, "%s%s", images.size > 0 ? " " : "", p->image_url);
                        assert_non_null(strstr(p->signature_url, "aci.asc"));
                }
                if (cases[i].images)
                        assert_string_equal(images.data, cases[i].images);
                assert_int_equal(strv_join(result.pubkeys, " ", &keys), 0);
                assert_string_equal(str_or(keys, ""), cases[i].keys);
        }
}

/* D6 */
static void test_many(void **state) {
        _cleanup_(discovery_page_done) DiscoveryPage page = {};
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        for (int i = 0; i < 10000; i++)
                strbuf_addf(&b, META("example.com https://s/%d.{ext}"), i);
        assert_int_equal(discovery_html_parse(b.data, b.size, &page), 0);
        assert_int_equal(page.n_endpoints, DISCOVERY_ENTRIES_MAX);
        assert_string_equal(page.endpoints[31].value, "https://s/31.{ext}");
}

/* D1, and NUL bytes of D2 */
static void test_size(void **state) {
        _cleanup_(discovery_page_done) DiscoveryPage page = {};
        _cleanup_free_ char *big = calloc(1, DISCOVERY_PAGE_MAX + 1);

        assert_int_equal(discovery_html_parse(big, DISCOVERY_PAGE_MAX + 1, &page), -E2BIG);
        assert_int_equal(discovery_html_parse(big, DISCOVERY_PAGE_MAX, &page), 0);
        assert_int_equal(page.n_endpoints, 0);
}

static void test_prefix(void **state) {
        assert_true(name_has_prefix("example.com/app", "example.com"));
        assert_true(name_has_prefix("example.com/app", "example.com/app"));
        assert_true(name_has_prefix("example.com/app", "example.com/"));
        assert_false(name_has_prefix("example.com/app", "example.com/ap"));
        assert_false(name_has_prefix("example.com/app", "example.com/app/x"));
        assert_false(name_has_prefix("example.com/app", ""));
        assert_false(name_has_prefix("example.com/app", "/"));
        assert_false(name_has_prefix("example.computer", "example.com"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_match),
                cmocka_unit_test(test_many),
                cmocka_unit_test(test_size),
                cmocka_unit_test(test_prefix),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
