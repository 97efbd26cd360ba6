/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/str.h"
#include "net/pull-protocol.h"

static void test_request(void **state) {
        PullRequest q = { .url = (char[]){ "https://example.com/a.aci" },
                          .etag = (char[]){ "\"1-2\"" },
                          .allow_http = true,
                          .size_max = 12,
                          .time_max_sec = 34,
                          .redirects_max = PULL_NONE,
                          .stall_max_sec = 3,
                          .resume_from = 1000,
                          .resume_tag = (char[]){ "\"v1\"" },
                          .proxy_https = (char[]){ "http://u:p@proxy:3128" },
                          .headers = (char *[]){ (char[]){ "Authorization: Basic YTpi" }, NULL } };
        _cleanup_(pull_request_done) PullRequest back = {};
        _cleanup_free_ char *s = NULL;

        assert_int_equal(pull_request_write(&q, &s), 0);
        assert_int_equal(pull_request_parse(s, strlen(s), &back, NULL), 0);
        assert_string_equal(back.url, q.url);
        assert_string_equal(back.etag, q.etag);
        assert_true(back.allow_http);
        assert_false(back.insecure_tls);
        assert_int_equal(back.size_max, 12);
        assert_int_equal(back.time_max_sec, 34);
        assert_int_equal(back.redirects_max, 0);
        assert_int_equal(back.retries_max, PULL_RETRIES_MAX);
        assert_int_equal(back.connect_max_sec, PULL_CONNECT_MAX_SEC);
        assert_int_equal(back.stall_max_sec, 3);
        assert_int_equal(back.header_max, PULL_HEADER_MAX);
        assert_int_equal(back.resume_from, 1000);
        assert_string_equal(back.resume_tag, "\"v1\"");
        assert_string_equal(back.proxy_https, q.proxy_https);
        assert_string_equal(back.headers[0], q.headers[0]);
        assert_null(back.headers[1]);
        q.etag = (char[]){ "a\nallow-http 1" };
        free(TAKE_PTR(s));
        assert_int_equal(pull_request_write(&q, &s), -EINVAL);
        q.etag = NULL;
        q.headers = (char *[]){ (char[]){ "X: y\nurl https://other/" }, NULL };
        assert_int_equal(pull_request_write(&q, &s), -EINVAL);
        q.headers = (char *[]){ (char[]){ "no header" }, NULL };
        assert_int_equal(pull_request_write(&q, &s), -EINVAL);
}

static void test_request_bad(void **state) {
        static const char *const bad[] = { "",
                                           "url https://a/\n",
                                           "url\n",
                                           "size-max 1\ntime-max 1\n",
                                           "url https://a/\nsize-max -1\ntime-max 1\n",
                                           "url https://a/\nsize-max 1\ntime-max 1\nx y\n",
                                           "url https://a/\nsize-max 1\ntime-max 1\nresume-from 3\n",
                                           "url https://a/\nsize-max 1\ntime-max 1\nresume-tag \"a\"\n",
                                           "url https://a/\nsize-max 1\ntime-max 1\nheader X\n",
                                           "url https://a/\nsize-max 1\ntime-max 1\nheader : x\n",
                                           "url https://a/\nsize-max 1\ntime-max 1\nstall-max 0\n",
                                           "url https://a/\nsize-max 1\ntime-max 1\nallow-http 2\n" };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_(pull_request_done) PullRequest q = {};

                assert_int_equal(pull_request_parse(bad[i], strlen(bad[i]), &q, NULL), -EINVAL);
        }
}

static void test_head(void **state) {
        _cleanup_(pull_head_done) PullHead h = PULL_HEAD_INIT, back = PULL_HEAD_INIT;
        _cleanup_free_ char *s = NULL;
        uint64_t size = 0;
        char *line, *save = NULL;

        h.status = 200;
        assert_int_equal(str_replace(&h.url, "https://example.com/a.aci"), 0);
        assert_int_equal(str_replace(&h.etag, "W/\"a b\""), 0);
        assert_int_equal(str_replace(&h.resume_tag, "\"x\""), 0);
        h.offset = 3;
        h.length = 7;
        h.max_age = 60;
        assert_int_equal(pull_head_write(&h, &s), 0);
        for (line = strtok_r(s, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
                assert_int_equal(pull_meta_parse_line(line, &back, &size, NULL), PULL_LINE_HEAD);
        assert_int_equal(pull_meta_parse_line("", &back, &size, NULL), PULL_LINE_HEAD_END);
        assert_int_equal(back.status, 200);
        assert_string_equal(back.url, h.url);
        assert_string_equal(back.etag, h.etag);
        assert_int_equal(back.length, 7);
        assert_int_equal(back.offset, 3);
        assert_string_equal(back.resume_tag, "\"x\"");
        assert_int_equal(back.max_age, 60);
        assert_int_equal(pull_meta_parse_line("end 7", &back, &size, NULL), PULL_LINE_END);
        assert_int_equal(size, 7);
}

static void test_meta_bad(void **state) {
        static const struct {
                const char *line;
                int r;
                const char *sentence;
        } cases[] = {
                { "error 111 host 'x' is unreachable", -ECONNREFUSED, "host 'x' is unreachable" },
                { "error 0 fine", -EPROTO, NULL },
                { "error 99999 x", -EPROTO, NULL },
                { "error x", -EPROTO, NULL },
                { "status 2000", -EPROTO, NULL },
                { "length -1", -EPROTO, NULL },
                { "end x", -EPROTO, NULL },
                { "", -EPROTO, NULL }, /* the head is not complete */
                { "url https://a/\x1b[31m", -EPROTO, NULL },
                { "something else", -EPROTO, NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(pull_head_done) PullHead h = PULL_HEAD_INIT;
                _cleanup_error_ Error e = ERROR_INIT;
                uint64_t size;

                assert_int_equal(pull_meta_parse_line(cases[i].line, &h, &size, &e), cases[i].r);
                if (cases[i].sentence)
                        assert_string_equal(error_text(&e, 0), cases[i].sentence);
        }
}

static void test_max_age(void **state) {
        static const struct {
                const char *text;
                uint64_t age;
        } cases[] = {
                { "max-age=60", 60 },
                { "public, Max-Age=08", 8 },
                { "max-age=99999999999999999999", PULL_MAX_AGE_MAX }, /* H19 */
                { "max-age=18446744073709551615", PULL_MAX_AGE_MAX },
                { "max-age=-1", 0 },
                { "max-age=x", 0 },
                { "max-age=", 0 },
                { "max-age=60, no-cache", 0 },
                { "no-store", 0 },
                { "", 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_int_equal(pull_parse_max_age(cases[i].text), cases[i].age);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_request), cmocka_unit_test(test_request_bad),
                cmocka_unit_test(test_head),    cmocka_unit_test(test_meta_bad),
                cmocka_unit_test(test_max_age),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
