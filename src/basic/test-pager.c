/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What goes through a pager, which one, and how it is told. Each case is a process at a terminal of its own. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "basic/fd.h"
#include "basic/pager.h"
#include "basic/str.h"
#include "basic/verbs.h"

#define TEXT_MAX 4096
#define KILLED   SIZE_MAX /* in place of a number of lines */

/* A pager that says who it is and what it was told. */
static const char script[] = "#!/bin/sh\n"
                             "echo \"$(basename \"$0\") $* LESS=$LESS LESSSECURE=$LESSSECURE\"\n"
                             "exec sed 's/^/> /'\n";

typedef struct Case {
        const char *environment[6]; /* "X" alone: unset */
        const char *expected;
        const char *verb; /* how the verb "fail" does; NULL: lines are printed without a verb */
} Case;

static const struct {
        const char *name, *text;
} programs[] = {
        { "pager", script },
        { "less", script },
        { "mine", script },
        { "broken", "echo what no kernel executes\n" },
        { "astray", "#!/no/such/interpreter\n" },
};

static void write_script(const char *dir, const char *name, const char *text) {
        _cleanup_free_ char *path = strf("%s/%s", dir, name);
        _cleanup_close_ int fd = path ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755) : -EBADF;

        assert_true(fd >= 0);
        assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

/* The verb "fail": words without end; what it returns when nobody reads them is the exit code of a real failure, or none. */
static int fail_run(const VerbContext *c, int argc, char **words, void *options, Error *e) {
        const int r = streq(words[0], "pipe") ? -EPIPE : -EIO;

        verb_open_pager(c);
        while (puts("text") >= 0)
                ;
        return error_setf(e, r, "it failed");
}

static const Verb verb_fail = {
        .name = "fail", .min_args = 1, .max_args = 1, .flags = VERB_NO_DATA, .help = "fail", .run = fail_run
};

static _Noreturn void run_verb(const char *how) {
        static const Verb *const verbs[] = { &verb_fail, NULL };
        char *words[] = { strdup("rkt"), strdup("fail"), strdup(how), NULL };
        int r = verbs_main(verbs, NULL, 3, words);

        (void) fflush(stderr);
        _exit(r);
}

static _Noreturn void run(const char *terminal, const char *dir, const Case *c, size_t lines) {
        int fd = open(terminal, O_RDWR | O_CLOEXEC | O_NOCTTY);
        _cleanup_free_ char *path = strf("%s:/usr/bin:/bin", dir);

        if (fd < 0 || !path || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
                _exit(100);
        (void) setenv("PATH", path, 1);
        (void) setenv("TERM", "xterm", 1);
        (void) setenv("SYSTEMD_PAGERSECURE", "0", 1);
        FOREACH_ARRAY (s, c->environment, ELEMENTSOF(c->environment)) {
                if (!*s)
                        break;
                if (strchr(*s, '='))
                        (void) putenv(strdup(*s)); /* as long as the process */
                else
                        (void) unsetenv(*s);
        }
        if (c->verb)
                run_verb(c->verb);
        pager_open();
        if (lines == KILLED)
                (void) raise(SIGKILL);
        for (size_t i = 0; i < lines; i++)
                if (puts("text") < 0)
                        break;
        (void) fflush(stdout);
        (void) fputs("error\n", stderr);
        _exit(pager_close() ? 3 : 4);
}

/* Returns the exit code, or minus the signal. */
static int look(const char *dir, const Case *c, size_t lines, char text[static TEXT_MAX]) {
        _cleanup_close_ int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        size_t n = 0;
        int status;
        pid_t pid;

        assert_true(master >= 0);
        assert_int_equal(grantpt(master), 0);
        assert_int_equal(unlockpt(master), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                run(ptsname(master), dir, c, lines);
        for (;;) {
                char c1;
                ssize_t k = read(master, &c1, 1);

                if (k <= 0) { /* the terminal has not been opened yet, or is closed by all */
                        if (waitpid(pid, &status, WNOHANG) == pid)
                                break;
                        (void) poll(NULL, 0, 1);
                        continue;
                }
                if (c1 != '\r' && n < TEXT_MAX - 1)
                        text[n++] = c1;
        }
        text[n] = '\0';
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int make_dir(void **state) {
        char *dir = strdup("/tmp/test-pager.XXXXXX");
        _cleanup_free_ char *folder = NULL;

        assert_non_null(dir);
        assert_non_null(mkdtemp(dir));
        FOREACH_ARRAY (p, programs, ELEMENTSOF(programs))
                write_script(dir, p->name, p->text);
        folder = strf("%s/folder", dir);
        assert_int_equal(mkdir(folder, 0755), 0);
        *state = dir;
        return 0;
}

static int remove_dir(void **state) {
        _cleanup_free_ char *dir = *state, *folder = strf("%s/folder", dir);

        FOREACH_ARRAY (p, programs, ELEMENTSOF(programs)) {
                _cleanup_free_ char *path = strf("%s/%s", dir, p->name);

                assert_non_null(path);
                assert_int_equal(unlink(path), 0);
        }
        assert_int_equal(rmdir(folder), 0);
        return rmdir(dir);
}

static void test_choice(void **state) {
        static const Case cases[] = {
                { { NULL }, "pager  LESS=FRSXMK LESSSECURE=0\n> text\n> error\n" },
                { { "PAGER=less -x" }, "less -x LESS=FRSXMK LESSSECURE=0\n> text\n> error\n" },
                { { "PAGER=less", "SYSTEMD_PAGER=mine" },
                  "mine  LESS=FRSXMK LESSSECURE=0\n> text\n> error\n" },
                { { "LESS=x", "SYSTEMD_LESS=FR", "LESSSECURE=7" },
                  "pager  LESS=FR LESSSECURE=0\n> text\n> error\n" },
                { { "PAGER=no-such-program-anywhere" },
                  "pager  LESS=FRSXMK LESSSECURE=0\n> text\n> error\n" },
                /* none is wanted */
                { { "PAGER=" }, "text\nerror\n" },
                { { "PAGER=cat" }, "text\nerror\n" },
                { { "PAGER=mine", "SYSTEMD_PAGER=" }, "text\nerror\n" },
                { { "TERM=dumb" }, "text\nerror\n" },
                { { "TERM" }, "text\nerror\n" },
                { { "PATH=/nowhere" }, "text\nerror\n" },
                { { "PAGER=folder" }, "pager  LESS=FRSXMK LESSSECURE=0\n> text\n> error\n" },
                /* there, but cannot be executed */
                { { "PAGER=broken" }, "text\nerror\n" },
                { { "PAGER=astray -x" }, "text\nerror\n" },
                /* rights that the user has not got */
                { { "SYSTEMD_PAGERSECURE=1" }, "pager  LESS=FRSXMK LESSSECURE=1\n> text\n> error\n" },
                { { "SYSTEMD_PAGERSECURE=1", "PAGER=mine" },
                  "mine  LESS=FRSXMK LESSSECURE=1\n> text\n> error\n" },
                { { "SYSTEMD_PAGERSECURE", "SUDO_UID=4294967294", "PAGER=mine" },
                  "less  LESS=FRSXMK LESSSECURE=1\n> text\n> error\n" },
                { { "SYSTEMD_PAGERSECURE=what", "PKEXEC_UID=4294967294", "PAGER=mine" },
                  "less  LESS=FRSXMK LESSSECURE=1\n> text\n> error\n" },
                { { "SYSTEMD_PAGERSECURE", "SUDO_UID=4294967294", "PAGER=cat" }, "text\nerror\n" },
                { { "SYSTEMD_PAGERSECURE=0", "SUDO_UID=4294967294", "PAGER=mine" },
                  "mine  LESS=FRSXMK LESSSECURE=0\n> text\n> error\n" },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                char text[TEXT_MAX];
                int status = look(*state, c, 1, text);

                assert_string_equal(text, c->expected);
                assert_int_equal(status, strchr(text, '>') ? 3 : 4);
        }
}

/* A user who leaves early: neither SIGPIPE, nor a rest of it on the terminal. */
static void test_leave(void **state) {
        const Case c = { { "PAGER=head -n 2" }, NULL };
        char text[TEXT_MAX];

        assert_int_equal(look(*state, &c, 200000, text), 3);
        assert_string_equal(text, "text\ntext\n"); /* the error, too, would have come after */
}

/* The reader has left: no failure, but what fails for another reason is one, and is said at the terminal. */
static void test_leave_and_fail(void **state) {
        const Case enough = { { "PAGER=head -n 1" }, NULL, "pipe" },
                   real = { { "PAGER=head -n 1" }, NULL, "else" };
        char text[TEXT_MAX];

        assert_int_equal(look(*state, &enough, 0, text), 0);
        assert_string_equal(text, "text\n");
        assert_int_equal(look(*state, &real, 0, text), EXIT_RKT_FAILED);
        assert_string_equal(text, "text\nfail: it failed\n");
}

/* Who kills rkt does not leave a pager behind, which would read the terminal together with the shell. */
static void test_killed(void **state) {
        const Case c = { { "PAGER=sleep 120" }, NULL, NULL };
        char text[TEXT_MAX];
        int status;

        assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
        assert_int_equal(look(*state, &c, KILLED, text), -SIGKILL);
        assert_true(waitpid(-1, &status, 0) > 0);
        assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGTERM);
}

/* Not a terminal: nothing is started. */
static void test_pipe(void **state) {
        int fds[2], out = dup(STDOUT_FILENO);

        assert_int_equal(pipe(fds), 0);
        (void) fflush(stdout);
        (void) dup2(fds[1], STDOUT_FILENO);
        pager_open();
        (void) dup2(out, STDOUT_FILENO);
        assert_false(pager_is_open());
        assert_false(pager_close());
        (void) close(fds[0]);
        (void) close(fds[1]);
        (void) close(out);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_choice),         cmocka_unit_test(test_leave),
                cmocka_unit_test(test_leave_and_fail), cmocka_unit_test(test_killed),
                cmocka_unit_test(test_pipe),
        };

        return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
