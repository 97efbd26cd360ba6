/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/ip.h"
#include "basic/macro.h"

static void test_overlap(void **state) {
        static const struct {
                const char *a, *b;
                bool overlap;
        } cases[] = {
                { NULL, NULL, true },
                { NULL, "::1", true },
                { "", "10.0.0.1", true },
                { "10.0.0.1", "10.0.0.1", true },
                { "10.0.0.1", "10.0.0.2", false },
                { "0.0.0.0", "10.0.0.2", true },
                { "0.0.0.0", "::", false },
                { "::", "fd00::1", true },
                { "fd00::1", "FD00:0:0::0001", true },
                { "fd00::1", "fd00::2", false },
                { "10.0.0.1", "fd00::1", false },
                { "rubbish", "fd00::1", true },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                assert_int_equal(ip_overlap(c->a, c->b), c->overlap);
                assert_int_equal(ip_overlap(c->b, c->a), c->overlap);
        }
}

static void test_unpublishable(void **state) {
        static const char *const no[] = { "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1" };
        static const char *const yes[] = { NULL, "", "127.0.0.1", "::", "fd00::1", "0.0.0.0", "x" };

        FOREACH_ARRAY (s, no, ELEMENTSOF(no))
                assert_true(ip_is_unpublishable(*s));
        FOREACH_ARRAY (s, yes, ELEMENTSOF(yes))
                assert_false(ip_is_unpublishable(*s));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_overlap),
                cmocka_unit_test(test_unpublishable),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
