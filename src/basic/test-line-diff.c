/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/line-diff.h"
#include "basic/str.h"

static void expect(const char *before, const char *after, const char *expected) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        assert_int_equal(line_diff(before, after, "a", "b", &b), *expected != '\0');
        assert_string_equal(str_or(b.data, ""), expected);
}

static void test_same(void **state) {
        expect("", "", "");
        expect("x\ny\n", "x\ny", "");
}

static void test_all(void **state) {
        expect("", "x\n", "--- a\n+++ b\n@@ -0,0 +1 @@\n+x\n");
        expect("x\ny\n", "", "--- a\n+++ b\n@@ -1,2 +0,0 @@\n-x\n-y\n");
        expect("x\n", "y\n", "--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n");
}

/* As diff -u has them. */
static void test_context(void **state) {
        expect("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\n6\n7\n8\n9\n",
               "--- a\n+++ b\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n");
        expect("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "x\n2\n3\n4\n5\n6\n7\n8\ny\n",
               "--- a\n+++ b\n@@ -1,4 +1,4 @@\n-1\n+x\n 2\n 3\n 4\n@@ -6,4 +6,4 @@\n 6\n 7\n 8\n-9\n+y\n");
        expect("1\n2\n3\n4\n5\n6\n7\n8\n", "x\n2\n3\n4\n5\n6\n7\ny\n",
               "--- a\n+++ b\n@@ -1,8 +1,8 @@\n-1\n+x\n 2\n 3\n 4\n 5\n 6\n 7\n-8\n+y\n");
        expect("a\nb\nc\n", "a\nc\nb\n", "--- a\n+++ b\n@@ -1,3 +1,3 @@\n a\n-b\n c\n+b\n");
}

/* Too large for a table: replaced as a whole, and still right. */
static void test_large(void **state) {
        _cleanup_strbuf_ StrBuf a = STRBUF_INIT, b = STRBUF_INIT, out = STRBUF_INIT;

        for (unsigned i = 0; i < 5000; i++) {
                strbuf_addf(&a, "a%u\n", i);
                strbuf_addf(&b, "b%u\n", i);
        }
        assert_int_equal(line_diff(a.data, b.data, "a", "b", &out), 1);
        assert_non_null(startswith(out.data, "--- a\n+++ b\n@@ -1,5000 +1,5000 @@\n-a0\n"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_same),
                cmocka_unit_test(test_all),
                cmocka_unit_test(test_context),
                cmocka_unit_test(test_large),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
