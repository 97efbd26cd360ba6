/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PublishPort=: which port of the host leads to which of the pod. */
#pragma once

#define PORT_ADDRESS_MAX 46U /* bytes of an address */
/* Why some addresses cannot be had. */
#define PORT_MAPPING_UNPUBLISHABLE                                                                           \
        "what is sent to this address never leaves the host itself, Linux has no way from there to a pod "   \
        "(127.0.0.1 has one; programs that ask for localhost go on with it)"

#define PORT_NAME_MAX 64U /* bytes of a port's name */

typedef struct PortMapping {
        char host_ip[PORT_ADDRESS_MAX]; /* "": all */
        unsigned host_port;
        unsigned pod_port;        /* 0: the one that the image calls @name */
        unsigned count;           /* of ports in a row */
        char name[PORT_NAME_MAX]; /* "": none */
        char protocol[5];         /* tcp, udp, sctp */
} PortMapping;

const char *port_mapping_parse(const char *s, PortMapping *ret);
