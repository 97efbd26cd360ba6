/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/str.h"
#include "net/http-head.h"

static int take(HttpHead *h, const char *lines) {
        _cleanup_free_ char *copy = strdup(lines);
        char *save = NULL;
        int r = 0;

        for (char *l = strtok_r(copy, "\n", &save); l && r >= 0; l = strtok_r(NULL, "\n", &save))
                r = http_head_line(h, l, NULL);
        return r;
}

#define OLD "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\n"
#define NOW "Date: Sun, 06 Nov 1994 08:49:38 GMT\n"

static void test_resume_tag(void **state) {
        static const struct {
                const char *lines;
                const char *tag;
        } cases[] = {
                { "ETag: \"a\"", "\"a\"" },
                { "etag:\"a b\" ", "\"a b\"" },
                { "ETag: W/\"a\"", NULL }, /* H13 */
                { "ETag: W/\"a\"\n" OLD NOW, NULL },
                { "ETag: \"a\"\n" OLD NOW, "\"a\"" },
                { "ETag: \"a\"\nAccept-Ranges: none", NULL },
                { "ETag: \"a\"\nAccept-Ranges: bytes", "\"a\"" },
                { "ETag: \"", NULL },
                { "ETag: a", NULL },
                { "ETag: \"\x01\"", NULL },
                { OLD NOW, "Sun, 06 Nov 1994 08:49:37 GMT" },
                { OLD, NULL },
                { OLD "Date: Sun, 06 Nov 1994 08:49:37 GMT",
                  NULL }, /* it may have changed twice in that second */
                { "Last-Modified: yesterday\n" NOW, NULL },
                { "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT x\n" NOW, NULL },
                { "X: y", NULL },
                { "no colon", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(http_head_done) HttpHead h = HTTP_HEAD_INIT;
                const char *tag;

                assert_int_equal(take(&h, cases[i].lines), 0);
                tag = http_head_resume_tag(&h);
                if (cases[i].tag) {
                        assert_non_null(tag);
                        assert_string_equal(tag, cases[i].tag);
                } else
                        assert_null(tag);
        }
}

static void test_sizes(void **state) {
        _cleanup_(http_head_done) HttpHead h = HTTP_HEAD_INIT;

        assert_int_equal(take(&h, "Content-Length: 7\nContent-Length: 7\nContent-Range: bytes 3-9/10"), 0);
        assert_int_equal(h.length, 7);
        assert_true(h.has_range);
        assert_int_equal(h.range_start, 3);
        assert_int_equal(h.range_end, 9);
        assert_int_equal(h.range_total, 10);
        assert_int_equal(
                take(&h,
                     "Retry-After: 5\nTransfer-Encoding: chunked\nLocation: /x\nCache-Control: max-age=9"),
                0);
        assert_int_equal(h.retry_after, 5);
        assert_int_equal(h.max_age, 9);
        assert_true(h.chunked);
        assert_string_equal(h.location, "/x");
        http_head_done(&h);
        assert_int_equal(take(&h, "Content-Range: bytes */10\nRetry-After: 99999999999999999999999"), 0);
        assert_false(h.has_range);
        assert_int_equal(h.retry_after, UINT64_MAX - 1);
        http_head_done(&h);
        assert_int_equal(take(&h, "Content-Range: bytes 3-9/*\nRetry-After: Sun, 06 Nov 1994 08:49:38 GMT"),
                         0);
        assert_true(h.has_range && h.range_total == UINT64_MAX && h.retry_after == UINT64_MAX);
}

/* H7, H12 */
static void test_bad_sizes(void **state) {
        static const char *const bad[] = {
                "Content-Length: -1",
                "Content-Length: 18446744073709551615",
                "Content-Length: 99999999999999999999",
                "Content-Length: 1, 1",
                "Content-Length: 1\nContent-Length: 2",
                "Content-Range: bytes 3-2/10",
                "Content-Range: bytes 3-10/10",
                "Content-Range: bytes 3-/10",
                "Content-Range: items 3-9/10",
                "Content-Range: bytes 3-9",
                "Content-Range: bytes 3-9/10\nContent-Range: bytes 3-9/10",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_(http_head_done) HttpHead h = HTTP_HEAD_INIT;

                assert_int_equal(take(&h, bad[i]), -EBADMSG);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_resume_tag),
                cmocka_unit_test(test_sizes),
                cmocka_unit_test(test_bad_sizes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
