/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>

#include "basic/alloc.h"
#include "basic/macro.h"
#include "helper/app-status.h"

/* EXIT: what systemd says, the number that rkt knows, and the line that is kept. */
static void test_ends(void **state) {
        const struct {
                AppEnd end;
                const char *line;
                unsigned number;
        } cases[] = {
                { { (char[]){ "success" }, CLD_EXITED, 0 }, "success exited 0\n", 0 },
                { { (char[]){ "exit-code" }, CLD_EXITED, 137 },
                  "exit-code exited 137\n",
                  137 }, /* no signal */
                { { (char[]){ "success" }, CLD_EXITED, 7 },
                  "success exited 7\n",
                  7 }, /* SuccessExitStatus=7 */
                { { (char[]){ "signal" }, CLD_KILLED, SIGKILL }, "signal killed 9\n", 137 },
                { { (char[]){ "core-dump" }, CLD_DUMPED, SIGSEGV }, "core-dump dumped 11\n", 139 },
                { { (char[]){ "oom-kill" }, CLD_KILLED, SIGKILL }, "oom-kill killed 9\n", 137 },
                { { (char[]){ "oom-kill" }, CLD_KILLED, SIGTERM }, "oom-kill killed 15\n", 143 },
                { { (char[]){ "oom-kill" }, CLD_EXITED, 1 }, "oom-kill exited 1\n", 1 },
                { { (char[]){ "watchdog" }, CLD_DUMPED, SIGABRT }, "watchdog dumped 6\n", 134 },
                { { (char[]){ "timeout" }, CLD_KILLED, SIGKILL }, "timeout killed 9\n", 137 },
                { { (char[]){ "success" }, CLD_KILLED, SIGTERM },
                  "success killed 15\n",
                  0 },                                                            /* it was to stop */
                { { (char[]){ "exit-code" }, 0, 0 }, "exit-code none 0\n", 255 }, /* of ExecStartPre= */
                { { (char[]){ "success" }, 0, 0 }, "success none 0\n", 0 },
                { APP_END_INIT, "unknown none 0\n", 255 },
                { { NULL, CLD_EXITED, 4711 }, "unknown exited 4711\n", 255 },
                { { NULL, CLD_KILLED, -3 }, "unknown killed -3\n", 255 },
                { { NULL, CLD_KILLED, 4711 }, "unknown killed 4711\n", 255 },
        };

        (void) state;
        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_free_ char *line = NULL;

                assert_int_equal(app_end_number(&c->end), c->number);
                assert_int_equal(app_end_to_string(&c->end, &line), 0);
                assert_string_equal(line, c->line);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ends),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
