/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An address with a prefix brings a route to all that shares it. Where the host has had another way there, it is cut off from
 * those who are really there: in a cloud, from its own name servers and neighbours. So one looks first. A route that is wider
 * than the network does not count, as the default route does not: it still leads to all the rest, but its gateway must not be in
 * the network. */
#include "run/net-overlap.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include "basic/str.h"
#include "run/net-address.h"

typedef struct Search {
        const char *own;    /* interface that does not count */
        NetAddress network; /* that is looked for */
        bool is_there;      /* the own interface is in it already */
        char other[16];     /* interface that is in it; empty: none */
        const char *what;   /* "address", ... that it has there */
        char text[NET_ADDRESS_MAX];
} Search;

/* Of one message: its own address or destination, and its interface. */
typedef struct Place {
        NetAddress address;
        const struct nlattr *bytes;
        uint16_t type;
        uint16_t link_type;
        unsigned link;
} Place;

static int on_attribute(const struct nlattr *a, void *userdata) {
        Place *p = userdata;

        if (mnl_attr_get_type(a) == p->type && mnl_attr_get_payload_len(a) == p->address.size)
                p->bytes = a;
        else if (p->link_type != 0 && mnl_attr_get_type(a) == p->link_type &&
                 mnl_attr_validate(a, MNL_TYPE_U32) >= 0)
                p->link = mnl_attr_get_u32(a);
        else if (p->link_type != 0 && mnl_attr_get_type(a) == RTA_MULTIPATH &&
                 mnl_attr_get_payload_len(a) >= sizeof(struct rtnexthop)) /* the first of several */
                p->link = (unsigned) ((const struct rtnexthop *) mnl_attr_get_payload(a))->rtnh_ifindex;
        return MNL_CB_OK;
}

/* Returns true if it has an address; @p comes with family, prefix, types. */
static bool read_place(const struct nlmsghdr *h, size_t offset, Place *p) {
        p->address.size = p->address.family == AF_INET6 ? 16 : 4;
        if (p->address.length > p->address.size * 8 ||
            mnl_attr_parse(h, (unsigned) offset, on_attribute, p) < 0 || !p->bytes)
                return false;
        memcpy(p->address.bytes, mnl_attr_get_payload(p->bytes), p->address.size);
        return true;
}

static void note(Search *s, const Place *p, const char *what, bool own_counts) {
        char name[IF_NAMESIZE];

        if (!if_indextoname(p->link, name)) /* it has gone since */
                return;
        if (streq(name, s->own))
                s->is_there = s->is_there || own_counts;
        else if (!*s->other) {
                memcpy(s->other, name, sizeof(s->other));
                s->what = what;
                net_address_to_string(&p->address, true, s->text);
        }
}

static void on_address(const struct nlmsghdr *h, void *userdata) {
        const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
        Search *s = userdata;
        Place p = { .address = { .family = m->ifa_family, .length = m->ifa_prefixlen },
                    .type = m->ifa_family == AF_INET ? IFA_LOCAL : IFA_ADDRESS,
                    .link = m->ifa_index };

        if (m->ifa_family == s->network.family && read_place(h, sizeof(*m), &p) &&
            net_address_contains(&s->network, &p.address))
                note(s, &p, "address", true);
}

static void on_route(const struct nlmsghdr *h, void *userdata) {
        const struct rtmsg *m = mnl_nlmsg_get_payload(h);
        Search *s = userdata;
        Place p = { .address = { .family = m->rtm_family, .length = m->rtm_dst_len },
                    .type = RTA_DST,
                    .link_type = RTA_OIF };
        Place gateway = { .address = { .family = m->rtm_family }, .type = RTA_GATEWAY, .link_type = RTA_OIF };

        if (m->rtm_family != s->network.family || m->rtm_table != RT_TABLE_MAIN || m->rtm_type != RTN_UNICAST)
                return;
        if (m->rtm_dst_len >= s->network.length && read_place(h, sizeof(*m), &p) &&
            net_address_contains(&s->network, &p.address))
                note(s, &p, "route", false);
        if (read_place(h, sizeof(*m), &gateway)) {
                gateway.address.length = (unsigned) gateway.address.size * 8;
                if (net_address_contains(&s->network, &gateway.address))
                        note(s, &gateway, "gateway", false);
        }
}

/**
 * net_overlap_check() - before an interface gets the first address of a network
 * @l:       conversation
 * @name:    of the network, for messages
 * @own:     name of the interface, which need not exist; once it has such an address, all is well
 * @address: any of the network, with its prefix
 * @e:       names the other interface, and its address or route
 *
 * Return: 0; -EADDRINUSE: another interface has an address, a route or a gateway there; -EINVAL; errno of the kernel.
 */
int net_overlap_check(NetLink *l, const char *name, const char *own, const char *address, Error *e) {
        Search s = { .own = own };
        char network[NET_ADDRESS_MAX];
        int r = net_address_parse(address, &s.network);

        if (r < 0)
                return error_setf(e, r, "'%.60s' is no address", address);
        s.network = net_address_network(&s.network);
        r = net_link_list_addresses(l, s.network.family, on_address, &s, e);
        if (r < 0 || s.is_there)
                return r;
        if (!*s.other)
                r = net_link_list_routes(l, s.network.family, on_route, &s, e);
        if (r < 0 || !*s.other)
                return r;
        net_address_to_string(&s.network, true, network);
        return error_setf(
                e, -EADDRINUSE,
                "its addresses, %s, are in use: interface %s of the host has the %s %s, and would be "
                "cut off from there; a network '%s' in /etc/rkt/net.d with other addresses takes "
                "its place, see rkt-networking(7)",
                network, s.other, s.what, s.text, name);
}
