/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka needs the four above */
#include <cmocka.h>

#include <linux/netlink.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/macro.h"
#include "run/stage1-filter.h"

/* What a call of nonsense says in a process with the filter: EPERM, or what the kernel thinks of the nonsense. */
static int error_of(const Stage1Filter *f, long number) {
        int status;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
                if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || stage1_filter_load(f, NULL) < 0)
                        _exit(255);
                _exit(syscall(number, -1, -1, -1, -1, -1) < 0 ? errno : 0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

/* The numbers are those that the kernel answers otherwise than by EPERM, whoever asks. */
static void test_always(void **state) {
        const Stage1Filter usual = {};

        assert_int_equal(error_of(&usual, SYS_keyctl), EPERM);
        assert_int_equal(error_of(&usual, SYS_add_key), EPERM);
        assert_int_equal(error_of(&usual, SYS_request_key), EPERM);
        assert_int_equal(error_of(&usual, SYS_close), EBADF);
        assert_int_equal(error_of(&usual, SYS_dup), EBADF);
}

/* Of netlink, only what reaches the host's audit. */
static void test_audit(void **state) {
        static const int protocols[] = { NETLINK_ROUTE, NETLINK_AUDIT };

        FOREACH_ARRAY (p, protocols, ELEMENTSOF(protocols)) {
                int status;
                pid_t pid = fork();

                assert_true(pid >= 0);
                if (pid == 0) {
                        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
                            stage1_filter_load(&(Stage1Filter){}, NULL) < 0)
                                _exit(255);
                        _exit(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, *p) < 0 ? errno : 0);
                }
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_true(WIFEXITED(status));
                assert_int_equal(WEXITSTATUS(status), *p == NETLINK_AUDIT ? EAFNOSUPPORT : 0);
        }
}

static void test_switches(void **state) {
        char *const caps[] = { (char[]){ "CAP_SYS_TIME" }, NULL };
        const Stage1Filter usual = {}, timed = { .capabilities = caps }, all = { .all_capabilities = true };

        /* a bad pointer is seen before the capability is asked for */
        assert_int_equal(error_of(&usual, SYS_clock_adjtime), EPERM);
        assert_int_not_equal(error_of(&timed, SYS_clock_adjtime), EPERM);
        assert_int_not_equal(error_of(&all, SYS_clock_adjtime), EPERM);
        assert_int_equal(error_of(&all, SYS_keyctl), EPERM);
}

static void test_bpf(void **state) {
        const Stage1Filter usual = {}, bpf = { .bpf = true };

        if (geteuid() != 0) {
                print_message(
                        "# bpf: not root, and then the kernel refuses all; run as root in ./lab test unit\n");
                skip();
        }
        assert_int_equal(error_of(&usual, SYS_bpf), EPERM);
        assert_int_not_equal(error_of(&bpf, SYS_bpf), EPERM);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_always),
                cmocka_unit_test(test_audit),
                cmocka_unit_test(test_switches),
                cmocka_unit_test(test_bpf),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
