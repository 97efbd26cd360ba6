/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "run/pod-namespace.h"

#define TYPED_MAX 4096 /* a terminal keeps no more */

static int open_ptmx(void *userdata) {
        int unlock = 0, fd = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

        (void) userdata;
        if (fd < 0 || ioctl(fd, TIOCSPTLCK, &unlock) < 0) {
                int r = -errno;

                (void) fd_close(fd);
                return r;
        }
        return fd;
}

/**
 * terminal_open() - make a terminal in a running pod
 * @leader:         the pod's PID 1, as the host numbers it
 * @ret_master:     our end, non-blocking; the caller's to close
 * @ret_slave_path: the pod's end as the pod sees it, "/dev/pts/3"; for free()
 * @e:              sentence on failure; may be NULL
 *
 * The pod's root owns it, with private users, too. ioctl(master, TIOCGPTPEER, ...) opens the other end from here.
 *
 * Return: 0; what pod_namespace_open() returns; -ENOTTY: that was no terminal.
 */
int terminal_open(pid_t leader, int *ret_master, char **ret_slave_path, Error *e) {
        _cleanup_close_ int master = -EBADF;
        unsigned n = 0;
        int r = pod_namespace_open(leader, open_ptmx, NULL, &master, e);

        if (r < 0)
                return error_prefixf(e, r, "cannot make a terminal in the pod");
        if (ioctl(master, TIOCGPTN, &n) < 0)
                return error_setf(e, -errno, "the pod's /dev/pts/ptmx is no terminal: %s", strerror(errno));
        *ret_slave_path = strf("/dev/pts/%u", n);
        if (!*ret_slave_path)
                return error_oom(e);
        *ret_master = TAKE_FD(master);
        return 0;
}

/* "^]", "ctrl-p", "x"; moves *p behind it. A comma separates, if there is one. */
static int parse_key(const char **p) {
        const char *rest = startswith(*p, "ctrl-");
        bool control = rest != NULL;
        char c;

        if (!rest && **p == '^' && (*p)[1]) {
                rest = *p + 1;
                control = true;
        }
        if (!rest)
                rest = *p;
        c = *rest++;
        if (c < 0x20 || c > 0x7e)
                return -EINVAL;
        if (control) {
                if (c >= 'a' && c <= 'z')
                        c = (char) (c - 'a' + 'A');
                if (c < '@' || c > '_')
                        return -EINVAL;
                c = (char) (c & 0x1f);
        }
        *p = *rest == ',' && rest[1] ? rest + 1 : rest;
        return (unsigned char) c;
}

/**
 * terminal_keys_parse() - what bytes a sequence of keys is
 * @text:     "^]^]^]" as systemd-nspawn(1) has them, "ctrl-p,ctrl-q" or "ctrl-p,x" as podman(1); "" is none
 * @ret:      the bytes
 * @ret_size: how many
 *
 * Return: 0; -EINVAL: no such key, or more than TERMINAL_KEYS_MAX of them.
 */
int terminal_keys_parse(const char *text, char ret[static TERMINAL_KEYS_MAX], size_t *ret_size) {
        size_t n = 0;

        while (*text) {
                int c = n < TERMINAL_KEYS_MAX ? parse_key(&text) : -EINVAL;

                if (c < 0)
                        return c;
                ret[n++] = (char) c;
        }
        *ret_size = n;
        return 0;
}

/* State of one forwarding. */
typedef struct Forward {
        const TerminalForward *f;
        struct termios in, out; /* as it was */
        bool has_in, has_out;
} Forward;

static void copy_size(const Forward *x) {
        struct winsize size;

        if ((x->has_out && ioctl(x->f->out, TIOCGWINSZ, &size) == 0) ||
            (x->has_in && ioctl(x->f->in, TIOCGWINSZ, &size) == 0))
                (void) ioctl(x->f->size_fd ? *x->f->size_fd : x->f->master, TIOCSWINSZ, &size);
}

/* Of a terminal that is only read, or only written to, the other direction stays. */
static void make_raw(const Forward *x) {
        struct termios raw;

        if (x->has_in) {
                raw = x->in;
                cfmakeraw(&raw);
                if (!x->has_out)
                        raw.c_oflag = x->in.c_oflag;
                (void) tcsetattr(x->f->in, TCSANOW, &raw);
        } else if (x->has_out) {
                raw = x->out;
                raw.c_oflag &= ~(tcflag_t) OPOST;
                (void) tcsetattr(x->f->out, TCSANOW, &raw);
        }
}

static void restore(const Forward *x) {
        if (x->has_out)
                (void) tcsetattr(x->f->out, TCSADRAIN, &x->out);
        if (x->has_in)
                (void) tcsetattr(x->f->in, TCSADRAIN, &x->in);
}

/* A shell restores its own settings when it stops us, and gives them back to nobody. */
static void on_terminal(int sig, void *userdata) {
        Forward *x = userdata;

        if (sig == SIGCONT)
                make_raw(x);
        copy_size(x);
}

/* What was typed while the caller's terminal was not yet raw is to be seen there already: so the pod's does not show it once more.
 * poll() has the kernel finish what lies between the two ends. */
static void pass_typed(const Forward *x) {
        struct pollfd p = { .fd = x->f->peer, .events = POLLIN };
        struct termios pod, silent;
        char text[TYPED_MAX];
        int n = 0;

        if (!x->has_in || !(x->in.c_lflag & ICANON) || ioctl(x->f->in, FIONREAD, &n) < 0 || n <= 0 ||
            tcgetattr(x->f->peer, &pod) < 0)
                return;
        n = (int) read(x->f->in, text, MIN((size_t) n, sizeof(text)));
        for (int i = 0; i < n; i++)
                if (text[i] == '\0') /* so the kernel has the end of a file */
                        text[i] = (char) pod.c_cc[VEOF];
        silent = pod;
        if (x->in.c_lflag & ECHO)
                silent.c_lflag &= ~(tcflag_t) (ECHO | ECHONL);
        (void) tcsetattr(x->f->peer, TCSANOW, &silent);
        if (n > 0 && write(x->f->master, text, (size_t) n) == n)
                (void) poll(&p, 1, 0);
        (void) tcsetattr(x->f->peer, TCSANOW, &pod);
}

static int on_watch(void *userdata) {
        const Forward *x = userdata;

        return x->f->watch(x->f->userdata);
}

static int on_signal(int sig, void *userdata) {
        const Forward *x = userdata;

        return x->f->on_signal(sig, x->f->userdata);
}

/* Until relay_run() looks at them: none may end us before the terminal is restored. */
static void block_signals(sigset_t *ret_before) {
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH };
        sigset_t set;

        (void) sigemptyset(&set);
        FOREACH_ARRAY (s, signals, ELEMENTSOF(signals))
                (void) sigaddset(&set, *s);
        (void) sigprocmask(SIG_BLOCK, &set, ret_before);
}

/* Opened once more, so that O_NONBLOCK is ours alone: a terminal that was stopped by ^S must not keep us from our signals. */
static int reopen(int fd) {
        _cleanup_free_ char *path = strf("/proc/self/fd/%d", fd);

        return path && isatty(fd) ? open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC) : -EBADF;
}

/**
 * terminal_forward() - join the caller's terminal with one of a pod
 * @f:   which; nothing of it is closed
 * @ret: what ended it
 * @e:   sentence on failure; may be NULL
 *
 * The caller's terminal is raw meanwhile, and what it was on every way out; its size goes along. The bytes of detach_keys but
 * the last are passed on.
 *
 * Return: 0; -EINVAL: detach_keys cannot be read; errors of begin() and relay_run().
 */
int terminal_forward(const TerminalForward *f, RelayEnd *ret, Error *e) {
        _cleanup_close_ int out = reopen(f->out);
        char keys[TERMINAL_KEYS_MAX];
        RelayStream streams[] = {
                { .from = f->in, .to = f->master, .is_input = true, .non_blocking = true, .detach = keys },
                { .from = f->master, .to = out >= 0 ? out : f->out, .non_blocking = out >= 0 },
        };
        Forward x = { .f = f };
        sigset_t before;
        Relay relay = {
                .streams = streams,
                .n_streams = ELEMENTSOF(streams),
                .watch_fd = f->watch_fd,
                .watch = f->watch ? on_watch : NULL,
                .on_signal = f->on_signal ? on_signal : NULL,
                .on_terminal = on_terminal,
                .userdata = &x,
                .stays_after_hangup = f->stays_after_hangup,
        };
        int r = terminal_keys_parse(str_or(f->detach_keys, ""), keys, &streams[0].detach_size);

        if (r < 0)
                return error_setf(e, r,
                                  "'%s' is no sequence of keys: expected \"^]^]^]\" or \"ctrl-p,ctrl-q\"",
                                  f->detach_keys);
        x.has_in = tcgetattr(f->in, &x.in) == 0;
        x.has_out = tcgetattr(f->out, &x.out) == 0;
        copy_size(&x);
        block_signals(&before);
        make_raw(&x);
        if (f->begin) {
                pass_typed(&x);
                r = f->begin(f->userdata, e);
        }
        if (r >= 0)
                r = relay_run(&relay, ret, e);
        restore(&x);
        (void) sigprocmask(SIG_SETMASK, &before, NULL);
        return r;
}
