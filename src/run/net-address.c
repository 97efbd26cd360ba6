/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An address belongs to a pod as long as the pod's document names it: there is no other list of leases. */
#include "run/net-address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"

#define CANDIDATES_MAX 65534U /* addresses of one network that are tried */

/**
 * net_address_parse() - "172.16.28.2/24", "fd00::2"
 * @s:   without a prefix, all bits count
 * @ret: result
 *
 * Return: 0, -EINVAL.
 */
int net_address_parse(const char *s, NetAddress *ret) {
        NetAddress a = { .family = strchr(s, ':') ? AF_INET6 : AF_INET };
        size_t n = strcspn(s, "/");
        char text[INET6_ADDRSTRLEN];

        a.size = a.family == AF_INET6 ? 16 : 4;
        a.length = (unsigned) a.size * 8;
        if (n >= sizeof(text))
                return -EINVAL;
        memcpy(text, s, n);
        text[n] = '\0';
        if (inet_pton(a.family, text, a.bytes) != 1 ||
            (s[n] == '/' && parse_uint(s + n + 1, a.length, &a.length) < 0))
                return -EINVAL;
        *ret = a;
        return 0;
}

/**
 * net_address_to_string() - its text
 * @a:           address
 * @with_prefix: append "/LENGTH"
 * @ret:         text
 */
void net_address_to_string(const NetAddress *a, bool with_prefix, char ret[NET_ADDRESS_MAX]) {
        if (!inet_ntop(a->family, a->bytes, ret, NET_ADDRESS_MAX))
                ret[0] = '\0';
        if (with_prefix)
                (void) snprintf(ret + strlen(ret), NET_ADDRESS_MAX - strlen(ret), "/%u", a->length);
}

/**
 * net_address_network() - the network that an address lies in
 * @a: address
 *
 * Return: it with all bits after the prefix zero.
 */
NetAddress net_address_network(const NetAddress *a) {
        NetAddress n = *a;

        for (unsigned bit = n.length; bit < n.size * 8; bit++)
                n.bytes[bit / 8] &= (unsigned char) ~(0x80U >> (bit % 8));
        return n;
}

/**
 * net_address_nth() - one address of a network
 * @network: its first address
 * @n:       which; it must have that many
 *
 * Return: the address, with the prefix of the network.
 */
NetAddress net_address_nth(const NetAddress *network, unsigned n) {
        NetAddress a = *network;

        for (size_t i = a.size; i-- > 0 && n > 0;) {
                unsigned sum = a.bytes[i] + (n & 0xff);

                a.bytes[i] = (unsigned char) sum;
                n = (n >> 8) + (sum >> 8);
        }
        return a;
}

/**
 * net_address_contains() - does an address lie in a network?
 * @network: any address of it
 * @a:       address
 *
 * Return: true if so.
 */
bool net_address_contains(const NetAddress *network, const NetAddress *a) {
        NetAddress n = net_address_network(network), m = *a;

        if (m.family != n.family)
                return false;
        m.length = n.length;
        m = net_address_network(&m);
        return memcmp(m.bytes, n.bytes, n.size) == 0;
}

static bool is_taken(const NetStates *states, const char *text) {
        for (size_t i = 0; i < states->n; i++)
                if (net_state_has_address(states->items[i], text))
                        return true;
        return false;
}

/* The last address of IPv4 is for broadcasts. */
static unsigned count(const NetAddress *network) {
        unsigned bits = (unsigned) network->size * 8 - network->length;

        return bits >= 16 ? CANDIDATES_MAX
               : bits < 2 ? 0
                          : (1U << bits) - (network->family == AF_INET ? 2 : 1);
}

static int take_wanted(const NetStates *states, const char *name, const NetAddress *network,
                       const char *wanted, char ret[NET_ADDRESS_MAX], Error *e) {
        NetAddress first = net_address_nth(network, 1), a;
        char text[NET_ADDRESS_MAX];

        if (net_address_parse(wanted, &a) < 0)
                return error_setf(e, -EINVAL, "network %s: '%s' is no address", name, wanted);
        net_address_to_string(&a, false, text);
        if (!net_address_contains(network, &a) || memcmp(a.bytes, first.bytes, a.size) == 0 ||
            memcmp(a.bytes, network->bytes, a.size) == 0 || is_taken(states, text))
                return error_setf(e, -EADDRNOTAVAIL,
                                  "requested IP address \"%s\" is not available in network: %s", wanted,
                                  name);
        a.length = network->length;
        net_address_to_string(&a, true, ret);
        return 0;
}

/**
 * net_lease_take() - an address that no pod has
 * @states: all pods, locked
 * @name:   of the network, for messages
 * @subnet: "172.16.28.0/24"; its first address is the host's
 * @wanted: this one; NULL: any.
 * @ret:    "172.16.28.2/24"
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0; -EADDRNOTAVAIL: the wanted one is taken, or not of this network; -ENOSPC: all are taken; -EINVAL.
 */
int net_lease_take(const NetStates *states, const char *name, const char *subnet, const char *wanted,
                   char ret[NET_ADDRESS_MAX], Error *e) {
        NetAddress network;
        unsigned n;

        if (net_address_parse(subnet, &network) < 0)
                return error_setf(e, -EINVAL, "network %s: '%s' is no network", name, subnet);
        network = net_address_network(&network);
        if (wanted)
                return take_wanted(states, name, &network, wanted, ret, e);
        n = count(&network);
        for (unsigned i = 2; i <= n; i++) {
                NetAddress a = net_address_nth(&network, i);
                char text[NET_ADDRESS_MAX];

                net_address_to_string(&a, false, text);
                if (is_taken(states, text))
                        continue;
                net_address_to_string(&a, true, ret);
                return 0;
        }
        return error_setf(e, -ENOSPC, "no IP addresses available in network: %s", name);
}
