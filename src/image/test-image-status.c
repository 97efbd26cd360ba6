/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "basic/macro.h"
#include "image/image-status.h"

#define MIB (UINT64_C(1) << 20)

static void test_format(void **state) {
        static const struct {
                ImageStatusBar bar;
                unsigned columns;
                const char *text;
        } cases[] = {
                { { .what = "https://example.com/a.aci",
                    .done = 50 * MIB,
                    .total = 100 * MIB,
                    .rate = 10 * MIB },
                  80,
                  "a.aci [==============>               ] 50.0 MiB/100.0 MiB 10.0 MiB/s 0:05 left" },
                { { .what = "a.aci", .done = 100 * MIB, .total = 100 * MIB, .rate = MIB },
                  200,
                  "a.aci [==============================] 100.0 MiB/100.0 MiB 1.0 MiB/s" },
                { { .what = "a.aci", .done = 1, .total = 10000 * MIB, .rate = MIB },
                  60,
                  "a.aci [               ] 1 B/9.8 GiB 1.0 MiB/s 2:46:40 left" },
                { { .what = "a.aci", .done = 5 * MIB }, 80, "a.aci 5.0 MiB" },
                { { .what = "a-name-that-is-far-too-long-for-this.aci", .done = 5 * MIB, .total = 7 * MIB },
                  30,
                  "a-name-that-i 5.0 MiB/7.0 MiB" },
                { { .what = "a.aci", .done = 5 * MIB, .total = 7 * MIB }, 10, "5.0 MiB/7" },
                { { .what = "a.aci" }, 1, "" },
                { { .what = "a.aci" }, 0, "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char text[IMAGE_STATUS_TEXT_MAX];

                image_status_format(&cases[i].bar, cases[i].columns, text);
                assert_string_equal(text, cases[i].text);
        }
}

static void test_rate(void **state) {
        ImageStatusBar b = { .what = "x" };

        image_status_update(&b, 1000, 10000, 5 * USEC_PER_SEC);
        assert_int_equal(b.rate, 0); /* what was here already says nothing */
        image_status_update(&b, 2000, 10000, 6 * USEC_PER_SEC);
        assert_int_equal(b.rate, 1000);
        image_status_update(&b, 11000, 10000, 7 * USEC_PER_SEC);
        assert_int_equal(b.rate, 2000);
        image_status_update(&b, 11000, 10000, 7 * USEC_PER_SEC);
        assert_int_equal(b.rate, 2000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_format),
                cmocka_unit_test(test_rate),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
