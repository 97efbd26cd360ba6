/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "run/terminal.h"

#define STDIO_DIR   "rkt/stdio"
#define RETRY_MSEC  10   /* while the pod begins */
#define ANSWER_MSEC 5000 /* of a program that only copies */

static int connect_once(int dir, const char *app) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_free_ char *path = strf("/proc/self/fd/%d/%s.sync", dir, app);
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (!path || fd < 0)
                return path ? -errno : -ENOMEM;
        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        memcpy(address.sun_path, path, strlen(path) + 1);
        return connect(fd, (const struct sockaddr *) &address, sizeof(address)) < 0 ? -errno : TAKE_FD(fd);
}

/* Until somebody listens, or there is nobody left who could. */
static int connect_to(const Attach *a, int dir) {
        for (;;) {
                int fd = connect_once(dir, a->app);

                if (!a->starts || (fd != -ENOENT && fd != -ECONNREFUSED))
                        return fd;
                if (poll(&(struct pollfd){ .fd = a->watch_fd, .events = POLLIN }, 1, RETRY_MSEC) > 0)
                        return -ESRCH;
        }
}

/* One byte says that we are heard; with it comes a terminal. */
static int read_answer(int fd, int *ret_tty) {
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int))];
        } control = {};
        char byte;
        struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
        struct msghdr m = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };
        const struct cmsghdr *h;
        ssize_t n;

        if (poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, ANSWER_MSEC) <= 0)
                return -ETIMEDOUT;
        n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        if (n <= 0)
                return n < 0 ? -errno : -ENOTCONN;
        h = CMSG_FIRSTHDR(&m);
        if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS &&
            h->cmsg_len == CMSG_LEN(sizeof(int)))
                memcpy(ret_tty, CMSG_DATA(h), sizeof(int));
        return 0;
}

static int attach_one(const Attach *a, int dir, const char *word, int *ret, int *ret_tty, Error *e) {
        _cleanup_close_ int fd = connect_to(a, dir), tty = -EBADF;
        int r = fd < 0 ? fd : fd_write_all(fd, word, strlen(word));

        if (r >= 0)
                r = read_answer(fd, &tty);
        if (r < 0)
                return error_setf(e, r, "app '%s' cannot be attached to: %s", a->app,
                                  r == -ENOTCONN ? "it has no such endpoint" : strerror(-r));
        if (ret_tty)
                *ret_tty = TAKE_FD(tty);
        *ret = TAKE_FD(fd);
        return 0;
}

static int is_over(void *userdata) {
        const Attach *a = userdata;

        return a->watch_fd >= 0 && poll(&(struct pollfd){ .fd = a->watch_fd, .events = POLLIN }, 1, 0) > 0;
}

static int run_terminal(Attach *a, int dir, RelayEnd *ret, Error *e) {
        const char *word = (a->want & ATTACH_TTY) == ATTACH_TTY ? "tty\n"
                           : a->want & ATTACH_TTY_IN            ? "tty-in\n"
                                                                : "tty-out\n";
        _cleanup_close_ int fd = -EBADF, tty = -EBADF;
        TerminalForward f = {
                .detach_keys = a->detach_keys, .watch_fd = a->watch_fd, .watch = is_over, .userdata = a
        };
        int r = attach_one(a, dir, word, &fd, &tty, e);

        if (r < 0)
                return r;
        (void) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        f.master = fd;
        f.size_fd = tty >= 0 ? &tty : NULL;
        f.in = a->want & ATTACH_TTY_IN ? STDIN_FILENO : -EBADF;
        f.out = a->want & ATTACH_TTY_OUT ? STDOUT_FILENO : STDERR_FILENO;
        return terminal_forward(&f, ret, e);
}

static int run_streams(Attach *a, int dir, RelayEnd *ret, Error *e) {
        static const struct {
                unsigned want;
                const char *word;
                int fd;
        } table[] = {
                { ATTACH_STDIN, "in\n", STDIN_FILENO },
                { ATTACH_STDOUT, "out\n", STDOUT_FILENO },
                { ATTACH_STDERR, "err\n", STDERR_FILENO },
        };
        int fds[ELEMENTSOF(table)] = { -EBADF, -EBADF, -EBADF };
        RelayStream streams[ELEMENTSOF(table)] = {};
        Relay relay = { .streams = streams, .watch_fd = a->watch_fd, .watch = is_over, .userdata = a };
        char keys[TERMINAL_KEYS_MAX];
        size_t n_keys = 0;
        int r = terminal_keys_parse(str_or(a->detach_keys, ""), keys, &n_keys);

        if (r < 0)
                return error_setf(e, r,
                                  "'%s' is no sequence of keys: expected \"^]^]^]\" or \"ctrl-p,ctrl-q\"",
                                  a->detach_keys);
        for (size_t i = 0; i < ELEMENTSOF(table) && r >= 0; i++) {
                RelayStream *s = &streams[relay.n_streams];

                if (!(a->want & table[i].want))
                        continue;
                r = attach_one(a, dir, table[i].word, &fds[i], NULL, e);
                *s = table[i].want == ATTACH_STDIN ? (RelayStream){ .from = STDIN_FILENO,
                                                                    .to = fds[i],
                                                                    .is_input = true,
                                                                    .detach = keys,
                                                                    .detach_size = n_keys }
                                                   : (RelayStream){ .from = fds[i], .to = table[i].fd };
                relay.n_streams++;
        }
        if (a->want == ATTACH_STDIN && a->watch_fd < 0)
                relay.watch_fd = a->watch_fd = fds[0]; /* nothing comes from there but its end */
        relay.stays_after_hangup = a->want == ATTACH_STDIN;
        if (r >= 0)
                r = relay_run(&relay, ret, e);
        FOREACH_ARRAY (fd, fds, ELEMENTSOF(fds))
                (void) fd_close(*fd);
        return r;
}

/**
 * attach_run() - join the caller's standard streams with an app's
 * @a:   what with what
 * @ret: what ended it
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0; -ENOENT, -ECONNREFUSED: the pod does not run, or the app has nothing to attach to; -ENOTCONN: it has no such
 * endpoint; -ESRCH: the pod ended before it began; -EINVAL: detach_keys; errors of relay_run().
 */
int attach_run(const Attach *a, RelayEnd *ret, Error *e) {
        _cleanup_close_ int dir = root_open(a->stage1_fd, STDIO_DIR, O_PATH | O_DIRECTORY);
        Attach copy = *a;

        if (dir < 0)
                return error_setf(e, dir, "app '%s' cannot be attached to: %s", a->app, strerror(-dir));
        return a->want & ATTACH_TTY ? run_terminal(&copy, dir, ret, e) : run_streams(&copy, dir, ret, e);
}
