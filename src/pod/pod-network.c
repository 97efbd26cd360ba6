/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* appc has a place for ports; the rest are annotations. */
#include "pod/pod-network.h"

#include <stdlib.h>
#include <string.h>

#include "basic/alloc.h"
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
