/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Interfaces, addresses and routes, by rtnetlink; and connections, by ctnetlink. A NetLink is a conversation with the kernel about the network namespace in
 * which it was opened. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "basic/error.h"

typedef struct NetLink NetLink;

struct nlmsghdr;

/* One of a list, by the kernel's message about it. The same may come again: a list that changes meanwhile is asked for anew. */
typedef void (*net_link_item_t)(const struct nlmsghdr *h, void *userdata);

int net_link_open(NetLink **ret, Error *e);
int net_link_open_connections(NetLink **ret, Error *e);
NetLink *net_link_close(NetLink *l);
DEFINE_CLEANUP(NetLink *, net_link_close);

int net_link_index(NetLink *l, const char *name, int *ret);
int net_link_make_bridge(NetLink *l, const char *name, const unsigned char *mac, Error *e);
int net_link_make_veth(NetLink *l, const char *name, const char *peer, int peer_ns, const char *bridge,
                       unsigned mtu, const unsigned char *mac, Error *e);
int net_link_up(NetLink *l, const char *name, Error *e);
int net_link_remove(NetLink *l, const char *name, Error *e);
int net_link_add_address(NetLink *l, const char *name, const char *address, Error *e);
int net_link_add_default_route(NetLink *l, const char *name, const char *gateway, Error *e);
int net_link_has_ports(NetLink *l, const char *bridge, Error *e);
int net_link_list_addresses(NetLink *l, int family, net_link_item_t func, void *userdata, Error *e);
int net_link_list_routes(NetLink *l, int family, net_link_item_t func, void *userdata, Error *e);
int net_link_list_connections(NetLink *l, int family, net_link_item_t func, void *userdata);
int net_link_remove_connection(NetLink *l, int family, const void *attrs, size_t size);
void net_link_hairpin(NetLink *l, const char *name);
int net_link_way(NetLink *l, const char *address, char ret[16]);
void net_link_default_mtu(NetLink *l, unsigned *ret);
