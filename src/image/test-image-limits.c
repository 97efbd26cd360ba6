/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/str.h"
#include "image/request.h"

static void test_parse(void **state) {
        ImageLimits l = IMAGE_LIMITS_DEFAULT;
        _cleanup_error_ Error e = ERROR_INIT;

        assert_int_equal(image_limits_parse(&l, "download-size=20G,stall-time=5min", NULL), 0);
        assert_int_equal(l.download_size, UINT64_C(20) << 30);
        assert_int_equal(l.stall_sec, 300);
        assert_int_equal(
                image_limits_parse(
                        &l, "retries=0,redirects=3,header-size=1M,image-files=7,download-time=500ms", NULL),
                0);
        assert_int_equal(l.retries, PULL_NONE);
        assert_int_equal(l.redirects, 3);
        assert_int_equal(l.header_size, 1 << 20);
        assert_int_equal(l.import.entries_max, 7);
        assert_int_equal(l.download_sec, 1);
        assert_int_equal(l.connect_sec, PULL_CONNECT_MAX_SEC);
        assert_int_equal(image_limits_parse(&l, "colour=red", &e), -EINVAL);
        assert_non_null(strstr(error_text(&e, 0), "download-size, "));
}

static void test_bad(void **state) {
        static const char *const bad[] = {
                "retries",           "retries=x",       "retries=-1",       "download-size=0", "stall-time=0",
                "download-time=99y", "header-size=64G", "manifest-size=1T", "retries=1,,x=2",  "=",
                "retries=1 "
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                ImageLimits l = IMAGE_LIMITS_DEFAULT;

                if (image_limits_parse(&l, bad[i], NULL) != -EINVAL)
                        fail_msg("%s", bad[i]);
        }
}

static void test_credentials(void **state) {
        static const char json[] =
                "{\"rktKind\": \"auth\", \"rktVersion\": \"v1\", \"domains\": [\"example.com\"], "
                "\"type\": \"basic\", \"credentials\": {\"user\": \"a\", \"password\": \"b\"}}";
        _cleanup_(config_freep) Config *c = new0(Config, 1);
        _cleanup_(pull_request_done) PullRequest q = {}, other = {};

        assert_non_null(c);
        assert_int_equal(config_parse(c, CONFIG_AUTH, json, strlen(json), NULL), 0);
        assert_int_equal(
                request_init(&q, "https://example.com/a.aci", &(RequestOptions){ .config = c }, NULL), 0);
        assert_string_equal(q.headers[0], "Authorization: Basic YTpi");
        assert_null(q.headers[1]);
        assert_int_equal(q.time_max_sec, PULL_TIME_MAX_SEC);
        assert_int_equal(
                request_init(&other, "https://example.org/a.aci", &(RequestOptions){ .config = c }, NULL), 0);
        assert_null(other.headers);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),
                cmocka_unit_test(test_bad),
                cmocka_unit_test(test_credentials),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
