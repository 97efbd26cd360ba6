/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses with a prefix, as text and as bytes; and which of them a pod gets. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "run/net-state.h"

#define NET_ADDRESS_MAX 64U /* bytes of "ADDRESS/PREFIX" */

typedef struct NetAddress {
        int family;      /* AF_INET, AF_INET6 */
        unsigned length; /* bits of the prefix */
        size_t size;     /* bytes of the address */
        unsigned char bytes[16];
} NetAddress;

int net_address_parse(const char *s, NetAddress *ret);
void net_address_to_string(const NetAddress *a, bool with_prefix, char ret[NET_ADDRESS_MAX]);
NetAddress net_address_network(const NetAddress *a);
NetAddress net_address_nth(const NetAddress *network, unsigned n);
bool net_address_contains(const NetAddress *network, const NetAddress *a);

int net_lease_take(const NetStates *states, const char *name, const char *subnet, const char *wanted,
                   char ret[NET_ADDRESS_MAX], Error *e);
