/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* appc has a place for ports; the rest are annotations. */
#include "pod/pod-network.h"

#include <stdlib.h>
#include <string.h>

#include "basic/alloc.h"
#include "basic/ip.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "pod/pod-compose.h"
#include "podfile/port-mapping.h"

static int add_words(PodManifest *m, const char *annotation, char *const *words) {
        _cleanup_free_ char *joined = NULL;
        int r;

        if (!words || !*words)
                return 0;
        r = strv_join(words, " ", &joined);
        return r < 0 ? r : pod_manifest_set_annotation(m, annotation, joined);
}

/* A port without a name is called by its number. */
static int add_port(PodManifest *m, const char *text) {
        PodPort p = {};
        PortMapping x;
        int r = 0;

        if (port_mapping_parse(text, &x))
                return -EINVAL;
        p.name = *x.name ? strdup(x.name) : strf("%u-%s", x.host_port, x.protocol);
        p.host_port = x.host_port;
        p.host_ip = *x.host_ip ? strdup(x.host_ip) : NULL;
        if (!p.name || (*x.host_ip && !p.host_ip))
                r = -ENOMEM;
        if (r >= 0 && !*x.name) {
                p.pod_port = new0(AcPort, 1);
                if (p.pod_port)
                        *p.pod_port = (AcPort){ .name = strdup(p.name),
                                                .protocol = strdup(x.protocol),
                                                .port = x.pod_port,
                                                .count = x.count };
                if (!p.pod_port || !p.pod_port->name || !p.pod_port->protocol)
                        r = -ENOMEM;
        }
        if (r >= 0 && !GREEDY_GROW(m->ports, m->n_ports))
                r = -ENOMEM;
        if (r >= 0) {
                m->ports[m->n_ports++] = p;
                return 0;
        }
        free(p.name);
        free(p.host_ip);
        if (p.pod_port)
                ac_port_done(p.pod_port);
        free(p.pod_port);
        return r;
}

/**
 * pod_add_network() - what a pod's apps see of the world
 * @spec: what was asked for
 * @m:    ports and annotations are added
 *
 * Return: 0, -ENOMEM.
 */
int pod_add_network(const PodSpec *spec, PodManifest *m) {
        int r = add_words(m, POD_ANNOTATION_NETWORK, spec->networks);

        if (r >= 0)
                r = add_words(m, POD_ANNOTATION_HOSTS, spec->hosts);
        if (r >= 0)
                r = add_words(m, POD_ANNOTATION_DNS, spec->dns);
        if (r >= 0)
                r = add_words(m, POD_ANNOTATION_DNS_SEARCH, spec->dns_search);
        if (r >= 0)
                r = add_words(m, POD_ANNOTATION_DNS_OPTION, spec->dns_options);
        if (r >= 0 && spec->dns_domain)
                r = pod_manifest_set_annotation(m, POD_ANNOTATION_DNS_DOMAIN, spec->dns_domain);
        for (char **p = spec->ports; r >= 0 && p && *p; p++)
                r = add_port(m, *p);
        return r;
}

/**
 * pod_network_port() - where a published port leads
 * @m: manifest
 * @p: of it
 *
 * Return: the app's port, owned by @m; NULL: no app has one of that name.
 */
const AcPort *pod_network_port(const PodManifest *m, const PodPort *p) {
        if (p->pod_port)
                return p->pod_port;
        FOREACH_ARRAY (a, m->apps, m->n_apps) {
                const AcPort *found = a->app ? ac_app_find_port(a->app, p->name) : NULL;

                if (found)
                        return found;
        }
        return NULL;
}

/* One port of the host that leads to two of the pod. The same twice is no harm. */
static bool collide(const PodPort *a, const AcPort *x, const PodPort *b, const AcPort *y) {
        uint64_t n = MAX(x->count, (uint64_t) 1), k = MAX(y->count, (uint64_t) 1);

        if (!streq_ptr(x->protocol, y->protocol) || a->host_port >= b->host_port + k ||
            b->host_port >= a->host_port + n || !ip_overlap(a->host_ip, b->host_ip))
                return false;
        return a->host_port != b->host_port || x->port != y->port || n != k ||
               !streq(str_or(a->host_ip, ""), str_or(b->host_ip, ""));
}

/**
 * pod_check_ports() - can all ports of a pod be published?
 * @m: manifest, with its apps
 * @e: names the ports; may be NULL
 *
 * Which ports the host has free is another question.
 *
 * Return: 0; -EADDRINUSE: two are one port of the host; -EADDRNOTAVAIL: nothing leads from that address to a pod.
 */
int pod_check_ports(const PodManifest *m, Error *e) {
        for (size_t i = 0; i < m->n_ports; i++) {
                const PodPort *a = &m->ports[i];
                const AcPort *x = pod_network_port(m, a);

                if (ip_is_unpublishable(a->host_ip))
                        return error_setf(e, -EADDRNOTAVAIL, "port '%s': %s: " PORT_MAPPING_UNPUBLISHABLE,
                                          a->name, a->host_ip);
                for (size_t j = i + 1; x && j < m->n_ports; j++) {
                        const PodPort *b = &m->ports[j];
                        const AcPort *y = pod_network_port(m, b);

                        if (y && collide(a, x, b, y))
                                return error_setf(
                                        e, -EADDRINUSE,
                                        "port %llu/%s of the host would lead to two of the pod, '%s' (%llu) "
                                        "and '%s' (%llu): publish one of them at another",
                                        (unsigned long long) MAX(a->host_port, b->host_port), x->protocol,
                                        a->name, (unsigned long long) x->port, b->name,
                                        (unsigned long long) y->port);
                }
        }
        return 0;
}
