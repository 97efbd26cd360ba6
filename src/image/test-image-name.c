/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/str.h"
#include "image/image-name.h"

static const struct {
        const char *text;
        ImageNameType type;  /* negative: refused */
        const char *expect;  /* ->text, or a part of the sentence */
        const char *version; /* label, or NULL */
} cases[] = {
        /* appc.md 16 and 18 "Discovery" */
        { "example.com/app", IMAGE_NAME_APPC, "example.com/app", NULL },
        { "example.com/reduce-worker:1.0.0", IMAGE_NAME_APPC, "example.com/reduce-worker", "1.0.0" },
        { "example.com/app:1.2,channel=beta", IMAGE_NAME_APPC, "example.com/app", "1.2" },
        { "example.com/app,version=a=b", IMAGE_NAME_APPC, "example.com/app", "a=b" },
        { "example.com:8080/app", IMAGE_NAME_APPC, "example.com", "8080/app" },
        { "localhost", IMAGE_NAME_APPC, "localhost", NULL },
        { "example.com/~bob/database", IMAGE_NAME_APPC, NULL, NULL },
        { "example.com/app,channel=beta:1.2.3", -EINVAL, "after a ','", NULL },
        { "example.com/app:3.2.1,version=1.2.3", -EINVAL, "given twice", NULL },
        { "example.com/app,a=1,a=2", -EINVAL, "given twice", NULL },
        { "example.com/app:", -EINVAL, "NAME:VERSION", NULL },
        { "example.com/app:1:2", -EINVAL, "NAME:VERSION", NULL },
        { "example.com/app,", -EINVAL, "empty", NULL },
        { "example.com/app,,a=b", -EINVAL, "empty", NULL },
        { ",a=b", -EINVAL, "no name", NULL },
        { "example.com/app,beta", -EINVAL, "label=value", NULL },
        { "example.com/app,=beta", -EINVAL, "label=value", NULL },
        { "example.com/app,beta=", -EINVAL, "no value", NULL },
        { "example.com/app,name=x", -EINVAL, "'name'", NULL },
        { "example.com/app,Up=x", -EINVAL, "name of a label", NULL },
        { "EXAMPLE.com/app", -EINVAL, "lower-case", NULL },
        { "some~random~aci~name", IMAGE_NAME_APPC, "some~random~aci~name", NULL }, /* ICM-04 */
        { "a//b", -EINVAL, "lower-case", NULL },
        { "app/", -EINVAL, "lower-case", NULL },
        { "~app", -EINVAL, "lower-case", NULL },
        /* robustness.md 0.5: never joined into a path */
        { "example.com/../../etc", -EINVAL, ".aci", NULL },
        { "example.com/..", -EINVAL, "lower-case", NULL },
        { "", -EINVAL, "empty", NULL },
        { "a\nb", -EINVAL, "control", NULL },
        { "a\x7f", -EINVAL, "control", NULL },
        { "a\xff", -EINVAL, "UTF-8", NULL },
        /* IML-09, C3 */
        { "sha512-12341234", IMAGE_NAME_ID, "sha512-12341234", NULL },
        { "sha512-12", IMAGE_NAME_ID, "sha512-12", NULL },
        { "sha512-1", -EINVAL, "image ID too short", NULL },
        { "sha512-", -EINVAL, "image ID too short", NULL },
        { "sha512-not-existed", -EINVAL, "hex digits", NULL }, /* ICM-03 */
        { "sha512-ABCD", -EINVAL, "hex digits", NULL },
        /* paths */
        { "/a/b.aci", IMAGE_NAME_PATH, "/a/b.aci", NULL },
        { "./b.aci", IMAGE_NAME_PATH, "./b.aci", NULL },
        { "/a/x://b.aci", IMAGE_NAME_PATH, "/a/x://b.aci", NULL },
        { "file:///a/x://b.aci", IMAGE_NAME_PATH, "/a/x://b.aci", NULL },
        { "../b.aci", IMAGE_NAME_PATH, "../b.aci", NULL },
        { "b.aci", IMAGE_NAME_PATH, "b.aci", NULL },
        { "dir/b.aci", IMAGE_NAME_PATH, "dir/b.aci", NULL },
        { "app:b.aci", IMAGE_NAME_APPC, "app", "b.aci" },
        { "file:///a/b.aci", IMAGE_NAME_PATH, "/a/b.aci", NULL },
        { "file://a/b.aci", -EINVAL, "file:///", NULL },
        { "/a/b.tar", -EINVAL, "must end in .aci", NULL },
        /* URLs */
        { "https://example.com/a.aci", IMAGE_NAME_URL, "https://example.com/a.aci", NULL },
        { "http://example.com/a.aci", IMAGE_NAME_URL, "http://example.com/a.aci", NULL },
        { "ftp://example.com/a.aci", -EINVAL, "invalid image string", NULL },
        /* ecosystem, 1.1 */
        { "docker://busybox:latest", IMAGE_NAME_DOCKER, "docker://docker.io/library/busybox:latest", NULL },
        { "docker:busybox", IMAGE_NAME_DOCKER, "docker://docker.io/library/busybox:latest", NULL },
        { "docker://Quay.io/a/b:c", IMAGE_NAME_DOCKER, "docker://quay.io/a/b:c", NULL },
        { "cimd:docker:v=0:registry-1.docker.io/library/redis:7", IMAGE_NAME_DOCKER,
          "docker://docker.io/library/redis:7", NULL },
        { "cimd:docker:v=9:redis", -EOPNOTSUPP, "version 0", NULL },
        { "cimd:appc:v=0:example.com/app?version=1.0", -EOPNOTSUPP, "only cimd:docker:", NULL },
        { "cimd:aci-archive:v=0:file%3A%2F%2Fa.aci", -EOPNOTSUPP, "only cimd:docker:", NULL },
        { "docker://", -EINVAL, "docker://", NULL },
        { "docker://a/b:../x", -EINVAL, "no tag", NULL }, /* robustness R9 */
        { "docker://redis,os=linux", -EINVAL, "no labels", NULL },
        { "oci:/a/b", IMAGE_NAME_OCI, "oci:/a/b", NULL },
        { "oci:/a/b:v1", IMAGE_NAME_OCI, "oci:/a/b:v1", NULL },
        { "oci:/a/b:../v1", -EINVAL, "'..'", NULL }, /* robustness R12 */
        { "oci-archive:a.tar", IMAGE_NAME_OCI, "oci-archive:a.tar", NULL },
        { "docker-archive:a.tar:redis:7", IMAGE_NAME_OCI, "docker-archive:a.tar:redis:7", NULL },
};

static void test_parse(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(image_name_freep) ImageName *n = NULL;
                _cleanup_error_ Error e = ERROR_INIT;
                int r = image_name_parse(cases[i].text, &n, &e);

                print_message("# %zu: %s\n", i, error_text(&e, r));
                if ((int) cases[i].type < 0) {
                        assert_int_equal(r, cases[i].type);
                        assert_null(n);
                        assert_non_null(strstr(error_text(&e, r), cases[i].expect));
                        continue;
                }
                assert_int_equal(r, 0);
                assert_int_equal(n->type, cases[i].type);
                if (cases[i].expect)
                        assert_string_equal(n->text, cases[i].expect);
                assert_true(streq_ptr(image_name_label(n, "version"), cases[i].version));
        }
}

static void test_to_string(void **state) {
        static const char *const same[] = { "example.com/app:1.2,channel=beta", "docker://quay.io/b:c",
                                            "https://a/b.aci", "sha512-ab" };

        for (size_t i = 0; i < ELEMENTSOF(same); i++) {
                _cleanup_(image_name_freep) ImageName *n = NULL;
                _cleanup_free_ char *s = NULL;

                assert_int_equal(image_name_parse(same[i], &n, NULL), 0);
                assert_int_equal(image_name_to_string(n, &s), 0);
                assert_string_equal(s, same[i]);
        }
}

static void test_set_label(void **state) {
        _cleanup_(image_name_freep) ImageName *n = NULL;

        assert_int_equal(image_name_parse("a.example/b:1", &n, NULL), 0);
        assert_int_equal(image_name_set_label(n, "os", "linux"), 0);
        assert_int_equal(image_name_set_label(n, "os", "plan9"), -EEXIST);
        assert_string_equal(image_name_label(n, "os"), "linux");
        assert_null(image_name_label(n, "arch"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),
                cmocka_unit_test(test_to_string),
                cmocka_unit_test(test_set_label),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
