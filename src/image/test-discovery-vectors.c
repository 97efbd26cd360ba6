/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The appc specification's own tables of discovery (test/vectors/appc/discovery.json): names as users write them, and what
 * pages say of a name. The requests themselves (kind discovery-fetch) need servers: test/host/test_discovery.py. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "basic/fd.h"
#include "basic/json.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "image/discovery.h"

#define VECTOR_FILE_MAX (4U * 1024 * 1024)

static ImageName *make_name(const char *id, const JsonValue *input) {
        _cleanup_(image_name_freep) ImageName *n = NULL;

        assert_int_equal(image_name_parse(json_text(json_get(input, "name")), &n, NULL), 0);
        JSON_FOREACH (l, json_get(input, "labels"))
                if (!streq(json_key(l), "name")) /* nobody can write such a label (up-0422) */
                        assert_int_equal(image_name_set_label(n, json_key(l), json_text(l)), 0);
        return TAKE_PTR(n);
}

static void run_app_string(const char *id, const JsonValue *v, bool valid) {
        _cleanup_(image_name_freep) ImageName *n = NULL;
        const JsonValue *want = json_get(v, "value");
        int r = image_name_parse(json_text(json_get(v, "input")), &n, NULL);

        if ((r >= 0) != valid)
                fail_msg("%s: %d", id, r);
        if (r < 0)
                return;
        assert_int_equal(n->type, IMAGE_NAME_APPC);
        assert_string_equal(n->text, json_text(json_get(want, "name")));
        JSON_FOREACH (l, json_get(want, "labels"))
                assert_string_equal(str_or(image_name_label(n, json_key(l)), ""), json_text(l));
        assert_int_equal(n->n_labels, json_length(json_get(want, "labels")));
}

/* What the page of one level says: 0, or -ENOENT to go on above. */
static int read_level(const JsonValue *pages, const char *path, const ImageName *name, bool want_keys,
                      DiscoveryResult *ret) {
        const JsonValue *page = json_get(pages, *path ? path : "(root)");
        _cleanup_(discovery_page_done) DiscoveryPage p = {};

        if (!page)
                return -ENOENT;
        assert_int_equal(discovery_html_parse(json_text(page), strlen(json_text(page)), &p), 0);
        assert_int_equal(discovery_match(&p, name, ret), 0);
        if (want_keys ? ret->pubkeys != NULL : ret->n_endpoints > 0)
                return 0;
        discovery_result_done(ret);
        *ret = (DiscoveryResult){};
        return -ENOENT;
}

/* The walk that discovery_find() does over the network. */
static int walk(const JsonValue *pages, const ImageName *name, bool want_keys, DiscoveryResult *ret) {
        _cleanup_free_ char *level = strdup(name->text);

        for (;;) {
                char *slash = strrchr(level, '/');
                int r = read_level(pages, str_or(strchr(level, '/'), ""), name, want_keys, ret);

                if (r >= 0 || !slash)
                        return r;
                *slash = '\0';
        }
}

static void run_discovery(const char *id, const JsonValue *v) {
        const JsonValue *input = json_get(v, "input"), *want = json_get(v, "value");
        const JsonValue *endpoints = json_get(want, "endpoints"), *keys = json_get(want, "keys");
        _cleanup_(image_name_freep) ImageName *name = make_name(id, input);
        _cleanup_(discovery_result_done) DiscoveryResult found = {}, found_keys = {};
        int r = walk(json_get(input, "pages"), name, false, &found);

        assert_int_equal(r >= 0, json_boolean(json_get(want, "endpoints_ok")));
        if (found.n_endpoints != json_length(endpoints))
                fail_msg("%s: %zu endpoints", id, found.n_endpoints);
        for (size_t i = 0; i < found.n_endpoints; i++) {
                assert_string_equal(found.endpoints[i].image_url,
                                    json_text(json_get(json_item(endpoints, i), "aci")));
                assert_string_equal(found.endpoints[i].signature_url,
                                    json_text(json_get(json_item(endpoints, i), "asc")));
        }
        r = walk(json_get(input, "pages"), name, true, &found_keys);
        assert_int_equal(r >= 0, json_boolean(json_get(want, "keys_ok")));
        assert_int_equal(strv_length(found_keys.pubkeys), json_length(keys));
        for (size_t i = 0; i < json_length(keys); i++)
                assert_string_equal(found_keys.pubkeys[i], json_text(json_item(keys, i)));
}

static void vectors(void **state) {
        _cleanup_free_ char *path = strf("%s/vectors/appc/discovery.json", getenv("RKT_TEST_DATA")),
                            *data = NULL;
        _cleanup_(json_freep) JsonValue *all = NULL;
        size_t size, n_names = 0, n_pages = 0;

        assert_int_equal(file_read_at(AT_FDCWD, path, VECTOR_FILE_MAX, &data, &size), 0);
        assert_int_equal(json_parse(data, size, &all, NULL), 0);
        JSON_FOREACH (v, all) {
                const char *id = json_text(json_get(v, "id")), *kind = json_text(json_get(v, "kind"));

                if (streq(kind, "app-string")) {
                        run_app_string(id, v, streq(json_text(json_get(v, "expect")), "valid"));
                        n_names++;
                } else if (streq(kind, "discovery")) {
                        run_discovery(id, v);
                        n_pages++;
                }
        }
        assert_int_equal(n_names, 12);
        assert_int_equal(n_pages, 13);
}

int main(void) {
        static const struct CMUnitTest tests[] = { cmocka_unit_test(vectors) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
