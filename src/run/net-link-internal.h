/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a NetLink talks. For net-link*.c. */
#pragma once

#include <libmnl/libmnl.h>

#include "run/net-link.h"

#define NET_LINK_BUFFER 32768U /* bytes */

struct NetLink {
        struct mnl_socket *socket;
        unsigned seq;
        char buffer[NET_LINK_BUFFER] __attribute__((aligned(NLMSG_ALIGNTO)));
};

struct nlmsghdr *net_link_start(NetLink *l, uint16_t type, unsigned flags);
int net_link_talk(NetLink *l, struct nlmsghdr *h, mnl_cb_t func, void *userdata);
