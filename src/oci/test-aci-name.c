/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka needs the four above */
#include <cmocka.h>

#include "basic/str.h"
#include "oci/aci-name.h"

static const struct {
        const char *tag, *name, *base, *suffix, *platform, *registry;
} cases[] = {
        { "redis:7", "redis", "redis", "-7", "-7-linux-amd64", NULL },
        { "redis", "redis", "redis", "-latest", "-latest-linux-amd64", NULL },
        { "library/redis:7", "library/redis", "library-redis", "-7", "-7-linux-amd64", NULL },
        { "docker.io/library/redis:7", "docker.io/library/redis", "library-redis", "-7", "-7-linux-amd64",
          "docker.io" },
        { "quay.io/coreos/etcd:v3.5", "quay.io/coreos/etcd", "coreos-etcd", "-v3.5", "-v3.5-linux-amd64",
          "quay.io" },
        { "localhost:5000/a/b_c:x", "localhost_5000/a/b_c", "a-b_c", "-x", "-x-linux-amd64",
          "localhost:5000" },
};

static void test_names(void **state) {
        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_(image_manifest_freep) ImageManifest *m = NULL;
                _cleanup_free_ char *base = NULL, *suffix = NULL, *platform = NULL;
                _cleanup_error_ Error e = ERROR_INIT;

                assert_int_equal(image_manifest_new("example.com/before", &m), 0);
                assert_int_equal(ac_pairs_set(&m->labels, &m->n_labels, "arch", "amd64"), 0);
                assert_int_equal(ac_pairs_set(&m->labels, &m->n_labels, "os", "linux"), 0);
                if (aci_name_from_tag(c->tag, m, &e) < 0)
                        fail_msg("%s", e.message);
                assert_string_equal(m->name, c->name);
                assert_string_equal(image_manifest_annotation(m, "appc.io/docker/originalname"), c->tag);
                assert_true(
                        streq_ptr(image_manifest_annotation(m, "appc.io/docker/registryurl"), c->registry));
                assert_int_equal(aci_file_base(m, &base), 0);
                assert_string_equal(base, c->base);
                assert_int_equal(aci_file_suffix(m, false, &suffix), 0);
                assert_string_equal(suffix, c->suffix);
                assert_int_equal(aci_file_suffix(m, true, &platform), 0);
                assert_string_equal(platform, c->platform);
        }
}

/* Nothing that a file says leads to another directory. */
static void test_hostile(void **state) {
        static const char *const bad[] = { "../x", "/etc/passwd", "a/../b", "a:b/c", "", "A B" };

        FOREACH_ARRAY (b, bad, ELEMENTSOF(bad)) {
                _cleanup_(image_manifest_freep) ImageManifest *m = NULL;

                assert_int_equal(image_manifest_new("example.com/before", &m), 0);
                assert_true(aci_name_from_tag(*b, m, NULL) < 0);
                assert_string_equal(m->name, "example.com/before");
        }
}

/* A digest, or what an entry of a layout is called by, may be the version. */
static void test_suffix(void **state) {
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL;
        _cleanup_free_ char *base = NULL, *suffix = NULL;

        assert_int_equal(image_manifest_new("example.com/a", &m), 0);
        assert_int_equal(aci_file_suffix(m, true, &suffix), 0);
        assert_string_equal(suffix, "");
        free(suffix);
        assert_int_equal(ac_pairs_set(&m->labels, &m->n_labels, "version", "a/b:sha256@c"), 0);
        assert_int_equal(aci_file_suffix(m, false, &suffix), 0);
        assert_string_equal(suffix, "-a-b-sha256-c");
        assert_int_equal(aci_file_base(m, &base), 0);
        assert_string_equal(base, "example.com-a");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_hostile),
                cmocka_unit_test(test_suffix),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
