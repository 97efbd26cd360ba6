/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt-metadata: the metadata service of the pods of this machine (appc, section 13). Started by rkt-metadata.socket for the
 * first request, it ends when nobody has asked for a while; "rkt metadata-service" starts it by hand. Which pods there are it
 * reads from files that root writes (run/metadata.c); it keeps no state but the key in its own directory.
 *
 *   rkt-metadata [--exit-idle-time=SECONDS]    with sockets of systemd
 *   rkt-metadata --listen-port=PORT            by hand, as root
 *
 * What it needs as root it does first; then it is a user of its own and sees one directory. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "basic/clock.h"
#include "basic/fd.h"
#include "basic/log.h"
#include "basic/options.h"
#include "basic/process.h"
#include "basic/sandbox.h"
#include "helper/metadata-http.h"
#include "helper/metadata-identity.h"
#include "manifest/metadata.h"

#define STATE_DIR   "/run/rkt-metadata"
#define SOCKETS_MAX 4U
#define TICK_MSEC   1000
#define MEMORY_MAX_ (UINT64_C(256) << 20)

typedef struct Args {
        const char *port;
        const char *idle;
} Args;

static const Option options[] = {
        { "listen-port", 0, OPTION_STRING, offsetof(Args, port), .value = "PORT" },
        { "exit-idle-time", 0, OPTION_STRING, offsetof(Args, idle), .value = "SECONDS" },
        {},
};

typedef struct Service {
        int sockets[SOCKETS_MAX];
        size_t n_sockets;
        usec_t idle_usec; /* USEC_INFINITY: stays */
} Service;

static int parse_args(int argc, char **argv, Args *ret, Error *e) {
        OptionParser p = { .argv = argv + 1, .tables = { { options, ret } } };
        const char *word;
        int r;

        while ((r = options_next(&p, &word, e)) > 0)
                if (r != OPTIONS_OPTION)
                        return error_setf(e, -EINVAL, "unexpected argument '%s'", str_or(word, "--"));
        (void) argc;
        return r;
}

static int add_socket(Service *s, int fd, Error *e) {
        if (s->n_sockets >= SOCKETS_MAX)
                return error_setf(e, -E2BIG, "too many sockets: %u at most", SOCKETS_MAX);
        s->sockets[s->n_sockets++] = fd;
        return 0;
}

static int take_sockets(Service *s, Error *e) {
        int n = sd_listen_fds(true);

        for (int i = 0; i < n; i++) {
                int fd = SD_LISTEN_FDS_START + i, r;

                if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
                        return error_setf(e, -EINVAL, "descriptor %d is no socket that listens", fd);
                r = add_socket(s, fd, e);
                if (r < 0)
                        return r;
        }
        return n;
}

static int listen_at(Service *s, const struct sockaddr *address, socklen_t size, const char *what, Error *e) {
        _cleanup_close_ int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        const int on = 1;

        if (fd < 0)
                return error_setf(e, -errno, "cannot make a socket: %m");
        (void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (bind(fd, address, size) < 0 || listen(fd, SOMAXCONN) < 0)
                return error_setf(e, -errno, "cannot listen at %s: %m (is rkt-metadata.socket active?)",
                                  what);
        return add_socket(s, TAKE_FD(fd), e);
}

/* What rkt-metadata.socket has. */
static int make_sockets(Service *s, const char *port, Error *e) {
        struct sockaddr_in tcp = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        struct sockaddr_un local = { .sun_family = AF_UNIX, .sun_path = METADATA_SOCKET };
        unsigned n;
        int r;

        if (parse_uint(port, UINT16_MAX, &n) < 0 || n == 0)
                return error_setf(e, -EINVAL, "'%s' is no port", port);
        if (geteuid() != 0)
                return error_setf(e, -EPERM, "must be run as root, or by rkt-metadata.socket");
        tcp.sin_port = htons((uint16_t) n);
        r = listen_at(s, (struct sockaddr *) &tcp, sizeof(tcp), "127.0.0.1", e);
        if (r < 0)
                return r;
        if ((mkdir(METADATA_SOCKET_DIR, 0755) < 0 && errno != EEXIST) ||
            (unlink(METADATA_SOCKET) < 0 && errno != ENOENT))
                return error_setf(e, -errno, "cannot set up %s: %m", METADATA_SOCKET_DIR);
        r = listen_at(s, (struct sockaddr *) &local, sizeof(local), METADATA_SOCKET, e);
        if (r >= 0 && chmod(METADATA_SOCKET, 0666) < 0)
                return error_setf(e, -errno, "cannot set up %s: %m", METADATA_SOCKET);
        return r;
}

/* Started by systemd it has all this already. */
static int give_up_root(Error *e) {
        if (geteuid() != 0)
                return 0;
        if (mkdir(STATE_DIR, 0700) < 0 && errno != EEXIST)
                return error_setf(e, -errno, "cannot make %s: %m", STATE_DIR);
        return process_become_user(METADATA_USER, STATE_DIR, e);
}

static int open_directories(int *ret_pods, uint8_t key[IDENTITY_KEY_SIZE], Error *e) {
        _cleanup_close_ int pods = -EBADF, state = -EBADF;
        int r;

        state = open(STATE_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (state < 0)
                return error_setf(e, -errno, "cannot open %s: %m", STATE_DIR);
        r = identity_load_key(state, key, e);
        if (r < 0)
                return r;
        pods = open(METADATA_PODS_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (pods < 0)
                return error_setf(e, -errno, "cannot open %s: %m (systemd-tmpfiles --create makes it)",
                                  METADATA_PODS_DIR);
        *ret_pods = TAKE_FD(pods);
        return 0;
}

static int enter_sandbox(int pods, Error *e) {
        const SandboxPath paths[] = { { .fd = pods } };
        SandboxSpec spec = SANDBOX_INIT;

        spec.paths = paths;
        spec.n_paths = ELEMENTSOF(paths);
        spec.memory_max = MEMORY_MAX_;
        spec.file_size_max = 0;
        return sandbox_enter(&spec, e);
}

/* Until nobody has asked for a while. Whoever comes in that moment waits at the socket, and starts the next of us. */
static int serve(const Service *s, MetadataHttp *h, Error *e) {
        usec_t quiet_since = clock_usec(CLOCK_MONOTONIC);

        for (;;) {
                struct pollfd polled[SOCKETS_MAX + 1] = { { .fd = metadata_http_fd(h), .events = POLLIN } };
                usec_t now;

                for (size_t i = 0; i < s->n_sockets; i++)
                        polled[i + 1] = (struct pollfd){ .fd = metadata_http_has_room(h, s->sockets[i])
                                                                       ? s->sockets[i]
                                                                       : -1,
                                                         .events = POLLIN };
                if (poll(polled, s->n_sockets + 1, metadata_http_timeout(h, TICK_MSEC)) < 0 && errno != EINTR)
                        return error_setf(e, -errno, "cannot wait for requests: %m");
                for (size_t i = 0; i < s->n_sockets; i++)
                        if (polled[i + 1].revents & POLLIN)
                                metadata_http_accept(h, s->sockets[i]);
                metadata_http_run(h);
                now = clock_usec(CLOCK_MONOTONIC);
                if (metadata_http_connections(h) > 0)
                        quiet_since = now;
                else if (now - quiet_since >= s->idle_usec)
                        return 0;
        }
}

static int run(int argc, char **argv, Error *e) {
        _cleanup_(metadata_http_freep) MetadataHttp *h = NULL;
        _cleanup_close_ int pods = -EBADF;
        uint8_t key[IDENTITY_KEY_SIZE];
        Service s = { .idle_usec = 30 * USEC_PER_SEC };
        Args args = {};
        int n, r = parse_args(argc, argv, &args, e);

        if (r >= 0 && args.idle && parse_sec(args.idle, &s.idle_usec) < 0)
                r = error_setf(e, -EINVAL, "'%s' is no time", args.idle);
        if (r < 0)
                return r;
        n = take_sockets(&s, e);
        if (n < 0)
                return n;
        if (n == 0) {
                r = make_sockets(&s, str_or(args.port, "18112"), e);
                s.idle_usec = USEC_INFINITY;
        }
        if (r >= 0)
                r = give_up_root(e);
        if (r >= 0)
                r = open_directories(&pods, key, e);
        if (r >= 0)
                r = enter_sandbox(pods, e);
        if (r >= 0)
                r = metadata_http_new(pods, key, &h, e);
        if (r >= 0 && n == 0)
                log_info("serves at 127.0.0.1:%s", str_or(args.port, "18112"));
        return r < 0 ? r : serve(&s, h, e);
}

int main(int argc, char **argv) {
        _cleanup_error_ Error e = ERROR_INIT;
        int r;

        log_set_prefix("rkt-metadata");
        (void) umask(0077);
        (void) signal(SIGPIPE, SIG_IGN);
        r = run(argc, argv, &e);
        if (r < 0)
                log_error("%s", error_text(&e, r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
