/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "run/userns.h"

static void test_words(void **state) {
        static const char *const bad[] = { "yes",           "",     ":", "1", "1:", ":1", "1:0", "-1:5",
                                           "4294967290:10", "1:2:3" };
        _cleanup_userns_ Userns u = USERNS_INIT;

        assert_int_equal(userns_open(NULL, "x", &u, NULL), 0);
        assert_false(u.is_private);
        assert_int_equal(userns_open("identity", "x", &u, NULL), 0);
        assert_true(u.is_private && u.start == 0 && u.length == 65536 && u.map_fd < 0);
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
                _cleanup_error_ Error e = ERROR_INIT;

                assert_int_equal(userns_open(bad[i], "x", &u, &e), -EINVAL);
                assert_non_null(e.message);
        }
}

static void test_numbers(void **state) {
        const Userns none = USERNS_INIT,
                     mapped = { .is_private = true, .start = 524288, .length = 65536, .map_fd = 0 };

        assert_true(userns_has(&none, 100000));
        assert_int_equal(userns_inside(&none, 100000), 100000);
        assert_true(userns_has(&mapped, 65535));
        assert_false(userns_has(&mapped, 65536));
        assert_int_equal(userns_inside(&mapped, 524288), 0);
        assert_int_equal(userns_inside(&mapped, 524288 + 65535), 65535);
        assert_int_equal(userns_inside(&mapped, 524288 + 65536), 65534);
        assert_int_equal(userns_inside(&mapped, 0), 65534);
        assert_true(userns_maps(&none, 100000) && userns_maps(&mapped, 524288 + 65535));
        assert_false(userns_maps(&mapped, 524288 + 65536) || userns_maps(&mapped, 65534));
}

static void test_lent(void **state) {
        assert_false(userns_is_lent(NULL, 524288));
        assert_false(userns_is_lent("anna:100000:65536\n", 524288));
        assert_true(userns_is_lent("anna:100000:65536\nbert:524288:65536\n", 524288));
        assert_true(userns_is_lent("bert:589823:1", 524288));
        assert_false(userns_is_lent("bert:589824:1", 524288));
        assert_true(userns_is_lent("bert:1:18446744073709551615", 524288));
        assert_false(userns_is_lent("bert\nbert:\nbert:x:y\n:::\n\n", 524288));
        assert_false(userns_is_lent("bert:\n524288:65536\n", 524288));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_words),
                cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_lent),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
