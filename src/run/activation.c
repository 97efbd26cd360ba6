/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sockets come from a unit of the host: "rkt run" is then the service of a .socket. What listens there has the port of the host,
 * with --port=NAME:PORT, so the socket inside, which takes the descriptor over, is described by the address that it has. It is not
 * published besides. Nobody listening, the pod's systemd listens itself, on the port that the image says.
 *
 * A pod file says all this in [Socket] sections, which come first. */
#include "run/activation.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "basic/parse.h"
#include "basic/str.h"
#include "pod/pod-compose.h"

#define FDS_START 3 /* sd_listen_fds(3) */
#define FDS_MAX   1024

typedef union Address {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
} Address;

/* Not sd_listen_fds(), which would keep them from systemd-nspawn. */
static unsigned count_passed(void) {
        const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
        unsigned us, n;

        return pid && fds && parse_uint(pid, INT32_MAX, &us) >= 0 && (pid_t) us == getpid() &&
                               parse_uint(fds, FDS_MAX, &n) >= 0
                       ? n
                       : 0;
}

/* "127.0.0.1:80", "[::]:80"; NULL: it is not that port's. */
static char *describe(int fd, int type, uint64_t port) {
        char text[INET6_ADDRSTRLEN];
        Address a = {};
        socklen_t size = sizeof(a);
        int got = 0;
        socklen_t n = sizeof(got);

        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &got, &n) < 0 || got != type ||
            getsockname(fd, &a.any, &size) < 0)
                return NULL;
        if (a.any.sa_family == AF_INET && ntohs(a.in.sin_port) == port &&
            inet_ntop(AF_INET, &a.in.sin_addr, text, sizeof(text)))
                return strf("%s:%" PRIu64, text, port);
        if (a.any.sa_family == AF_INET6 && ntohs(a.in6.sin6_port) == port &&
            inet_ntop(AF_INET6, &a.in6.sin6_addr, text, sizeof(text)))
                return strf("[%s]:%" PRIu64, text, port);
        return NULL;
}

/* All sockets that are passed of one port, as lines; returns whether there are any. */
static bool add_passed(StrBuf *b, const char *key, int type, uint64_t port) {
        unsigned n = count_passed();
        bool found = false;

        for (unsigned i = 0; i < n; i++) {
                _cleanup_free_ char *address = describe(FDS_START + (int) i, type, port);

                if (address)
                        strbuf_addf(b, "%s=%s\n", key, address);
                found = found || address;
        }
        return found;
}

static uint64_t host_port(const PodManifest *m, const char *name) {
        FOREACH_ARRAY (p, m->ports, m->n_ports)
                if (streq(p->name, name))
                        return p->host_port;
        return 0;
}

static void add_port(PodManifest *m, const AcPort *p, StrBuf *b) {
        bool udp = streq_ptr(p->protocol, "udp");
        const char *key = udp ? "ListenDatagram" : "ListenStream";
        uint64_t mapped = host_port(m, p->name);
        bool passed = false;

        for (uint64_t i = 0; i < p->count; i++)
                passed =
                        add_passed(b, key, udp ? SOCK_DGRAM : SOCK_STREAM, (mapped ? mapped : p->port) + i) ||
                        passed;
        if (passed)
                pod_manifest_remove_port(m, p->name);
        else
                for (uint64_t i = 0; i < p->count; i++)
                        strbuf_addf(b, "%s=%" PRIu64 "\n", key, p->port + i);
}

/**
 * activation_add() - sockets for the ports of images that want to be handed them
 * @m: manifest of the pod that this process is about to run, as it is in memory; it is not written
 * @e: sentence on failure; may be NULL
 *
 * Call it in the process that was handed the sockets, before it forks.
 *
 * Return: 0, -ENOMEM.
 */
int activation_add(PodManifest *m, Error *e) {
        FOREACH_ARRAY (a, m->apps, m->n_apps) {
                _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
                _cleanup_free_ char *text = NULL;
                int r;

                if (!a->app || pod_app_annotation(a, APP_ANNOTATION_SOCKETS))
                        continue;
                for (size_t i = 0; i < a->app->n_ports; i++)
                        if (a->app->ports[i].socket_activated)
                                add_port(m, &a->app->ports[i], &b);
                if (b.size == 0 && !b.failed)
                        continue;
                r = strbuf_steal(&b, &text);
                if (r >= 0) {
                        _cleanup_free_ char *section = strf("[]\n%s", text);

                        r = section ? pod_app_set_annotation(a, APP_ANNOTATION_SOCKETS, section) : -ENOMEM;
                }
                if (r < 0)
                        return error_oom(e);
        }
        return 0;
}
