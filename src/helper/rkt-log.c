/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What stands between an app's output and the journals: rkt-log@APP.service of the pod.
 *
 *   rkt-log APP IDENTIFIER PRIORITY PREFIX [tty|interactive]
 *
 * A stream of journald's is a socket, and a socket cannot be opened by name: for an app whose standard output it is, there is no
 * /dev/stdout. So the app writes into named pipes. The pod's systemd holds them (rkt-log@APP.socket) and starts this program when
 * there is something in them; after a while without output it ends again, and nothing is lost when it is killed.
 *
 * What it reads it writes to the streams of one or two journals, and waits for both. Each piece carries the credentials of a
 * process of the app's, so that the journal knows its unit, and applies the unit's settings. When the app has ended, those
 * of the process that came to fetch the last words ("sync"; rkt-enter status).
 *
 * Whoever attaches to the app ("in", "out", "err"; rkt attach) connects to its socket: output goes to all of them, too, and what
 * they send into the app's standard input. With "tty" that is a terminal, which this program makes and keeps while the app
 * comes and goes ("tty-in", "tty-out", "tty"); "interactive": the app waits for the first client.
 *
 * With two journals it also passes on what the app says by syslog(3) and by the journal's own protocol.
 *
 * Linked statically and without anything else of ours: it is in memory once per app that prints. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "helper/log-client.h"
#include "helper/log-journal.h"

#define LISTEN_FDS_START 3
#define LISTEN_FDS_MAX   16
#define IDLE_MSEC        10000
#define SYNC_MSEC        5000
#define ORPHAN_MSEC      2000
#define FIRST_MSEC       100
#define FIRST_TURNS      30
#define PIECE_SIZE       65536           /* what a pipe holds */
#define DATAGRAM_SIZE    (1024U * 1024U) /* larger ones come as files */
#define WINDOW_NSEC      100000000L      /* in which at most */
#define WINDOW_LINES     20000           /* are passed on */
#define CLIENTS_MAX      32
#define INPUT_SIZE       4096

static Source sources[] = {
        { ".out", "stdout", -1, { -1, -1 }, false, false },
        { ".err", "stdout", -1, { -1, -1 }, false, false },
        { ".log", "dev-log", -1, { -1, -1 }, true, false },
        { ".journal", "socket", -1, { -1, -1 }, true, false },
};

#define N_SOURCES (sizeof(sources) / sizeof(*sources))

static struct {
        Sender app;
        int listener;
        Client clients[CLIENTS_MAX];
        bool has_tty;
        bool is_end; /* "sync" is being served */
        bool waits;  /* nothing is read from the terminal before there is a client */
        int slave;   /* of the terminal, so that it lives without the app, too */
        int input;   /* where the app's input goes: a pipe, or our end of the terminal; -1: nowhere */
        char pending[INPUT_SIZE]; /* that it has not taken yet */
        size_t n_pending;
        bool alone; /* nobody of the app came for what is in its pipes */
} self = { .app = SENDER_INIT, .listener = -1, .slave = -1, .input = -1 };

static volatile sig_atomic_t stopping;

static void on_signal(int s) {
        (void) s;
        stopping = 1;
}

/* ---- from the app ---- */

/* Journald answers nobody as long as a stream has more for it. Five times as much as it can store is enough. */
static void pace(const char *data, size_t size) {
        static struct timespec began;
        static size_t lines;
        const char *end = data + size;
        struct timespec now;
        long passed;

        (void) clock_gettime(CLOCK_MONOTONIC, &now);
        passed = now.tv_sec - began.tv_sec > 1
                         ? WINDOW_NSEC
                         : (now.tv_sec - began.tv_sec) * 1000000000L + now.tv_nsec - began.tv_nsec;
        if (passed >= WINDOW_NSEC) {
                began = now;
                lines = 0;
                passed = 0;
        }
        for (const char *p = memchr(data, '\n', size); p; p = memchr(p + 1, '\n', (size_t) (end - p - 1)))
                lines++;
        if (lines > WINDOW_LINES)
                (void) nanosleep(&(struct timespec){ .tv_nsec = WINDOW_NSEC - passed }, NULL);
}

static void send_clients(const Source *s, const char *data, size_t size) {
        int which = s == sources ? CLIENT_OUT : CLIENT_ERR;

        for (size_t i = 0; i < CLIENTS_MAX; i++)
                if (self.clients[i].fd >= 0 && (self.clients[i].wants & which))
                        client_send(&self.clients[i], &self.app, self.is_end, &stopping, data, size);
}

/* When its first process ends, the terminal is taken away from all who have it open, and from us. */
static bool open_slave(void) {
        if (self.slave >= 0)
                (void) close(self.slave);
        self.slave = ioctl(self.input, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        return self.slave >= 0;
}

/* Returns false when there is nothing (more) in it. */
static bool copy_piece(Source *s, const struct ucred *who) {
        static char buffer[PIECE_SIZE];
        ssize_t n = read(s->fd, buffer, sizeof(buffer));

        if (n < 0 && errno == EIO && self.has_tty && !open_slave())
                s->fd = -1;
        if (n <= 0)
                return n < 0 && errno == EINTR;
        send_clients(s, buffer, (size_t) n);
        s->partial = buffer[n - 1] != '\n';
        for (size_t i = 0; i < N_SINKS; i++)
                source_send_all(s, &self.app, i, buffer, (size_t) n, who);
        pace(buffer, (size_t) n);
        return true;
}

static bool copy_datagram(Source *s) {
        static char buffer[DATAGRAM_SIZE];
        struct iovec iov = { .iov_base = buffer, .iov_len = sizeof(buffer) };
        Control control;
        struct msghdr m = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };
        int fds[PASSED_FDS_MAX];
        struct ucred who = {};
        size_t n_fds = 0;
        ssize_t n = recvmsg(s->fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

        if (n < 0)
                return errno == EINTR;
        for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
                if (h->cmsg_level != SOL_SOCKET)
                        continue;
                if (h->cmsg_type == SCM_CREDENTIALS)
                        memcpy(&who, CMSG_DATA(h), sizeof(who));
                else if (h->cmsg_type == SCM_RIGHTS && n_fds == 0) {
                        n_fds = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                        memcpy(fds, CMSG_DATA(h), n_fds * sizeof(int));
                }
        }
        for (size_t i = 0; i < N_SINKS && !(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)); i++) {
                if (s->sinks[i] < 0)
                        s->sinks[i] = source_open_sink(s, &self.app, i);
                if (s->sinks[i] < 0)
                        continue;
                while (sender_send(&self.app, s->sinks[i], buffer, (size_t) n, &who, fds, n_fds) < 0) {
                        bool retry = errno == EINTR;

                        if (retry)
                                continue;
                        (void) close(s->sinks[i]);
                        s->sinks[i] = -1;
                        break;
                }
        }
        for (size_t i = 0; i < n_fds; i++)
                (void) close(fds[i]);
        return true;
}

static bool copy(Source *s, const struct ucred *who) {
        return s->datagrams ? copy_datagram(s) : copy_piece(s, who);
}

/* What is there now: others of the app's processes may go on writing for ever. */
static void drain(const struct ucred *who) {
        for (Source *s = sources; s < sources + N_SOURCES; s++)
                for (size_t left = 64; s->fd >= 0 && left > 0 && copy(s, who); left--)
                        ;
}

/* ---- who asks ---- */

static void accept_client(void) {
        /* cppcheck-suppress nullPointer ; nobody asks who it is */
        int fd = accept4(self.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        for (size_t i = 0; fd >= 0 && i < CLIENTS_MAX; i++)
                if (self.clients[i].fd < 0) {
                        self.clients[i] = (Client){ .fd = fd, .wants = CLIENT_NEW };
                        return;
                }
        if (fd >= 0)
                (void) close(fd);
}

/* The pod's journald ends with the pod, and what it has not read by then is lost. No event tells when it has. */
static void wait_until_read(const Source *s) {
        int left = 0;

        for (int n = 0; n < SYNC_MSEC && s->sinks[0] >= 0 && !s->datagrams; n++) {
                if (ioctl(s->sinks[0], SIOCOUTQ, &left) < 0 || left == 0)
                        return;
                (void) nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
        }
}

/* A line without an end is the last one: closing the stream says so. */
static void end_of_app(const struct ucred *who) {
        drain(sender_find_pid(&self.app) > 0 ? NULL : who);
        for (Source *s = sources; s < sources + N_SOURCES; s++)
                wait_until_read(s);
        for (Source *s = sources; s < sources + N_SOURCES; s++)
                for (size_t i = 0; i < N_SINKS && s->partial; i++)
                        if (s->sinks[i] >= 0) {
                                (void) close(s->sinks[i]);
                                s->sinks[i] = -1;
                        }
        for (Source *s = sources; s < sources + N_SOURCES; s++)
                s->partial = false;
}

static void read_word(Client *c);

/* An app that was faster than whoever runs it in the foreground. */
/* NOLINTNEXTLINE(misc-no-recursion) one client each: at most CLIENTS_MAX */
static void wait_for_client(void) {
        for (int n = 0; n < FIRST_TURNS && self.waits; n++) {
                if (poll(&(struct pollfd){ .fd = self.listener, .events = POLLIN }, 1, FIRST_MSEC) > 0)
                        accept_client();
                for (size_t i = 0; i < CLIENTS_MAX; i++)
                        if (self.clients[i].fd >= 0 && self.clients[i].wants == CLIENT_NEW)
                                read_word(&self.clients[i]);
        }
        self.waits = false;
}

/* "sync": hears of the end when all that was there is in the journals. Its process is one of the app's, mostly. */
/* NOLINTNEXTLINE(misc-no-recursion) one client each: at most CLIENTS_MAX */
static void sync_client(Client *c) {
        socklen_t size = sizeof(struct ucred);
        struct ucred who = {};

        c->wants = CLIENT_SYNC;
        wait_for_client();
        self.is_end = true;
        if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &who, &size) >= 0)
                end_of_app(&who);
        self.is_end = false;
        client_drop(c);
}

/* The answer is one byte; with it comes the terminal, for its size. */
static void greet_client(Client *c, int wants, bool tty) {
        char byte = '\n';

        c->wants = wants;
        c->is_first = self.waits && tty;
        self.waits = self.waits && !tty;
        if (tty != self.has_tty || ((wants & CLIENT_IN) && self.input < 0) ||
            ((wants & CLIENT_OUT) && sources[0].fd < 0) || ((wants & CLIENT_ERR) && sources[1].fd < 0) ||
            message_send(c->fd, &byte, 1, NULL, &self.input, tty ? 1 : 0) != 1)
                client_drop(c);
}

/* NOLINTNEXTLINE(misc-no-recursion) one client each: at most CLIENTS_MAX */
static void read_word(Client *c) {
        static const struct {
                const char *word;
                int wants;
                bool tty;
        } words[] = {
                { "in\n", CLIENT_IN, false },    { "out\n", CLIENT_OUT, false },
                { "err\n", CLIENT_ERR, false },  { "tty\n", CLIENT_IN | CLIENT_OUT, true },
                { "tty-in\n", CLIENT_IN, true }, { "tty-out\n", CLIENT_OUT, true },
        };
        char word[16];
        ssize_t n = read(c->fd, word, sizeof(word) - 1);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        word[n > 0 ? n : 0] = '\0';
        if (strcmp(word, "sync\n") == 0) {
                sync_client(c);
                return;
        }
        for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
                if (strcmp(word, words[i].word) == 0) {
                        greet_client(c, words[i].wants, words[i].tty);
                        return;
                }
        client_drop(c);
}

/* Into the app, as much as it takes; the rest later. */
static void feed_app(void) {
        ssize_t n = self.n_pending > 0 ? write(self.input, self.pending, self.n_pending) : 0;

        if (n < 0 && errno != EAGAIN && errno != EINTR)
                n = (ssize_t) self.n_pending;
        if (n > 0) {
                self.n_pending -= (size_t) n;
                memmove(self.pending, self.pending + n, self.n_pending);
        }
}

static void serve_client(Client *c) {
        ssize_t n;

        if (c->fd < 0)
                return;
        if (c->wants == CLIENT_NEW) {
                read_word(c);
                return;
        }
        n = read(c->fd, self.pending, sizeof(self.pending));
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0)
                client_drop(c);
        else if (c->wants & CLIENT_IN) {
                self.n_pending = (size_t) n;
                feed_app();
        }
}

/* ---- the loop ---- */

static bool is_idle(void) {
        int unread = 0;

        for (size_t i = 0; i < N_SOURCES; i++)
                if (sources[i].partial)
                        return false;
        for (size_t i = 0; i < CLIENTS_MAX; i++)
                if (self.clients[i].fd >= 0)
                        return false;
        return !self.has_tty && (self.input < 0 || ioctl(self.input, FIONREAD, &unread) < 0 || unread == 0);
}

/* One round; false: there was nothing to do for a while. When the app has ended before it was read, "sync" comes next. */
static bool turn(void) {
        enum { CLIENTS = N_SOURCES, PID = CLIENTS + CLIENTS_MAX, LISTENER, INPUT, N_FDS };
        struct pollfd fds[N_FDS];
        bool wait = !self.has_tty && sender_find_pid(&self.app) == 0 && !self.alone;
        int r;

        self.alone = self.alone && self.app.pid == 0;
        for (size_t i = 0; i < N_SOURCES; i++)
                fds[i] = (struct pollfd){ .fd = (wait || self.waits) && !sources[i].datagrams ? -1
                                                                                              : sources[i].fd,
                                          .events = POLLIN };
        /* as long as the app has not taken what there is, nothing more is read for it */
        for (size_t i = 0; i < CLIENTS_MAX; i++)
                fds[CLIENTS + i] = (struct pollfd){ .fd = self.n_pending > 0 ? -1 : self.clients[i].fd,
                                                    .events = POLLIN };
        fds[PID] = (struct pollfd){ .fd = self.app.pidfd, .events = POLLIN };
        fds[LISTENER] = (struct pollfd){ .fd = self.listener, .events = POLLIN };
        fds[INPUT] = (struct pollfd){ .fd = self.n_pending > 0 ? self.input : -1, .events = POLLOUT };
        r = poll(fds, N_FDS, wait ? ORPHAN_MSEC : is_idle() ? IDLE_MSEC : -1);
        if (r == 0 && wait)
                return self.alone = true;
        if (r <= 0)
                return r < 0 && errno == EINTR;
        if (fds[PID].revents != 0)
                sender_forget_pid(&self.app);
        for (size_t i = 0; i < N_SOURCES; i++)
                if (fds[i].revents != 0)
                        (void) copy(&sources[i], NULL);
        if (fds[INPUT].revents != 0)
                feed_app();
        for (size_t i = 0; i < CLIENTS_MAX && self.n_pending == 0; i++)
                if (fds[CLIENTS + i].revents != 0)
                        serve_client(&self.clients[i]);
        if (fds[LISTENER].revents != 0)
                accept_client();
        return true;
}

static bool ends_with(const char *text, const char *ending) {
        size_t n = strlen(text), k = strlen(ending);

        return n >= k && strcmp(text + n - k, ending) == 0;
}

/* The descriptors come in any order: their paths say what they are. */
static void take(int fd) {
        struct sockaddr_un address = {};
        socklen_t size = sizeof(address) - 1;
        char link[64], path[256] = "";

        if (getsockname(fd, (struct sockaddr *) &address, &size) < 0) {
                (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
                if (readlink(link, path, sizeof(path) - 1) < 0)
                        return;
        } else
                memcpy(path, address.sun_path, sizeof(address.sun_path));
        (void) fcntl(fd, F_SETFD, FD_CLOEXEC);
        (void) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        for (size_t i = 0; i < N_SOURCES; i++)
                if (ends_with(path, sources[i].ending))
                        sources[i].fd = fd;
        if (ends_with(path, ".sync"))
                self.listener = fd;
        if (ends_with(path, ".in"))
                self.input = fd;
}

/* A terminal of the pod's, under a name that the app's unit knows. */
static int make_tty(void) {
        char path[256], target[64];
        unsigned number;
        int unlock = 0;

        self.input = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        if (self.input < 0 || ioctl(self.input, TIOCSPTLCK, &unlock) < 0 ||
            ioctl(self.input, TIOCGPTN, &number) < 0 || !open_slave())
                return -1;
        (void) snprintf(target, sizeof(target), "/dev/pts/%u", number);
        (void) snprintf(path, sizeof(path), "/rkt/stdio/%s.tty", self.app.name);
        (void) unlink(path);
        self.has_tty = true;
        sources[0].fd = self.input;
        return symlink(target, path);
}

static void tell_ready(void) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        const char *path = getenv("NOTIFY_SOCKET");
        size_t n = path ? strlen(path) : 0;
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (n > 0 && n < sizeof(address.sun_path) && fd >= 0) {
                memcpy(address.sun_path, path, n);
                if (*path == '@')
                        address.sun_path[0] = '\0';
                (void) sendto(fd, "READY=1", 7, MSG_NOSIGNAL, (struct sockaddr *) &address,
                              (socklen_t) (offsetof(struct sockaddr_un, sun_path) + n));
        }
        if (fd >= 0)
                (void) close(fd);
}

int main(int argc, char **argv) {
        struct sigaction action = { .sa_handler = on_signal };
        const char *count = getenv("LISTEN_FDS");
        long n = count ? strtol(count, NULL, 10) : 0;

        if (argc < 5 || argc > 6 || n < 1 || n > LISTEN_FDS_MAX) {
                (void) dprintf(STDERR_FILENO, "Usage: rkt-log APP IDENTIFIER PRIORITY PREFIX [tty], as a "
                                              "service with its socket\n");
                return EXIT_FAILURE;
        }
        self.app.name = argv[1];
        self.app.identifier = argv[2];
        self.app.priority = argv[3];
        self.app.prefix = argv[4];
        for (size_t i = 0; i < CLIENTS_MAX; i++)
                self.clients[i].fd = -1;
        for (int fd = LISTEN_FDS_START; fd < LISTEN_FDS_START + (int) n; fd++)
                take(fd);
        (void) sigaction(SIGTERM, &action, NULL);
        if (argc == 6 && make_tty() < 0) {
                (void) dprintf(STDERR_FILENO, "rkt-log: cannot make a terminal: %s\n",
                               strerrorname_np(errno));
                return EXIT_FAILURE;
        }
        self.waits = argc == 6 && strcmp(argv[5], "interactive") == 0;
        tell_ready();
        while (!stopping && turn())
                ;
        drain(NULL);
        return EXIT_SUCCESS;
}
