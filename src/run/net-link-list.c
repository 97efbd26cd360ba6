/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel has many of: read whole, by a callback, and once more if it changed meanwhile. */
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "run/net-link-internal.h"

#define LIST_TRIES 5U /* for a list that changes while it is read */

/* Messages of one list up to its end, also when it is not whole, so that the next answer is not taken for a part of it. */
static int hear_list(NetLink *l, unsigned seq, net_link_item_t func, void *userdata) {
        bool changed = false;

        for (;;) {
                ssize_t n = mnl_socket_recvfrom(l->socket, l->buffer, sizeof(l->buffer));
                int left = (int) n;

                if (n < 0)
                        return -errno;
                for (const struct nlmsghdr *h = (const void *) l->buffer; mnl_nlmsg_ok(h, left);
                     h = mnl_nlmsg_next(h, &left)) {
                        if (h->nlmsg_seq != seq)
                                continue;
                        changed = changed || (h->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
                        if (h->nlmsg_type == NLMSG_DONE)
                                return changed ? -EINTR : 0;
                        if (h->nlmsg_type == NLMSG_ERROR) {
                                const struct nlmsgerr *x = mnl_nlmsg_get_payload(h);

                                return x->error;
                        }
                        func(h, userdata);
                }
        }
}

/* The request of a list is a header that says which family. */
static int list(NetLink *l, uint16_t type, size_t size, int family, net_link_item_t func, void *userdata) {
        int r = -EINTR;

        for (unsigned i = 0; r == -EINTR && i < LIST_TRIES; i++) {
                struct nlmsghdr *h = mnl_nlmsg_put_header(l->buffer);
                unsigned char *m = mnl_nlmsg_put_extra_header(h, size);

                h->nlmsg_type = type;
                h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
                h->nlmsg_seq = ++l->seq;
                m[0] = (unsigned char) family;
                if (mnl_socket_sendto(l->socket, h, h->nlmsg_len) < 0)
                        return -errno;
                r = hear_list(l, l->seq, func, userdata);
        }
        return r == -EINTR ? 0 : r; /* what was there all the time was seen */
}

/**
 * net_link_list_addresses() - all addresses of this network's interfaces
 * @l:        conversation
 * @family:   AF_INET, AF_INET6
 * @func:     is called for each (RTM_NEWADDR)
 * @userdata: for @func
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0, errno of the kernel.
 */
int net_link_list_addresses(NetLink *l, int family, net_link_item_t func, void *userdata, Error *e) {
        int r = list(l, RTM_GETADDR, sizeof(struct ifaddrmsg), family, func, userdata);

        return r < 0 ? error_setf(e, r, "cannot list addresses: %s", strerror(-r)) : 0;
}

/**
 * net_link_list_routes() - all routes of this network
 * @l:        conversation
 * @family:   AF_INET, AF_INET6
 * @func:     is called for each (RTM_NEWROUTE)
 * @userdata: for @func
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0, errno of the kernel.
 */
int net_link_list_routes(NetLink *l, int family, net_link_item_t func, void *userdata, Error *e) {
        int r = list(l, RTM_GETROUTE, sizeof(struct rtmsg), family, func, userdata);

        return r < 0 ? error_setf(e, r, "cannot list routes: %s", strerror(-r)) : 0;
}

/* Interfaces that belong to one. */
typedef struct Ports {
        uint32_t master;
        bool found;
} Ports;

static int on_link_attribute(const struct nlattr *a, void *userdata) {
        Ports *p = userdata;

        if (mnl_attr_get_type(a) == IFLA_MASTER && mnl_attr_validate(a, MNL_TYPE_U32) >= 0 &&
            mnl_attr_get_u32(a) == p->master)
                p->found = true;
        return MNL_CB_OK;
}

static void on_link(const struct nlmsghdr *h, void *userdata) {
        (void) mnl_attr_parse(h, sizeof(struct ifinfomsg), on_link_attribute, userdata);
}

/**
 * net_link_has_ports() - is anything on a bridge?
 * @l:      conversation
 * @bridge: name
 * @e:      sentence on failure; may be NULL
 *
 * Return: 1, 0; -ENODEV: no such bridge; errno of the kernel.
 */
int net_link_has_ports(NetLink *l, const char *bridge, Error *e) {
        Ports p = {};
        int index = 0, r = net_link_index(l, bridge, &index);

        if (r < 0)
                return error_setf(e, r, "interface %s: %s", bridge, strerror(-r));
        p.master = (uint32_t) index;
        r = list(l, RTM_GETLINK, sizeof(struct ifinfomsg), AF_UNSPEC, on_link, &p);
        return r < 0 ? error_setf(e, r, "cannot list interfaces: %s", strerror(-r)) : p.found;
}

/**
 * net_link_list_connections() - all connections that the kernel keeps track of
 * @l:        of net_link_open_connections()
 * @family:   AF_INET, AF_INET6
 * @func:     is called for each (IPCTNL_MSG_CT_NEW, with CTA_* behind its struct nfgenmsg)
 * @userdata: for @func
 *
 * Return: 0, errno of the kernel.
 */
int net_link_list_connections(NetLink *l, int family, net_link_item_t func, void *userdata) {
        return list(l, (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET, sizeof(struct nfgenmsg), family,
                    func, userdata);
}

/**
 * net_link_remove_connection() - let the kernel forget a connection
 * @l:      of net_link_open_connections()
 * @family: AF_INET, AF_INET6
 * @attrs:  whole attributes that say which: CTA_TUPLE_ORIG, CTA_ZONE, CTA_ID
 * @size:   bytes of it
 *
 * Return: 0, also when it is gone already; errno of the kernel.
 */
int net_link_remove_connection(NetLink *l, int family, const void *attrs, size_t size) {
        struct nlmsghdr *h = net_link_start(l, (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE, 0);
        struct nfgenmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
        int r;

        m->nfgen_family = (uint8_t) family;
        m->version = NFNETLINK_V0;
        memcpy(mnl_nlmsg_get_payload_tail(h), attrs, size);
        h->nlmsg_len += (uint32_t) MNL_ALIGN(size);
        r = net_link_talk(l, h, NULL, NULL);
        return r == -ENOENT ? 0 : r;
}
