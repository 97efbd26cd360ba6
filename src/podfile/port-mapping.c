/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the right: the protocol, the pod's port, the host's port, and what is left is an address. */
#include "podfile/port-mapping.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "basic/ip.h"
#include "basic/parse.h"
#include "basic/str.h"

#define FORM "not [HOSTIP:]HOSTPORT:PORT[/tcp|udp|sctp], or [HOSTIP:]HOSTPORT:PORTNAME"

/* "80", "8000-8010" */
static int parse_range(char *s, unsigned *ret_first, unsigned *ret_count) {
        char *dash = strchr(s, '-');
        unsigned a, b;

        if (dash)
                *dash++ = '\0';
        if (parse_uint(s, 65535, &a) < 0 || a == 0)
                return -EINVAL;
        b = a;
        if (dash && (parse_uint(dash, 65535, &b) < 0 || b < a))
                return -EINVAL;
        *ret_first = a;
        *ret_count = b - a + 1;
        return 0;
}

static bool is_name(const char *s) {
        size_t n = strlen(s);

        return n > 0 && n < PORT_NAME_MAX && *s != '-' && s[n - 1] != '-' &&
               strpbrk(s, "abcdefghijklmnopqrstuvwxyz") &&
               str_in_set(s, "abcdefghijklmnopqrstuvwxyz0123456789-");
}

static bool parse_address(char *s, char ret[PORT_ADDRESS_MAX]) {
        unsigned char bytes[16];
        size_t n = strlen(s);

        if (*s == '[' && n > 2 && s[n - 1] == ']') {
                s[n - 1] = '\0';
                s++;
        }
        if ((inet_pton(AF_INET, s, bytes) != 1 && inet_pton(AF_INET6, s, bytes) != 1) ||
            strlen(s) >= PORT_ADDRESS_MAX)
                return false;
        memcpy(ret, s, strlen(s) + 1);
        return true;
}

/**
 * port_mapping_parse() - one port, or several in a row
 * @s:   "[HOSTIP:]HOSTPORT:PORT[/PROTOCOL]", "[HOSTIP:]HOSTPORT:PORTNAME"; ports may be ranges of one length
 * @ret: result
 *
 * Return: NULL; else what is wrong.
 */
const char *port_mapping_parse(const char *s, PortMapping *ret) {
        PortMapping m = { .protocol = "tcp" };
        char copy[160], *slash, *inner, *outer;
        unsigned count = 0;

        if (strlen(s) >= sizeof(copy))
                return FORM;
        memcpy(copy, s, strlen(s) + 1);
        slash = strchr(copy, '/');
        if (slash) {
                *slash++ = '\0';
                if (!streq(slash, "tcp") && !streq(slash, "udp") && !streq(slash, "sctp"))
                        return "unknown protocol (tcp, udp, sctp)";
                (void) snprintf(m.protocol, sizeof(m.protocol), "%s", slash);
        }
        inner = strrchr(copy, ':');
        if (!inner)
                return FORM;
        *inner++ = '\0';
        outer = strrchr(copy, ':');
        if (outer) {
                *outer++ = '\0';
                if (!parse_address(copy, m.host_ip))
                        return FORM;
                if (ip_is_unpublishable(m.host_ip))
                        return PORT_MAPPING_UNPUBLISHABLE;
        } else
                outer = copy;
        if (parse_range(outer, &m.host_port, &m.count) < 0)
                return FORM;
        if (is_name(inner)) {
                if (slash || m.count > 1)
                        return "a port with a name has the protocol and the number of ports that the image "
                               "says";
                (void) snprintf(m.name, sizeof(m.name), "%s", inner);
        } else if (parse_range(inner, &m.pod_port, &count) < 0)
                return FORM;
        else if (count != m.count)
                return "ranges of different lengths";
        *ret = m;
        return NULL;
}
