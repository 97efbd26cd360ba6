/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/unconst.h"
#include "verbs/request-text.h"

/* However a text is cut, it reads the same. */
static void test_text(void **state) {
        static const char *const cases[][2] = {
                { "", "" },
                { "nothing of ours\n", "nothing of ours\n" },
                { "cannot open /tmp/request/0.aci: no\n", "cannot open ./a.aci: no\n" },
                { "/tmp/request/0.aci.asc/tmp/request/2.aci", "./a.aci.asc/home/cat/b" },
                { "file:///tmp/request/2.aci", "file:///home/cat/b" },
                { "//tmp/request/0.aci", "/./a.aci" },
                { "/tmp/request/1.aci", "/tmp/request/1.aci" },
                { "/tmp/request/3.aci /tmp/request/32.aci /tmp/request/0000.aci",
                  "/tmp/request/3.aci /tmp/request/32.aci /tmp/request/0000.aci" },
                { "/tmp/request/.aci /tmp/request/0.ac", "/tmp/request/.aci /tmp/request/0.ac" },
                { "/tmp/request", "/tmp/request" },
                { "/tmp/tmp/request/0.aci", "/tmp./a.aci" },
        };
        char *names[] = { unconst("./a.aci"), NULL, unconst("/home/cat/b") };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases))
                for (size_t step = 1; step < 64; step++) {
                        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
                        RequestText t = { .names = names, .n_names = ELEMENTSOF(names) };
                        size_t size = strlen((*c)[0]);

                        for (size_t i = 0; i < size; i += step)
                                request_text_add(&t, (*c)[0] + i, MIN(step, size - i), &b);
                        request_text_add(&t, NULL, 0, &b);
                        assert_false(b.failed);
                        assert_string_equal(str_or(b.data, ""), (*c)[1]);
                }
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_text) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
