/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bus on which nobody says anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "basic/fd.h"
#include "run/manager-bus.h"
#include "run/manager-job.h"

static void test_deadline(void **state) {
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_bus_reply_ sd_bus_message *reply = NULL;
        int pair[2], pipes[2];

        assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), errno);
        assert_return_code(pipe(pipes), errno);
        assert_return_code(sd_bus_new(&bus), 0);
        assert_return_code(sd_bus_set_fd(bus, pair[0], pair[0]), 0);
        assert_return_code(sd_bus_start(bus), 0);
        assert_return_code(sd_bus_message_new_signal(bus, &reply, "/a", "a.b", "C"), 0);
        assert_return_code(sd_bus_message_append(reply, "o", "/job/1"), 0);
        assert_return_code(sd_bus_message_seal(reply, 1, 0), 0);
        for (int i = 0; i < 2; i++) {
                usec_t now = clock_usec(CLOCK_MONOTONIC);
                ManagerJob j = { .deadline = now + 20000 };

                assert_return_code(sd_bus_message_rewind(reply, 1), 0);
                assert_int_equal(manager_job_wait_unless(&j, bus, reply, i == 0 ? -EBADF : pipes[0]), -ETIME);
                assert_true(clock_usec(CLOCK_MONOTONIC) - now >= 20000);
                manager_job_done(&j);
        }
        (void) fd_close(pair[1]);
        (void) fd_close(pipes[0]);
        (void) fd_close(pipes[1]);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_deadline),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
