/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Terminals and pipes against each other: a pty stands for the caller's terminal, another for one of a pod. */
#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "run/relay.h"
#include "run/terminal.h"

static void test_keys(void **state) {
        static const struct {
                const char *text, *bytes;
        } cases[] = {
                { "", "" },
                { "^]^]^]", "\x1d\x1d\x1d" },
                { "ctrl-p,ctrl-q", "\x10\x11" },
                { "ctrl-p,x", "\x10x" },
                { "^Px", "\x10x" },
                { "ctrl-[", "\x1b" },
                { "ctrl-1", NULL },
                { "\t", NULL },
                { "ctrl-", NULL },
                { "12345678901234567", NULL },
        };
        char keys[TERMINAL_KEYS_MAX];
        size_t n;

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                int r = terminal_keys_parse(c->text, keys, &n);

                print_message("# %s\n", c->text);
                assert_int_equal(r, c->bytes ? 0 : -EINVAL);
                if (!c->bytes)
                        continue;
                assert_int_equal(n, strlen(c->bytes));
                assert_memory_equal(keys, c->bytes, n);
        }
}

static void make_pty(int *master, int *slave) {
        struct winsize size = { .ws_row = 11, .ws_col = 77 };
        struct termios quiet;

        assert_int_equal(openpty(master, slave, NULL, NULL, &size), 0);
        assert_int_equal(tcgetattr(*slave, &quiet), 0);
        quiet.c_lflag &= ~(tcflag_t) ECHO; /* before or after it is raw: that is a race */
        assert_int_equal(tcsetattr(*slave, TCSANOW, &quiet), 0);
        assert_int_equal(fcntl(*master, F_SETFL, O_NONBLOCK), 0);
}

static void expect(int fd, const char *text) {
        char buffer[64] = "";

        for (size_t n = 0; n < strlen(text); n++) {
                ssize_t got;

                do
                        got = read(fd, buffer + n, 1);
                while (got < 0 && errno == EAGAIN);
                assert_int_equal(got, 1);
        }
        assert_string_equal(buffer, text);
}

typedef struct Scene {
        int user, in;    /* the caller's terminal: who types, and what we get */
        int master, app; /* the pod's: ours, and the app's */
        struct termios before;
} Scene;

static int setup(void **state) {
        Scene *s = new0(Scene, 1);

        make_pty(&s->user, &s->in);
        make_pty(&s->master, &s->app);
        assert_int_equal(tcgetattr(s->in, &s->before), 0);
        *state = s;
        return 0;
}

static int teardown(void **state) {
        Scene *s = *state;
        struct termios after;

        /* whatever ended it */
        assert_int_equal(tcgetattr(s->in, &after), 0);
        assert_int_equal(after.c_lflag, s->before.c_lflag);
        assert_int_equal(after.c_iflag, s->before.c_iflag);
        assert_int_equal(after.c_oflag, s->before.c_oflag);
        (void) fd_close(s->user);
        (void) fd_close(s->in);
        (void) fd_close(s->master);
        (void) fd_close(s->app);
        free(s);
        return 0;
}

static RelayEnd forward(const Scene *s, const char *keys) {
        const TerminalForward f = {
                .master = s->master, .in = s->in, .out = s->in, .detach_keys = keys, .watch_fd = -EBADF
        };
        RelayEnd end = _RELAY_END_MAX;

        assert_int_equal(terminal_forward(&f, &end, NULL), 0);
        return end;
}

/* The app is another process, which ends: our side sees the hang-up after its last word. */
static void test_hangup(void **state) {
        Scene *s = *state;
        pid_t pid;

        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                struct winsize size = {};
                char line[16] = "";

                (void) close(s->master);
                if (read(s->app, line, sizeof(line) - 1) < 0)
                        _exit(1);
                (void) ioctl(s->app, TIOCGWINSZ, &size);
                (void) dprintf(s->app, "%d %d %s", size.ws_row, size.ws_col, line);
                _exit(0);
        }
        (void) fd_close(TAKE_FD(s->app));
        assert_int_equal(write(s->user, "hello\r", 6), 6);
        assert_int_equal(forward(s, NULL), RELAY_HANGUP);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        expect(s->user, "11 77 hello\r\n");
}

/* Detach keys are looked for across what is typed, and what was typed before them arrives. */
static void test_detach(void **state) {
        Scene *s = *state;
        struct termios raw;

        assert_int_equal(tcgetattr(s->app, &raw), 0);
        cfmakeraw(&raw);
        assert_int_equal(tcsetattr(s->app, TCSANOW, &raw), 0);
        assert_int_equal(write(s->user,
                               "a\x1d\x1d"
                               "b\x1d\x1d\x1d",
                               7),
                         7);
        assert_int_equal(forward(s, "^]^]^]"), RELAY_DETACHED);
        expect(s->app, "a\x1d\x1d"
                       "b");
}

static void test_bad_keys(void **state) {
        const Scene *s = *state;
        const TerminalForward f = { .master = s->master, .in = s->in, .out = s->in, .detach_keys = "ctrl-1" };
        RelayEnd end;

        assert_int_equal(terminal_forward(&f, &end, NULL), -EINVAL);
}

static void test_signal(void **state) {
        Scene *s = *state;
        sigset_t set, before;

        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGTERM);
        (void) sigprocmask(SIG_BLOCK, &set, &before);
        assert_int_equal(raise(SIGTERM), 0);
        assert_int_equal(forward(s, NULL), RELAY_SIGNAL);
        (void) sigprocmask(SIG_SETMASK, &before, NULL);
}

typedef struct Watched {
        int n, signals;
} Watched;

static int watch(void *userdata) {
        Watched *w = userdata;

        return ++w->n > 1;
}

static int on_signal(int sig, void *userdata) {
        Watched *w = userdata;

        w->signals += sig;
        return 0;
}

static void set_echo(int fd) {
        struct termios t;

        assert_int_equal(tcgetattr(fd, &t), 0);
        t.c_lflag |= ECHO;
        assert_int_equal(tcsetattr(fd, TCSANOW, &t), 0);
}

/* The program, which finds a terminal as any other. */
static int begin(void *userdata, Error *e) {
        const Scene *s = userdata;
        struct termios t;
        char c;

        assert_int_equal(tcgetattr(s->app, &t), 0);
        assert_true(t.c_lflag & ECHO);
        expect(s->app, "typed early\n");
        assert_int_equal(read(s->app, &c, 1), 0);
        return write(s->app, "seen", 4) == 4 ? 0 : -EIO;
}

static int at_once(void *userdata) {
        return 1;
}

/* What was typed, and shown, before the caller's terminal was raw is not shown twice; ^D is still one. */
static void test_typed(void **state) {
        Scene *s = *state;
        const TerminalForward f = { .master = s->master,
                                    .peer = s->app,
                                    .begin = begin,
                                    .in = s->in,
                                    .out = s->in,
                                    .watch_fd = -EBADF,
                                    .watch = at_once,
                                    .userdata = s };
        RelayEnd end;
        char c;

        set_echo(s->in);
        set_echo(s->app);
        assert_int_equal(tcgetattr(s->in, &s->before), 0);
        assert_int_equal(write(s->user, "typed early\n\x04", 13), 13);
        expect(s->user, "typed early\r\n");
        assert_int_equal(terminal_forward(&f, &end, NULL), 0);
        assert_int_equal(end, RELAY_DONE);
        expect(s->user, "seen");
        assert_int_equal(read(s->user, &c, 1), -1);
        assert_int_equal(errno, EAGAIN);
}

static void make_pipe(int fds[2]) {
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
}

/* More than the pipe holds goes through, and what lies ready when it is over arrives. */
static void test_pipes(void **state) {
        int in[2], app[2], event[2], from[2], out[2];
        char text[100] = "the last word";
        Watched w = {};
        RelayEnd end;

        make_pipe(in);
        make_pipe(app);
        make_pipe(event);
        make_pipe(from);
        make_pipe(out);
        assert_int_equal(write(event[1], "x", 1), 1);
        assert_int_equal(write(from[1], text, sizeof(text)), sizeof(text));
        (void) fd_close(from[1]);
        (void) fd_close(in[1]);
        RelayStream streams[] = {
                { .from = in[0], .to = app[1], .is_input = true, .close_to = true },
                { .from = from[0], .to = out[1], .close_from = true },
        };
        Relay x = { .streams = streams,
                    .n_streams = 2,
                    .watch_fd = event[0],
                    .watch = watch,
                    .on_signal = on_signal,
                    .userdata = &w,
                    .stays_after_hangup = true };
        sigset_t set, before;

        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGUSR1);
        (void) sigprocmask(SIG_BLOCK, &set, &before);
        assert_int_equal(raise(SIGUSR1), 0);
        assert_int_equal(relay_run(&x, &end, NULL), 0);
        (void) sigprocmask(SIG_SETMASK, &before, NULL);
        assert_int_equal(end, RELAY_DONE);
        assert_int_equal(w.signals, SIGUSR1);
        assert_int_equal(read(out[0], text, sizeof(text)), sizeof(text));
        assert_string_equal(text, "the last word");
        /* the app saw the end of its input */
        assert_int_equal(read(app[0], text, 1), 0);
        (void) fd_close(in[0]);
        (void) fd_close(app[0]);
        (void) fd_close(event[0]);
        (void) fd_close(event[1]);
        (void) fd_close(out[0]);
        (void) fd_close(out[1]);
}

typedef struct SlowReader {
        int source, out;
        int left;  /* in the source, when it was looked at last */
        int taken; /* at most, between two looks */
        int turns;
} SlowReader;

static int read_slowly(void *userdata) {
        SlowReader *x = userdata;
        char piece[4096];
        int left = 0;

        assert_return_code(ioctl(x->source, FIONREAD, &left), errno);
        x->taken = MAX(x->taken, x->left - left);
        x->left = left;
        assert_true(read(x->out, piece, sizeof(piece)) > 0 || errno == EAGAIN);
        (void) nanosleep(&(struct timespec){ .tv_nsec = (RELAY_SLOW_USEC + 10000) * 1000L }, NULL);
        return ++x->turns == 8;
}

/* Somebody who reads slowly is seen to read: little at a time is taken for them. */
static void test_slow_reader(void **state) {
        static const char text[60000] = { 0 };
        int from[2], out[2], event[2];
        RelayEnd end;

        make_pipe(from);
        make_pipe(out);
        make_pipe(event);
        assert_int_equal(fcntl(out[0], F_SETFL, O_NONBLOCK), 0);
        assert_int_equal(write(from[1], text, sizeof(text)), sizeof(text));
        assert_int_equal(write(event[1], "x", 1), 1);
        SlowReader reader = { .source = from[0], .out = out[0], .left = sizeof(text) };
        RelayStream streams[] = { { .from = from[0], .to = out[1] } };
        Relay x = { .streams = streams,
                    .n_streams = 1,
                    .watch_fd = event[0],
                    .watch = read_slowly,
                    .userdata = &reader };

        assert_int_equal(relay_run(&x, &end, NULL), 0);
        assert_int_equal(end, RELAY_DONE);
        assert_int_equal(reader.taken, RELAY_PIECE_MIN);
        FOREACH_ARRAY (p, ((int *[]){ from, out, event }), 3) {
                (void) fd_close((*p)[0]);
                (void) fd_close((*p)[1]);
        }
}

/* "rkt enter ... | head -1": the app learns that nobody reads any more. */
static void test_reader_gone(void **state) {
        int from[2], out[2];
        RelayEnd end;

        make_pipe(from);
        make_pipe(out);
        (void) fd_close(out[0]);
        assert_int_equal(write(from[1], "x", 1), 1);
        RelayStream streams[] = { { .from = from[0], .to = out[1], .close_from = true } };
        Relay x = { .streams = streams, .n_streams = 1, .watch_fd = -EBADF };

        assert_int_equal(relay_run(&x, &end, NULL), 0);
        assert_int_equal(end, RELAY_HANGUP);
        (void) signal(SIGPIPE, SIG_IGN);
        assert_int_equal(write(from[1], "x", 1), -1);
        assert_int_equal(errno, EPIPE);
        (void) signal(SIGPIPE, SIG_DFL);
        (void) fd_close(from[1]);
        (void) fd_close(out[1]);
}

typedef struct Lingering {
        int n, fd;
} Lingering;

static bool lingers(void *userdata) {
        Lingering *x = userdata;

        if (++x->n == 2)
                assert_int_equal(write(x->fd, "later", 5), 5);
        return x->n < 3;
}

/* Somebody whom the program left behind still writes. */
static void test_lingers(void **state) {
        int from[2], out[2];
        char text[6] = "";
        RelayEnd end;

        make_pipe(from);
        make_pipe(out);
        Lingering l = { .fd = from[1] };
        RelayStream streams[] = { { .from = from[0], .to = out[1], .close_from = true } };
        Relay x = { .streams = streams,
                    .n_streams = 1,
                    .watch_fd = -EBADF,
                    .watch = at_once,
                    .lingers = lingers,
                    .userdata = &l };

        assert_int_equal(relay_run(&x, &end, NULL), 0);
        assert_int_equal(end, RELAY_DONE);
        assert_int_equal(l.n, 3);
        assert_int_equal(read(out[0], text, 5), 5);
        assert_string_equal(text, "later");
        (void) fd_close(from[1]);
        (void) fd_close(out[0]);
        (void) fd_close(out[1]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_keys),
                cmocka_unit_test_setup_teardown(test_hangup, setup, teardown),
                cmocka_unit_test_setup_teardown(test_detach, setup, teardown),
                cmocka_unit_test_setup_teardown(test_bad_keys, setup, teardown),
                cmocka_unit_test_setup_teardown(test_signal, setup, teardown),
                cmocka_unit_test_setup_teardown(test_typed, setup, teardown),
                cmocka_unit_test(test_pipes),
                cmocka_unit_test(test_slow_reader),
                cmocka_unit_test(test_lingers),
                cmocka_unit_test(test_reader_gone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
