/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One loop for pipes and terminals. It never reads more than it could pass on, so that who writes faster than the reader reads
 * is held back; and it waits for nothing but poll(), so that signals and the end are seen while a reader is slow. */
#include "run/relay.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/clock.h"
#include "basic/fd.h"

#define STREAMS_MAX 4
#define LINGER_MSEC 100               /* between two questions whether more may come */
#define FD_SIGNAL   (2 * STREAMS_MAX) /* in the list for poll() */
#define FD_WATCH    (FD_SIGNAL + 1)

/* Nothing more comes. */
static void end_from(RelayStream *s) {
        if (s->close_from)
                (void) fd_close(s->from);
        s->from = -EBADF;
}

/* Nobody reads any more: who writes is to know. */
static void end_stream(RelayStream *s) {
        end_from(s);
        if (s->close_to)
                (void) fd_close(s->to);
        s->to = -EBADF;
        s->size = 0;
}

/* How many of the bytes to pass on before the detach keys are complete; all of them if they are not. */
static size_t look_for_keys(RelayStream *s, size_t n, bool *ret_found) {
        for (size_t i = 0; i < n && s->detach_size > 0; i++) {
                if (s->buffer[i] != s->detach[s->detach_seen])
                        s->detach_seen = 0;
                if (s->buffer[i] == s->detach[s->detach_seen] && ++s->detach_seen == s->detach_size) {
                        *ret_found = true;
                        return i;
                }
        }
        return n;
}

/* EIO is how a terminal says that nobody is on its other side. */
static bool read_some(RelayStream *s) {
        ssize_t n = read(s->from, s->buffer, s->piece);
        bool found = false;

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return false;
        if (n <= 0) {
                if (s->close_to)
                        end_stream(s);
                else
                        end_from(s);
                return false;
        }
        s->start = 0;
        s->read_usec = clock_usec(CLOCK_MONOTONIC);
        s->size = look_for_keys(s, (size_t) n, &found);
        return found;
}

/* Who writes can see only by what is taken from it that there is still a reader: for a slow one that happens often. */
static void set_piece(RelayStream *s) {
        s->piece = clock_usec(CLOCK_MONOTONIC) - s->read_usec > RELAY_SLOW_USEC
                           ? RELAY_PIECE_MIN
                           : MIN(s->piece * 2, (size_t) RELAY_BUFFER_SIZE);
}

static void write_some(RelayStream *s) {
        size_t size = s->non_blocking ? s->size : MIN(s->size, (size_t) PIPE_BUF);
        ssize_t n = write(s->to, s->buffer + s->start, size);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n < 0) {
                end_stream(s);
                return;
        }
        s->start += (size_t) n;
        s->size -= (size_t) n;
        if (s->size == 0)
                set_piece(s);
}

static void fill(const Relay *x, int signals, struct pollfd *fds) {
        for (size_t i = 0; i < STREAMS_MAX; i++) {
                const RelayStream *s = i < x->n_streams ? &x->streams[i] : NULL;

                fds[2 * i] = (struct pollfd){ .fd = s && s->size == 0 ? s->from : -1, .events = POLLIN };
                /* without events: is the reader still there? */
                fds[2 * i + 1] = (struct pollfd){ .fd = s && (s->size > 0 || s->from >= 0) ? s->to : -1,
                                                  .events = s && s->size > 0 ? POLLOUT : 0 };
        }
        fds[FD_SIGNAL] = (struct pollfd){ .fd = signals, .events = POLLIN };
        fds[FD_WATCH] = (struct pollfd){ .fd = x->watch ? x->watch_fd : -1, .events = POLLIN };
}

/* Returns true when the detach keys were typed. */
static bool move_bytes(Relay *x, const struct pollfd *fds) {
        bool found = false;

        for (size_t i = 0; i < x->n_streams; i++) {
                RelayStream *s = &x->streams[i];

                if (fds[2 * i + 1].revents & POLLOUT)
                        write_some(s);
                else if (fds[2 * i + 1].revents & (POLLERR | POLLHUP | POLLNVAL))
                        end_stream(s);
                if (fds[2 * i].revents != 0 && s->from >= 0 && s->size == 0 && read_some(s)) {
                        found = true;
                        if (s->size > 0)
                                write_some(s);
                }
        }
        return found;
}

/* 1: a signal that ends it. */
static int take_signal(Relay *x, int signals) {
        struct signalfd_siginfo si;

        if (read(signals, &si, sizeof(si)) != (ssize_t) sizeof(si))
                return 0;
        if (si.ssi_signo == SIGWINCH || si.ssi_signo == SIGCONT) {
                if (x->on_terminal)
                        x->on_terminal((int) si.ssi_signo, x->userdata);
                return 0;
        }
        if (x->on_signal)
                return x->on_signal((int) si.ssi_signo, x->userdata);
        return si.ssi_signo != SIGUSR1 && si.ssi_signo != SIGUSR2;
}

static bool has_output(const Relay *x) {
        FOREACH_ARRAY (s, x->streams, x->n_streams)
                if (!s->is_input && (s->from >= 0 || s->size > 0))
                        return true;
        return false;
}

/* Nothing lies ready. Whoever might have written may have done so since: so there is a last look. */
static int poll_once_more(const Relay *x, struct pollfd *fds, nfds_t n_fds, bool *ret_more) {
        *ret_more = x->lingers && has_output(x) && x->lingers(x->userdata);
        return poll(fds, n_fds, *ret_more ? LINGER_MSEC : 0);
}

/* What lies ready is passed on; who does not take it can still be told to end by a signal. */
static int drain(Relay *x, int signals, RelayEnd *ret) {
        struct pollfd fds[FD_WATCH + 1];

        FOREACH_ARRAY (s, x->streams, x->n_streams)
                if (s->is_input)
                        end_stream(s);
        for (;;) {
                bool waiting = false, more = false;
                int n;

                FOREACH_ARRAY (s, x->streams, x->n_streams)
                        waiting = waiting || s->size > 0;
                fill(x, signals, fds);
                fds[FD_WATCH].fd = -1;
                n = poll(fds, ELEMENTSOF(fds), waiting ? -1 : 0);
                if (n == 0)
                        n = poll_once_more(x, fds, ELEMENTSOF(fds), &more);
                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n == 0 && !more)
                        return 0;
                if (n > 0 && (fds[FD_SIGNAL].revents & POLLIN)) {
                        struct signalfd_siginfo si;

                        if (read(signals, &si, sizeof(si)) > 0 && si.ssi_signo != SIGWINCH &&
                            si.ssi_signo != SIGCONT)
                                return 0;
                }
                if (n > 0)
                        (void) move_bytes(x, fds);
        }
}

/* 1: *ret is set. */
static int one_turn(Relay *x, int signals, RelayEnd *ret) {
        struct pollfd fds[FD_WATCH + 1];
        int r;

        fill(x, signals, fds);
        if (poll(fds, ELEMENTSOF(fds), -1) < 0)
                return errno == EINTR ? 0 : -errno;
        if (fds[FD_SIGNAL].revents & POLLIN) {
                r = take_signal(x, signals);
                *ret = RELAY_SIGNAL;
                if (r != 0)
                        return r;
        }
        if (move_bytes(x, fds)) {
                *ret = RELAY_DETACHED;
                return 1;
        }
        if (fds[FD_WATCH].revents != 0) {
                r = x->watch(x->userdata);
                *ret = RELAY_DONE;
                if (r != 0)
                        return r;
        }
        *ret = RELAY_HANGUP;
        return !x->stays_after_hangup && !has_output(x);
}

static int loop(Relay *x, int signals, RelayEnd *ret) {
        int r = x->watch ? x->watch(x->userdata) : 0;

        *ret = RELAY_DONE;
        while (r == 0)
                r = one_turn(x, signals, ret);
        if (r > 0 && *ret == RELAY_DONE)
                r = drain(x, signals, ret);
        return r < 0 ? r : 0;
}

/* How it was, for afterwards. */
static int take_signals(sigset_t *ret_before) {
        static const int taken[] = { SIGINT,  SIGTERM,  SIGHUP,  SIGQUIT, SIGUSR1,
                                     SIGUSR2, SIGWINCH, SIGCONT, SIGPIPE };
        sigset_t set;
        int fd;

        (void) sigemptyset(&set);
        FOREACH_ARRAY (s, taken, ELEMENTSOF(taken))
                (void) sigaddset(&set, *s);
        if (sigprocmask(SIG_BLOCK, &set, ret_before) < 0)
                return -errno;
        (void) sigdelset(&set, SIGPIPE);
        fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return fd < 0 ? -errno : fd;
}

/* SIGPIPE is what a reader that has gone leaves behind. */
static void give_back_signals(const sigset_t *before) {
        const struct timespec none = {};
        sigset_t pipe;

        (void) sigemptyset(&pipe);
        (void) sigaddset(&pipe, SIGPIPE);
        (void) sigtimedwait(&pipe, NULL, &none);
        (void) sigprocmask(SIG_SETMASK, before, NULL);
}

/**
 * relay_run() - pass bytes on until it is over
 * @x:   what to what; its streams are used up
 * @ret: what ended it
 * @e:   sentence on failure; may be NULL
 *
 * At the end what the app had written by then is passed on, if watch() said that it is over; and as long as lingers() says so,
 * what comes afterwards, until a signal ends it.
 *
 * Return: 0; a negative errno of poll(), of watch() or on_signal().
 */
int relay_run(Relay *x, RelayEnd *ret, Error *e) {
        _cleanup_close_ int signals = -EBADF;
        RelayEnd end = RELAY_DONE;
        sigset_t before;
        int r = 0;

        assert(x->n_streams <= STREAMS_MAX);
        (void) sigprocmask(SIG_BLOCK, NULL, &before);
        FOREACH_ARRAY (s, x->streams, x->n_streams) {
                s->buffer = malloc(RELAY_BUFFER_SIZE);
                s->size = s->start = s->detach_seen = 0;
                s->piece = RELAY_PIECE_MIN;
                if (!s->buffer)
                        r = -ENOMEM;
        }
        if (r >= 0)
                r = signals = take_signals(&before);
        if (r >= 0)
                r = loop(x, signals, &end);
        FOREACH_ARRAY (s, x->streams, x->n_streams) {
                end_stream(s);
                free(s->buffer);
                s->buffer = NULL;
        }
        give_back_signals(&before);
        if (r < 0)
                return error_setf(e, r, "cannot pass on what is typed and printed: %s", strerror(-r));
        *ret = end;
        return 0;
}
