/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* In whose name rkt-log writes, and to which journals. */
#include "helper/log-journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define CGROUP "/sys/fs/cgroup/system.slice/"

static const char *const journals[N_SINKS] = { "/run/systemd/journal", "/rkt/host-journal" };

/**
 * sender_forget_pid() - whose words they are is not known any more
 * @x: app
 */
void sender_forget_pid(Sender *x) {
        if (x->pidfd >= 0)
                (void) close(x->pidfd);
        x->pidfd = -1;
        x->pid = 0;
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
static pid_t first_pid(const Sender *x, const char *prefix) {
        char path[512], buffer[4096];
        long lowest = 0;

        if ((size_t) snprintf(path, sizeof(path), CGROUP "%s%s.service/cgroup.procs", prefix, x->name) >=
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

static void read_ids(Sender *x) {
        char path[64], buffer[4096];

        (void) snprintf(path, sizeof(path), "/proc/%d/status", (int) x->pid);
        if (!read_small(path, buffer, sizeof(buffer)))
                buffer[0] = '\0';
        x->uid = (uid_t) read_id(buffer, "\nUid:");
        x->gid = (gid_t) read_id(buffer, "\nGid:");
}

/**
 * sender_find_pid() - the app's first process
 * @x: app; remembers it until sender_forget_pid(), so that its number cannot mean another one
 *
 * Return: 0: there is none.
 */
pid_t sender_find_pid(Sender *x) {
        if (x->pid > 0)
                return x->pid;
        x->pid = first_pid(x, "");
        if (x->pid == 0)
                x->pid = first_pid(x, "_");
        if (x->pid > 0)
                x->pidfd = (int) syscall(SYS_pidfd_open, x->pid, 0);
        if (x->pidfd < 0)
                sender_forget_pid(x);
        else
                read_ids(x);
        return x->pid;
}

static void *add_control(struct msghdr *m, Control *c, int type, const void *data, size_t size) {
        struct cmsghdr *h = (struct cmsghdr *) (void *) (c->space + m->msg_controllen);

        *h = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = type, .cmsg_len = CMSG_LEN(size) };
        memcpy(CMSG_DATA(h), data, size);
        m->msg_control = c->space;
        m->msg_controllen += CMSG_SPACE(size);
        return h;
}

/**
 * source_open_sink() - connect to a journal
 * @s: what will be sent
 * @x: app
 * @n: index of the journal
 *
 * Return: descriptor; -1: it is not there.
 */
int source_open_sink(const Source *s, const Sender *x, size_t n) {
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
        if (!s->datagrams && dprintf(fd, "%s\n%s.service\n%s\n%s\n0\n0\n0\n", x->identifier, x->name,
                                     x->priority, x->prefix) < 0) {
                (void) close(fd);
                return -1;
        }
        return fd;
}

/**
 * message_send() - one sendmsg()
 * @fd:    socket
 * @data:  @size bytes
 * @size:  bytes
 * @who:   whose they are; NULL or without a process: ours
 * @fds:   that go along
 * @n_fds: count, at most PASSED_FDS_MAX
 *
 * Return: what sendmsg() does.
 */
ssize_t message_send(int fd, char *data, size_t size, const struct ucred *who, const int *fds, size_t n_fds) {
        struct iovec iov = { .iov_base = data, .iov_len = size };
        struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
        Control control = {};

        if (who && who->pid > 0)
                (void) add_control(&m, &control, SCM_CREDENTIALS, who, sizeof(*who));
        if (n_fds > 0)
                (void) add_control(&m, &control, SCM_RIGHTS, fds, n_fds * sizeof(int));
        return sendmsg(fd, &m, MSG_NOSIGNAL);
}

static struct ucred app_credentials(Sender *x) {
        pid_t pid = sender_find_pid(x);

        return (struct ucred){ .pid = pid, .uid = x->uid, .gid = x->gid };
}

/**
 * sender_send() - one message in the name of an app, or of whoever is known
 * @x:     app
 * @fd:    socket
 * @data:  @size bytes
 * @size:  bytes
 * @who:   instead of the app; NULL: the app
 * @fds:   that go along
 * @n_fds: count
 *
 * Credentials of a process that is gone are refused: then without.
 *
 * Return: what sendmsg() does.
 */
ssize_t sender_send(Sender *x, int fd, char *data, size_t size, const struct ucred *who, const int *fds,
                    size_t n_fds) {
        struct ucred c = who ? *who : app_credentials(x);
        ssize_t n = message_send(fd, data, size, &c, fds, n_fds);

        if (n < 0 && errno == ESRCH && !who) {
                sender_forget_pid(x);
                c = app_credentials(x);
                n = message_send(fd, data, size, &c, fds, n_fds);
        }
        if (n < 0 && (errno == ESRCH || errno == EPERM)) {
                if (!who)
                        sender_forget_pid(x);
                n = message_send(fd, data, size, NULL, fds, n_fds);
        }
        return n;
}

/**
 * source_send_all() - all of it, and wait for it
 * @s:    what is sent
 * @x:    app
 * @n:    index of the journal
 * @data: @size bytes
 * @size: bytes
 * @who:  instead of the app; NULL: the app
 *
 * A journal that does not answer is tried once more, and then goes without.
 */
void source_send_all(Source *s, Sender *x, size_t n, char *data, size_t size, const struct ucred *who) {
        bool again = true;

        while (size > 0) {
                ssize_t k;

                if (s->sinks[n] < 0)
                        s->sinks[n] = source_open_sink(s, x, n);
                if (s->sinks[n] < 0)
                        return;
                k = sender_send(x, s->sinks[n], data, size, who, NULL, 0);
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
