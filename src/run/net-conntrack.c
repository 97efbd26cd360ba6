/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules of translation are asked for the first packet of a connection only. UDP has none that begins: who sends from one port
 * without an end, as a name server's client or a log sender may, goes where its first packet went, as long as it sends. So when
 * rules for a port come or go, the kernel is told to forget those who send there. */
#include "run/net-conntrack.h"

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "basic/alloc.h"
#include "basic/ip.h"
#include "basic/str.h"
#include "run/net-address.h"
#include "run/net-link.h"

#define ATTRS_MAX 128U   /* bytes that name a connection: 92 with IPv6 */
#define FOUND_MAX 65536U /* of one list: whoever sends from that many addresses does not wait for an answer */

/* A connection that has to go. */
typedef struct Found {
        unsigned char attrs[ATTRS_MAX];
        size_t size;
} Found;

typedef struct Search {
        const NetPort *ports;
        size_t n_ports;
        NetForget what;
        int family;
        NetAddress *locals; /* the host's own */
        size_t n_locals;
        Found *found;
        size_t n_found;
        bool failed;
} Search;

static void search_done(Search *s) {
        free(s->locals);
        free(s->found);
}

/* Where the first packet was sent to. */
typedef struct Target {
        NetAddress address;
        uint8_t protocol;
        uint16_t port;
} Target;

static int on_ip(const struct nlattr *a, void *userdata) {
        uint16_t type = mnl_attr_get_type(a);
        size_t size = type == CTA_IP_V4_DST ? 4 : type == CTA_IP_V6_DST ? 16 : 0;
        Target *t = userdata;

        if (size > 0 && mnl_attr_get_payload_len(a) == size) {
                t->address = (NetAddress){ .family = size == 4 ? AF_INET : AF_INET6,
                                           .length = (unsigned) size * 8,
                                           .size = size };
                memcpy(t->address.bytes, mnl_attr_get_payload(a), size);
        }
        return MNL_CB_OK;
}

static int on_protocol(const struct nlattr *a, void *userdata) {
        Target *t = userdata;

        if (mnl_attr_get_type(a) == CTA_PROTO_NUM && mnl_attr_validate(a, MNL_TYPE_U8) >= 0)
                t->protocol = mnl_attr_get_u8(a);
        if (mnl_attr_get_type(a) == CTA_PROTO_DST_PORT && mnl_attr_validate(a, MNL_TYPE_U16) >= 0)
                t->port = ntohs(mnl_attr_get_u16(a));
        return MNL_CB_OK;
}

static int on_tuple(const struct nlattr *a, void *userdata) {
        switch (mnl_attr_get_type(a)) {
        case CTA_TUPLE_IP: return mnl_attr_parse_nested(a, on_ip, userdata);
        case CTA_TUPLE_PROTO: return mnl_attr_parse_nested(a, on_protocol, userdata);
        default: return MNL_CB_OK;
        }
}

/* Others' packets to the same port, which pass through this host, are none of ours. */
static bool is_local(const Search *s, const NetAddress *a) {
        if (a->family == AF_INET && a->bytes[0] == 127)
                return true;
        FOREACH_ARRAY (l, s->locals, s->n_locals)
                if (l->family == a->family && memcmp(l->bytes, a->bytes, a->size) == 0)
                        return true;
        return false;
}

static bool is_wanted(const Search *s, const Target *t) {
        char text[NET_ADDRESS_MAX];

        if (t->protocol != IPPROTO_UDP || t->address.family != s->family)
                return false;
        net_address_to_string(&t->address, false, text);
        FOREACH_ARRAY (p, s->ports, s->n_ports)
                if (streq(p->protocol, "udp") && t->port >= p->host_port &&
                    t->port < p->host_port + p->count && ip_overlap(p->host_ip, text))
                        return is_local(s, &t->address);
        return false;
}

/* Of one message. */
typedef struct Connection {
        Target target;
        uint32_t status;
        Found name;
} Connection;

static void add_name(Found *f, const struct nlattr *a) {
        size_t size = MNL_ALIGN(a->nla_len);

        if (f->size + size > sizeof(f->attrs))
                return;
        memcpy(f->attrs + f->size, a, a->nla_len);
        f->size += size;
}

static int on_attribute(const struct nlattr *a, void *userdata) {
        Connection *c = userdata;

        switch (mnl_attr_get_type(a)) {
        case CTA_TUPLE_ORIG: add_name(&c->name, a); return mnl_attr_parse_nested(a, on_tuple, &c->target);
        case CTA_ID: /* not another one that has come since */
        case CTA_ZONE: add_name(&c->name, a); break;
        case CTA_STATUS:
                if (mnl_attr_validate(a, MNL_TYPE_U32) >= 0)
                        c->status = ntohl(mnl_attr_get_u32(a));
                break;
        default: break;
        }
        return MNL_CB_OK;
}

static void on_connection(const struct nlmsghdr *h, void *userdata) {
        Search *s = userdata;
        Connection c = {};

        if (mnl_attr_parse(h, sizeof(struct nfgenmsg), on_attribute, &c) < 0 || s->n_found >= FOUND_MAX ||
            (s->what == NET_FORGET_ASTRAY && (c.status & IPS_DST_NAT) != 0) || !is_wanted(s, &c.target))
                return;
        if (!GREEDY_GROW(s->found, s->n_found)) {
                s->failed = true;
                return;
        }
        s->found[s->n_found++] = c.name;
}

static int on_local_attribute(const struct nlattr *a, void *userdata) {
        NetAddress *x = userdata;

        if (mnl_attr_get_type(a) == (x->family == AF_INET ? IFA_LOCAL : IFA_ADDRESS) &&
            mnl_attr_get_payload_len(a) == x->size)
                memcpy(x->bytes, mnl_attr_get_payload(a), x->size);
        return MNL_CB_OK;
}

static void on_local(const struct nlmsghdr *h, void *userdata) {
        const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
        NetAddress x = { .family = m->ifa_family, .size = m->ifa_family == AF_INET6 ? 16 : 4 };
        Search *s = userdata;

        (void) mnl_attr_parse(h, sizeof(*m), on_local_attribute, &x);
        if (!GREEDY_GROW(s->locals, s->n_locals)) {
                s->failed = true;
                return;
        }
        s->locals[s->n_locals++] = x;
}

static int forget(Search *s, NetLink *connections) {
        int r = net_link_list_connections(connections, s->family, on_connection, s);

        if (r >= 0 && s->failed)
                r = -ENOMEM;
        for (size_t i = 0; r >= 0 && i < s->n_found; i++)
                r = net_link_remove_connection(connections, s->family, s->found[i].attrs, s->found[i].size);
        s->n_found = 0;
        return r;
}

/**
 * net_conntrack_forget() - who sends to a UDP port is led anew
 * @ports:   published ports; those of other protocols do not count
 * @n_ports: how many
 * @what:    which senders
 *
 * Call it when the rules are as they should be.
 *
 * Return: 0; errno of the kernel, which may have no such interface.
 */
int net_conntrack_forget(const NetPort *ports, size_t n_ports, NetForget what) {
        static const int families[] = { AF_INET, AF_INET6 };
        _cleanup_(net_link_closep) NetLink *links = NULL, *connections = NULL;
        _cleanup_(search_done) Search s = { .ports = ports, .n_ports = n_ports, .what = what };
        bool needed = false;
        int r;

        FOREACH_ARRAY (p, ports, n_ports)
                needed = needed || streq(p->protocol, "udp");
        if (!needed)
                return 0;
        r = net_link_open(&links, NULL);
        if (r >= 0)
                r = net_link_open_connections(&connections, NULL);
        FOREACH_ARRAY (f, families, ELEMENTSOF(families)) {
                s.family = *f;
                if (r >= 0)
                        r = net_link_list_addresses(links, *f, on_local, &s, NULL);
                if (r >= 0)
                        r = forget(&s, connections);
        }
        return r;
}
