/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A process in a PID namespace of its own stands for a pod. Needs root. */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "basic/fd.h"
#include "basic/macro.h"
#include "run/pod-namespace.h"

static pid_t start(unsigned long namespaces) {
        pid_t pid = (pid_t) syscall(SYS_clone, namespaces | SIGCHLD, NULL, NULL, NULL, NULL);

        if (pid == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (;;)
                        (void) pause();
        }
        return pid;
}

static void end(pid_t pid) {
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static bool is_alive(pid_t pid) {
        return waitpid(pid, NULL, WNOHANG) == 0;
}

static int open_null(void *userdata) {
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* What an app says that has taken the process over. */
static int name_another(void *userdata) {
        const struct {
                bool is_pid;
                int value;
        } lie = { true, *(const int *) userdata };

        for (unsigned i = 0; i < 3; i++)
                if (send(3, &lie, sizeof(lie), MSG_NOSIGNAL) < 0)
                        return -errno;
        return open_null(NULL);
}

static void test_only_ours_is_killed(void **state) {
        static const PodNamespaceFunc openers[] = { open_null, name_another };
        pid_t victim, pod;

        if (geteuid() != 0) {
                print_message("# not root: no namespaces\n");
                skip();
        }
        victim = start(0);
        pod = start(CLONE_NEWPID | CLONE_NEWNS);
        assert_true(victim > 0 && pod > 0);
        FOREACH_ARRAY (opener, openers, ELEMENTSOF(openers)) {
                int fd = -EBADF;

                assert_int_equal(pod_namespace_open(pod, *opener, &victim, &fd, NULL), 0);
                assert_true(fd >= 0);
                (void) fd_close(fd);
                assert_true(is_alive(victim));
        }
        end(pod);
        end(victim);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left */
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_only_ours_is_killed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
