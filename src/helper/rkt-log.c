/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What stands between an app's output and the journals: rkt-log@APP.service of the pod.
 *
 *   rkt-log APP IDENTIFIER PRIORITY PREFIX
 *
 * A stream of journald's is a socket, and a socket cannot be opened by name: for an app whose standard output it is, there is no
 * /dev/stdout. So the app writes into named pipes. The pod's systemd holds them (rkt-log@APP.socket) and starts this program when
 * there is something in them; after a while without output it ends again, and nothing is lost when it is killed.
 *
 * What it reads it writes to the streams of one or two journals, and waits for both. Each piece carries the credentials of a
 * process of the app's, so that the journal knows its unit, and applies the unit's settings. When the app has ended, those
 * of the process that came to fetch the last words ("sync"; rkt-enter status).
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LISTEN_FDS_START 3
#define LISTEN_FDS_MAX   16
#define IDLE_MSEC        10000
#define SYNC_MSEC        5000
#define ORPHAN_MSEC      2000
#define PIECE_SIZE       65536           /* what a pipe holds */
#define DATAGRAM_SIZE    (1024U * 1024U) /* larger ones come as files */
#define WINDOW_NSEC      100000000L      /* in which at most */
#define WINDOW_LINES     20000           /* are passed on */
#define PASSED_FDS_MAX   8
#define N_SINKS          2
#define CLIENTS_MAX      16
#define CGROUP           "/sys/fs/cgroup/system.slice/"

static const char *const journals[N_SINKS] = { "/run/systemd/journal", "/rkt/host-journal" };

/* One of the app's pipes, or one of its two sockets for datagrams. */
typedef struct Source {
        const char *ending; /* of its path */
        const char *sink;   /* of the journal, beneath journals[] */
        bool datagrams;
        int fd;             /* -1: not there */
        int sinks[N_SINKS]; /* -1: not connected */
        bool partial;       /* the last byte was not the end of a line */
} Source;

static Source sources[] = {
        { ".out", "stdout", false, -1, { -1, -1 }, false },
        { ".err", "stdout", false, -1, { -1, -1 }, false },
        { ".log", "dev-log", true, -1, { -1, -1 }, false },
        { ".journal", "socket", true, -1, { -1, -1 }, false },
};

#define N_SOURCES (sizeof(sources) / sizeof(*sources))

typedef union Control {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int) * PASSED_FDS_MAX)];
} Control;

static struct {
        const char *app, *identifier, *priority, *prefix;
        int listener;             /* for "sync" */
        int clients[CLIENTS_MAX]; /* -1: free */
        pid_t pid;                /* of the app; 0: not known */
        uid_t uid;                /* its */
        gid_t gid;                /* its */
        int pidfd;                /* its */
        bool alone;               /* nobody of the app came for what is in its pipes */
} self = { .listener = -1, .pidfd = -1 };

static volatile sig_atomic_t stopping;

static void on_signal(int s) {
        (void) s;
        stopping = 1;
}

/* ---- whose words they are ---- */

static void forget_pid(void) {
        if (self.pidfd >= 0)
                (void) close(self.pidfd);
        self.pidfd = -1;
        self.pid = 0;
}

/* A small file of the kernel's as text. */
static bool read_small(const char *path, char *buffer, size_t size) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n;

        if (fd < 0)
                return false;
        n = read(fd, buffer, size - 1);
        (void) close(fd);
        if (n > 0)
                buffer[n] = '\0';
        return n > 0;
}

/* The app's first process: the lowest number. A name that is a controller's gets an underscore. */
static pid_t first_pid(const char *prefix) {
        char path[512], buffer[4096];
        long lowest = 0;

        if ((size_t) snprintf(path, sizeof(path), CGROUP "%s%s.service/cgroup.procs", prefix, self.app) >=
            sizeof(path))
                return 0;
        if (!read_small(path, buffer, sizeof(buffer)))
                return 0;
        for (char *p = buffer, *end = strchr(p, '\n'); end; p = end + 1, end = strchr(p, '\n')) {
                long pid = strtol(p, NULL, 10);

                if (pid > 0 && (lowest == 0 || pid < lowest))
                        lowest = pid;
        }
        return (pid_t) lowest;
}

/* The second number after the name: the effective one. */
static unsigned long read_id(const char *status, const char *name) {
        const char *p = strstr(status, name);
        char *end;

        if (!p)
                return 0;
        (void) strtoul(p + strlen(name), &end, 10);
        return strtoul(end, NULL, 10);
}

static void read_ids(void) {
        char path[64], buffer[4096];

        (void) snprintf(path, sizeof(path), "/proc/%d/status", (int) self.pid);
        if (!read_small(path, buffer, sizeof(buffer)))
                buffer[0] = '\0';
        self.uid = (uid_t) read_id(buffer, "\nUid:");
        self.gid = (gid_t) read_id(buffer, "\nGid:");
}

/* Remembered until it ends, so that its number cannot mean another one. */
static pid_t find_pid(void) {
        if (self.pid > 0)
                return self.pid;
        self.pid = first_pid("");
        if (self.pid == 0)
                self.pid = first_pid("_");
        if (self.pid > 0)
                self.pidfd = (int) syscall(SYS_pidfd_open, self.pid, 0);
        if (self.pidfd < 0)
                forget_pid();
        else
                read_ids();
        return self.pid;
}

static void *add_control(struct msghdr *m, Control *c, int type, const void *data, size_t size) {
        struct cmsghdr *h = (struct cmsghdr *) (void *) (c->space + m->msg_controllen);

        *h = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = type, .cmsg_len = CMSG_LEN(size) };
        memcpy(CMSG_DATA(h), data, size);
        m->msg_control = c->space;
        m->msg_controllen += CMSG_SPACE(size);
        return h;
}

/* ---- to the journals ---- */

static int open_sink(const Source *s, size_t n) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd, type = s->datagrams ? SOCK_DGRAM : SOCK_STREAM;

        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", journals[n], s->sink);
        fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0) {
                if (fd >= 0)
                        (void) close(fd);
                return -1;
        }
        /* what sd_journal_stream_fd() says, too: identifier, unit, priority, prefixes, and nowhere else */
        if (!s->datagrams && dprintf(fd, "%s\n%s.service\n%s\n%s\n0\n0\n0\n", self.identifier, self.app,
                                     self.priority, self.prefix) < 0) {
                (void) close(fd);
                return -1;
        }
        return fd;
}

/* One sendmsg(); returns what it does. */
static ssize_t send_as(int fd, char *data, size_t size, const struct ucred *who, const int *fds,
                       size_t n_fds) {
        struct iovec iov = { .iov_base = data, .iov_len = size };
        struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
        Control control = {};

        if (who && who->pid > 0)
                (void) add_control(&m, &control, SCM_CREDENTIALS, who, sizeof(*who));
        if (n_fds > 0)
                (void) add_control(&m, &control, SCM_RIGHTS, fds, n_fds * sizeof(int));
        return sendmsg(fd, &m, MSG_NOSIGNAL);
}

static struct ucred app_credentials(void) {
        pid_t pid = find_pid();

        return (struct ucred){ .pid = pid, .uid = self.uid, .gid = self.gid };
}

/* Credentials of a process that is gone are refused. */
static ssize_t send_piece(int fd, char *data, size_t size, const struct ucred *who, const int *fds,
                          size_t n_fds) {
        struct ucred c = who ? *who : app_credentials();
        ssize_t n = send_as(fd, data, size, &c, fds, n_fds);

        if (n < 0 && errno == ESRCH && !who) {
                forget_pid();
                c = app_credentials();
                n = send_as(fd, data, size, &c, fds, n_fds);
        }
        if (n < 0 && (errno == ESRCH || errno == EPERM)) {
                if (!who)
                        forget_pid();
                n = send_as(fd, data, size, NULL, fds, n_fds);
        }
        return n;
}

/* All of it, and waits. A journal that does not answer is tried once more, and then goes without. */
static void send_all(Source *s, size_t n, char *data, size_t size, const struct ucred *who, const int *fds,
                     size_t n_fds) {
        bool again = true;

        while (size > 0) {
                ssize_t k;

                if (s->sinks[n] < 0)
                        s->sinks[n] = open_sink(s, n);
                if (s->sinks[n] < 0)
                        return;
                k = send_piece(s->sinks[n], data, size, who, fds, n_fds);
                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0) {
                        (void) close(s->sinks[n]);
                        s->sinks[n] = -1;
                        if (!again)
                                return;
                        again = false;
                        continue;
                }
                data += k;
                size -= (size_t) k;
        }
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

/* Returns false when there is nothing (more) in it. */
static bool copy_piece(Source *s, const struct ucred *who) {
        static char buffer[PIECE_SIZE];
        ssize_t n = read(s->fd, buffer, sizeof(buffer));

        if (n <= 0)
                return n < 0 && errno == EINTR;
        s->partial = buffer[n - 1] != '\n';
        for (size_t i = 0; i < N_SINKS; i++)
                send_all(s, i, buffer, (size_t) n, who, NULL, 0);
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
                        s->sinks[i] = open_sink(s, i);
                if (s->sinks[i] < 0)
                        continue;
                while (send_piece(s->sinks[i], buffer, (size_t) n, &who, fds, n_fds) < 0) {
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
        int fd = accept4(self.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        for (size_t i = 0; fd >= 0 && i < CLIENTS_MAX; i++)
                if (self.clients[i] < 0) {
                        self.clients[i] = fd;
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
        drain(find_pid() > 0 ? NULL : who);
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

/* "sync": hears of the end when all that was there is in the journals. Its process is one of the app's, mostly. */
static void serve_client(int *fd) {
        socklen_t size = sizeof(struct ucred);
        struct ucred who = {};
        char word[16];
        ssize_t n = read(*fd, word, sizeof(word));

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n > 0 && getsockopt(*fd, SOL_SOCKET, SO_PEERCRED, &who, &size) >= 0)
                end_of_app(&who);
        (void) close(*fd);
        *fd = -1;
}

/* ---- the loop ---- */

static bool is_idle(void) {
        for (size_t i = 0; i < N_SOURCES; i++)
                if (sources[i].partial)
                        return false;
        for (size_t i = 0; i < CLIENTS_MAX; i++)
                if (self.clients[i] >= 0)
                        return false;
        return true;
}

/* One round; false: there was nothing to do for a while. When the app has ended before it was read, "sync" comes next. */
static bool turn(void) {
        struct pollfd fds[N_SOURCES + CLIENTS_MAX + 2];
        bool wait = find_pid() == 0 && !self.alone;
        size_t n = 0;
        int r;

        self.alone = self.alone && self.pid == 0;
        for (size_t i = 0; i < N_SOURCES; i++)
                fds[n++] = (struct pollfd){ .fd = wait && !sources[i].datagrams ? -1 : sources[i].fd,
                                            .events = POLLIN };
        for (size_t i = 0; i < CLIENTS_MAX; i++)
                fds[n++] = (struct pollfd){ .fd = self.clients[i], .events = POLLIN };
        fds[n++] = (struct pollfd){ .fd = self.pidfd, .events = POLLIN };
        fds[n++] = (struct pollfd){ .fd = self.listener, .events = POLLIN };
        r = poll(fds, n, wait ? ORPHAN_MSEC : is_idle() ? IDLE_MSEC : -1);
        if (r == 0 && wait)
                return self.alone = true;
        if (r <= 0)
                return r < 0 && errno == EINTR;
        if (fds[N_SOURCES + CLIENTS_MAX].revents != 0)
                forget_pid();
        for (size_t i = 0; i < N_SOURCES; i++)
                if (fds[i].revents != 0)
                        (void) copy(&sources[i], NULL);
        for (size_t i = 0; i < CLIENTS_MAX; i++)
                if (fds[N_SOURCES + i].revents != 0)
                        serve_client(&self.clients[i]);
        if (fds[N_SOURCES + CLIENTS_MAX + 1].revents != 0)
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
}

int main(int argc, char **argv) {
        struct sigaction action = { .sa_handler = on_signal };
        const char *count = getenv("LISTEN_FDS");
        long n = count ? strtol(count, NULL, 10) : 0;

        if (argc != 5 || n < 1 || n > LISTEN_FDS_MAX) {
                (void) dprintf(
                        STDERR_FILENO,
                        "Usage: rkt-log APP IDENTIFIER PRIORITY PREFIX, as a service with its socket\n");
                return EXIT_FAILURE;
        }
        self.app = argv[1];
        self.identifier = argv[2];
        self.priority = argv[3];
        self.prefix = argv[4];
        (void) memset(self.clients, 0xff, sizeof(self.clients));
        for (int fd = LISTEN_FDS_START; fd < LISTEN_FDS_START + (int) n; fd++)
                take(fd);
        (void) sigaction(SIGTERM, &action, NULL);
        while (!stopping && turn())
                ;
        drain(NULL);
        return EXIT_SUCCESS;
}
