/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tries from inside what a sandbox must not allow. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka needs the four above */
#include <cmocka.h>

#include <fcntl.h>
#include <linux/landlock.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/sandbox.h"
#include "basic/sanitizer.h"

/* Runs in a child within the sandbox. Returns the exit status, or -signal. */
static int within(const SandboxSpec *spec, int (*what)(void)) {
        int status = 0;
        pid_t pid;

        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                if (sandbox_enter(spec, NULL) < 0)
                        syscall(SYS_exit_group, 99);
                syscall(SYS_exit_group, what());
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int nothing(void) {
        return 7;
}

static int open_file(void) {
        return open("/dev/null", O_RDONLY | O_CLOEXEC) < 0 ? errno : 0;
}

static int open_socket(void) {
        return socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0;
}

static int execute(void) {
        return execl("/bin/true", "true", (char *) NULL) < 0 ? errno : 0;
}

static int fork_twice(void) {
        return fork() < 0 ? errno : 0;
}

static void *thread(void *argument) {
        return argument;
}

static int start_thread(void) {
        pthread_t t;
        void *result = NULL;
        char word[] = "x";

        if (pthread_create(&t, NULL, thread, word) != 0 || pthread_join(t, &result) != 0)
                return 1;
        return result == word ? 0 : 2;
}

/* A process would outlive the worker. */
static void test_threads_only(void **state) {
        static const char *const syscalls[] = { "exit_group",      "exit",         "clone",
                                                "futex",           "mmap",         "munmap",
                                                "mprotect",        "madvise",      "rseq",
                                                "rt_sigprocmask",  "rt_sigaction", "getrandom",
                                                "set_robust_list", "brk",          NULL };
        SandboxSpec spec = SANDBOX_INIT;

        if (HAVE_SANITIZER)
                return;
        spec.syscalls = syscalls;
        assert_int_equal(within(&spec, start_thread), 0);
        assert_int_equal(within(&spec, fork_twice), -SIGSYS);
}

static void test_filter(void **state) {
        static const char *const syscalls[] = { "exit_group", "no_such_call", NULL };
        static const char *const denied[] = { "socket", NULL };
        SandboxSpec spec = SANDBOX_INIT;

        if (HAVE_SANITIZER) {
                print_message("# a sanitizer's build has no filter\n");
                return;
        }
        spec.syscalls = syscalls;
        spec.denied = denied;
        assert_int_equal(within(&spec, nothing), 7);
        assert_int_equal(within(&spec, open_file), -SIGSYS);
        assert_int_equal(within(&spec, execute), -SIGSYS);
        assert_int_equal(within(&spec, open_socket), ENOSYS);
}

static int allowed_dir = -EBADF;

static int make_inside(void) {
        _cleanup_close_ int fd = openat(allowed_dir, "inside", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        return fd < 0 ? errno : mkdirat(allowed_dir, "dir", 0700) < 0 ? errno : 0;
}

static int open_above(void) {
        return openat(allowed_dir, "../canary", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0 ? errno : 0;
}

static int link_above(void) {
        return linkat(allowed_dir, "inside", allowed_dir, "../canary", 0) < 0 ? errno : 0;
}

static void test_paths(void **state) {
        char dir[] = "/tmp/test-sandbox-XXXXXX";
        _cleanup_close_ int top = -EBADF;
        SandboxSpec spec = SANDBOX_INIT;
        SandboxPath path = { .writable = true };
        int r;

        if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 1) {
                print_message("# this kernel has no Landlock\n");
                return;
        }
        assert_non_null(mkdtemp(dir));
        top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(mkdirat(top, "allowed", 0700), 0);
        allowed_dir = openat(top, "allowed", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        path.fd = allowed_dir;
        spec.paths = &path;
        spec.n_paths = 1;
        assert_int_equal(within(&spec, make_inside), 0);
        assert_int_equal(within(&spec, open_file), EACCES);
        assert_int_equal(within(&spec, execute), EACCES);
        assert_int_equal(within(&spec, open_above), EACCES);
        r = within(&spec, link_above);
        assert_true(r == EACCES || r == EXDEV);
        path.writable = false;
        assert_int_equal(within(&spec, make_inside), EACCES);
        spec.n_paths = 0;
        assert_int_equal(within(&spec, make_inside), EACCES);
        spec.all_paths = true;
        assert_int_equal(within(&spec, open_file), 0);
        allowed_dir = fd_close(allowed_dir);
        assert_int_equal(remove_tree_at(AT_FDCWD, dir), 0);
}

static int count_capabilities(void) {
        _cleanup_free_ char *text = NULL;
        unsigned long long effective = 0, bounding = 0, inheritable = 0;
        const char *p;

        if (file_read_at(AT_FDCWD, "/proc/self/status", 65536, &text, NULL) < 0)
                return 200;
        p = strstr(text, "CapInh:");
        inheritable = p ? strtoull(p + 7, NULL, 16) : 1;
        p = strstr(text, "CapEff:");
        effective = p ? strtoull(p + 7, NULL, 16) : 1;
        p = strstr(text, "CapBnd:");
        bounding = p ? strtoull(p + 7, NULL, 16) : 1;
        if (inheritable != 0 || (geteuid() == 0 && bounding != effective) ||
            prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
                return 201;
        return (int) effective;
}

static void test_capabilities(void **state) {
        SandboxSpec spec = SANDBOX_INIT;

        spec.all_paths = true;
        assert_int_equal(within(&spec, count_capabilities), 0);
        spec.capabilities = 3; /* CHOWN, DAC_OVERRIDE */
        assert_int_equal(within(&spec, count_capabilities), geteuid() == 0 ? 3 : 0);
}

static int allocate(void) {
        volatile char *p = malloc(200U << 20);

        return p ? 0 : ENOMEM;
}

static int open_many(void) {
        int n = 0;

        while (dup(STDERR_FILENO) >= 0)
                n++;
        return n < 20 ? 0 : 1;
}

static int write_much(void) {
        _cleanup_close_ int fd = open("/tmp", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
        char block[2000] = {};

        (void) signal(SIGXFSZ, SIG_IGN);
        return fd < 0                                                               ? errno
               : write(fd, block, sizeof(block)) == 1000 && write(fd, block, 1) < 0 ? errno
                                                                                    : 0;
}

static void test_limits(void **state) {
        SandboxSpec spec = SANDBOX_INIT;

        spec.all_paths = true;
        spec.n_fds_max = 10;
        assert_int_equal(within(&spec, open_many), 0);
        spec = SANDBOX_INIT;
        spec.all_paths = true;
        spec.file_size_max = 1000;
        assert_int_equal(within(&spec, write_much), EFBIG);
        if (HAVE_SANITIZER) {
                print_message("# a sanitizer's build has no limit of the address space\n");
                return;
        }
        assert_int_equal(within(&spec, allocate), 0);
        spec.memory_max = 100U << 20;
        assert_int_equal(within(&spec, allocate), ENOMEM);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_filter), cmocka_unit_test(test_threads_only),
                cmocka_unit_test(test_paths),  cmocka_unit_test(test_capabilities),
                cmocka_unit_test(test_limits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
