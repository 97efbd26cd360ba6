/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ports that a pod publishes: out of its manifest, and free on the host. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "pod/pod-network.h"
#include "run/network-internal.h"

static int unknown_port(const PodManifest *m, const PodPort *p, Error *e) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        FOREACH_ARRAY (a, m->apps, m->n_apps)
                for (size_t i = 0; a->app && i < a->app->n_ports; i++)
                        strbuf_addf(&b, "%s%s", b.size > 0 ? ", " : "", a->app->ports[i].name);
        return error_setf(e, -ENOENT, "no image of the pod has a port '%s'; there %s %s", p->name,
                          b.size > 0 ? "are:" : "is", b.size > 0 ? b.data : "none");
}

/* The same is published twice; what is not the same has been refused. */
static bool is_there(const NetState *s, const PodPort *p, const AcPort *port) {
        FOREACH_ARRAY (q, s->ports, s->n_ports)
                if (streq(q->protocol, port->protocol) && q->host_port == p->host_port &&
                    streq(str_or(q->host_ip, ""), str_or(p->host_ip, "")))
                        return true;
        return false;
}

static int add_port(const PodManifest *m, const PodPort *p, NetState *s, Error *e) {
        const AcPort *port = pod_network_port(m, p);
        NetPort x = {};

        if (!port)
                return unknown_port(m, p, e);
        if (!streq_ptr(port->protocol, "tcp") && !streq_ptr(port->protocol, "udp") &&
            !streq_ptr(port->protocol, "sctp"))
                return error_setf(e, -EPROTONOSUPPORT,
                                  "port '%s': protocol '%.20s' is none of tcp, udp and sctp", p->name,
                                  str_or(port->protocol, ""));
        if (p->host_port == 0)
                return error_setf(e, -EINVAL, "port '%s' has no port of the host", p->name);
        if (is_there(s, p, port))
                return 0;
        x = (NetPort){ .name = strdup(p->name),
                       .protocol = strdup(port->protocol),
                       .host_ip = p->host_ip && *p->host_ip ? strdup(p->host_ip) : NULL,
                       .host_port = p->host_port,
                       .pod_port = port->port,
                       .count = MAX(port->count, (uint64_t) 1) };
        if (x.count > 65536 - x.host_port)
                x.count = 65536 - x.host_port;
        if (!x.name || !x.protocol || (p->host_ip && *p->host_ip && !x.host_ip) ||
            !GREEDY_GROW(s->ports, s->n_ports)) {
                free(x.name);
                free(x.protocol);
                free(x.host_ip);
                return error_oom(e);
        }
        s->ports[s->n_ports++] = x;
        return 0;
}

typedef union Address {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
} Address;

/* A socket that is bound for a moment. Protocols that the kernel does not have are nobody's. */
static int try_bind(int family, const NetPort *p, uint64_t port) {
        _cleanup_close_ int fd = -EBADF;
        Address a = {};
        socklen_t size = family == AF_INET ? sizeof(a.in) : sizeof(a.in6);
        int type = streq(p->protocol, "udp") ? SOCK_DGRAM : SOCK_STREAM, on = 1;

        fd = socket(family, type | SOCK_CLOEXEC, streq(p->protocol, "sctp") ? IPPROTO_SCTP : 0);
        if (fd < 0)
                return 0;
        if (type == SOCK_STREAM)
                (void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (family == AF_INET) {
                a.in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t) port) };
                if (p->host_ip)
                        (void) inet_pton(AF_INET, p->host_ip, &a.in.sin_addr);
        } else {
                (void) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
                a.in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons((uint16_t) port) };
                if (p->host_ip)
                        (void) inet_pton(AF_INET6, p->host_ip, &a.in6.sin6_addr);
        }
        return bind(fd, &a.any, size) < 0 ? -errno : 0;
}

static int check_port(const NetPort *p, uint64_t port, Error *e) {
        bool six = p->host_ip && strchr(p->host_ip, ':');
        int r = six ? 0 : try_bind(AF_INET, p, port);

        if (r >= 0 && (six || !p->host_ip))
                r = try_bind(AF_INET6, p, port);
        if (r == -EADDRINUSE)
                return error_setf(
                        e, r,
                        "port %llu/%s of the host is in use by a program of the host: ss -lpn 'sport = "
                        ":%llu' shows which",
                        (unsigned long long) port, p->protocol, (unsigned long long) port);
        if (r == -EADDRNOTAVAIL && p->host_ip)
                return error_setf(e, r, "port %llu/%s: %s is no address of this host",
                                  (unsigned long long) port, p->protocol, p->host_ip);
        return 0;
}

/**
 * network_ports() - what a pod publishes
 * @m: manifest
 * @s: ports are added
 * @e: sentence on failure; may be NULL
 *
 * A program of the host that listens there would get no connection any more, and nobody would know why.
 *
 * Return: 0; -ENOENT: no app has such a port; -EADDRINUSE: a program of the host listens there; -EADDRNOTAVAIL,
 * -EPROTONOSUPPORT, -EINVAL, -ENOMEM.
 */
int network_ports(const PodManifest *m, NetState *s, Error *e) {
        int r = 0;

        for (size_t i = 0; i < m->n_ports && r >= 0; i++)
                r = add_port(m, &m->ports[i], s, e);
        FOREACH_ARRAY (p, s->ports, s->n_ports)
                for (uint64_t i = 0; i < p->count && r >= 0; i++)
                        r = check_port(p, p->host_port + i, e);
        return r;
}
