/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the built-in networks need of rtnetlink, over libmnl. Each call is one request and its answer. */
#include "run/net-link-internal.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "basic/alloc.h"
#include "basic/str.h"
#include "run/net-address.h"

#define MTU_LEAST    1280U /* an interface with less cannot have an address of IPv6 */
#define MTU_FALLBACK 1500U
#define NOWHERE      "192.0.2.1" /* for documentation */

static int parse_address(const char *s, NetAddress *ret, Error *e) {
        return net_address_parse(s, ret) < 0 ? error_setf(e, -EINVAL, "'%.60s' is no address", s) : 0;
}

static int open_family(int family, NetLink **ret, Error *e) {
        NetLink *l = new0(NetLink, 1);

        if (!l)
                return error_oom(e);
        l->socket = mnl_socket_open2(family, SOCK_CLOEXEC);
        if (!l->socket || mnl_socket_bind(l->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
                int r = -errno;

                (void) net_link_close(l);
                return error_setf(e, r, "cannot open a netlink socket: %s", strerror(-r));
        }
        l->seq = (unsigned) time(NULL);
        *ret = l;
        return 0;
}

/**
 * net_link_open() - talk to the kernel about the network of this thread
 * @ret: for net_link_close()
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, -ENOMEM, errno of socket().
 */
int net_link_open(NetLink **ret, Error *e) {
        return open_family(NETLINK_ROUTE, ret, e);
}

/**
 * net_link_open_connections() - talk about the connections that it knows
 * @ret: for net_link_close(); only for net_link_list_connections() and net_link_remove_connection()
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, -ENOMEM, errno of socket().
 */
int net_link_open_connections(NetLink **ret, Error *e) {
        return open_family(NETLINK_NETFILTER, ret, e);
}

/**
 * net_link_close() - end the conversation
 * @l: may be NULL
 *
 * Return: NULL.
 */
NetLink *net_link_close(NetLink *l) {
        if (l && l->socket)
                (void) mnl_socket_close(l->socket);
        free(l);
        return NULL;
}

/**
 * net_link_start() - begin a request
 * @l:     conversation; its buffer holds the request
 * @type:  of the message
 * @flags: NLM_F_* besides NLM_F_REQUEST and NLM_F_ACK
 *
 * Return: the message, for its header and attributes.
 */
struct nlmsghdr *net_link_start(NetLink *l, uint16_t type, unsigned flags) {
        struct nlmsghdr *h = mnl_nlmsg_put_header(l->buffer);

        h->nlmsg_type = type;
        h->nlmsg_flags = (uint16_t) (NLM_F_REQUEST | NLM_F_ACK | flags);
        h->nlmsg_seq = ++l->seq;
        return h;
}

/**
 * net_link_talk() - send a request and hear its answer
 * @l:        conversation
 * @h:        of net_link_start()
 * @func:     is called for each message of the answer; may be NULL
 * @userdata: for @func
 *
 * Return: 0, errno of the kernel.
 */
int net_link_talk(NetLink *l, struct nlmsghdr *h, mnl_cb_t func, void *userdata) {
        unsigned port = mnl_socket_get_portid(l->socket), seq = h->nlmsg_seq;
        int r;

        if (mnl_socket_sendto(l->socket, h, h->nlmsg_len) < 0)
                return -errno;
        do {
                ssize_t n = mnl_socket_recvfrom(l->socket, l->buffer, sizeof(l->buffer));

                if (n < 0)
                        return -errno;
                r = mnl_cb_run(l->buffer, (size_t) n, seq, port, func, userdata);
        } while (r > MNL_CB_STOP);
        return r < 0 ? -errno : 0;
}

static struct nlmsghdr *start_link(NetLink *l, uint16_t type, unsigned flags, int family, int index) {
        struct nlmsghdr *h = net_link_start(l, type, flags);
        struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

        m->ifi_family = (unsigned char) family;
        m->ifi_index = index;
        return h;
}

static int on_index(const struct nlmsghdr *h, void *userdata) {
        const struct ifinfomsg *m = mnl_nlmsg_get_payload(h);

        *(int *) userdata = m->ifi_index;
        return MNL_CB_OK;
}

/**
 * net_link_index() - the number of an interface
 * @l:    conversation
 * @name: of the interface
 * @ret:  its index
 *
 * Return: 0, -ENODEV.
 */
int net_link_index(NetLink *l, const char *name, int *ret) {
        struct nlmsghdr *h = start_link(l, RTM_GETLINK, 0, AF_UNSPEC, 0);
        int index = 0, r;

        mnl_attr_put_strz(h, IFLA_IFNAME, name);
        r = net_link_talk(l, h, on_index, &index);
        if (r < 0)
                return r;
        *ret = index;
        return index > 0 ? 0 : -ENODEV;
}

static int need_index(NetLink *l, const char *name, int *ret, Error *e) {
        int r = net_link_index(l, name, ret);

        return r < 0 ? error_setf(e, r, "interface %s: %s", name, strerror(-r)) : 0;
}

/**
 * net_link_make_bridge() - a bridge
 * @l:    conversation
 * @name: one that exists already is taken
 * @mac:  6 bytes; without, it would have that of one of its ports, and another one when that goes
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, errno of the kernel.
 */
int net_link_make_bridge(NetLink *l, const char *name, const unsigned char *mac, Error *e) {
        struct nlmsghdr *h = start_link(l, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, AF_UNSPEC, 0);
        struct nlattr *info;
        int r;

        mnl_attr_put_strz(h, IFLA_IFNAME, name);
        mnl_attr_put(h, IFLA_ADDRESS, 6, mac);
        info = mnl_attr_nest_start(h, IFLA_LINKINFO);
        mnl_attr_put_str(h, IFLA_INFO_KIND, "bridge");
        mnl_attr_nest_end(h, info);
        r = net_link_talk(l, h, NULL, NULL);
        return r < 0 && r != -EEXIST ? error_setf(e, r, "cannot make bridge %s: %s", name, strerror(-r)) : 0;
}

/* What a pod sends to a published port of its own comes back to it through the port where it came in. */
static int set_hairpin(NetLink *l, int index) {
        struct nlmsghdr *h = start_link(l, RTM_SETLINK, 0, AF_BRIDGE, index);
        struct nlattr *info = mnl_attr_nest_start(h, IFLA_PROTINFO);

        mnl_attr_put_u8(h, IFLA_BRPORT_MODE, BRIDGE_MODE_HAIRPIN);
        mnl_attr_nest_end(h, info);
        return net_link_talk(l, h, NULL, NULL);
}

/**
 * net_link_hairpin() - let a port of a bridge send back what came in by it
 * @l:    conversation
 * @name: of the interface; one that is no port stays as it is
 */
void net_link_hairpin(NetLink *l, const char *name) {
        int index;

        if (net_link_index(l, name, &index) >= 0)
                (void) set_hairpin(l, index);
}

/**
 * net_link_make_veth() - two interfaces that are joined, one on a bridge and one elsewhere
 * @l:       conversation
 * @name:    of ours, a port of the bridge, up
 * @peer:    of the other
 * @peer_ns: network namespace of the other
 * @bridge:  name
 * @mtu:     bytes, of both
 * @mac:     6 bytes, the other's
 * @e:       sentence on failure; may be NULL
 *
 * Return: 0, errno of the kernel.
 */
int net_link_make_veth(NetLink *l, const char *name, const char *peer, int peer_ns, const char *bridge,
                       unsigned mtu, const unsigned char *mac, Error *e) {
        struct nlattr *info, *data, *other;
        struct nlmsghdr *h;
        struct ifinfomsg *m;
        int index = 0, r = need_index(l, bridge, &index, e);

        if (r < 0)
                return r;
        h = start_link(l, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, AF_UNSPEC, 0);
        m = mnl_nlmsg_get_payload(h);
        m->ifi_flags = m->ifi_change = IFF_UP;
        mnl_attr_put_strz(h, IFLA_IFNAME, name);
        mnl_attr_put_u32(h, IFLA_MTU, mtu);
        mnl_attr_put_u32(h, IFLA_MASTER, (uint32_t) index);
        info = mnl_attr_nest_start(h, IFLA_LINKINFO);
        mnl_attr_put_str(h, IFLA_INFO_KIND, "veth");
        data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
        other = mnl_attr_nest_start(h, VETH_INFO_PEER);
        (void) mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
        mnl_attr_put_strz(h, IFLA_IFNAME, peer);
        mnl_attr_put(h, IFLA_ADDRESS, 6, mac);
        mnl_attr_put_u32(h, IFLA_MTU, mtu);
        mnl_attr_put_u32(h, IFLA_NET_NS_FD, (uint32_t) peer_ns);
        mnl_attr_nest_end(h, other);
        mnl_attr_nest_end(h, data);
        mnl_attr_nest_end(h, info);
        r = net_link_talk(l, h, NULL, NULL);
        if (r < 0)
                return error_setf(e, r, "cannot make interface %s on %s: %s", name, bridge, strerror(-r));
        r = need_index(l, name, &index, e);
        if (r < 0)
                return r;
        r = set_hairpin(l, index);
        return r < 0 ? error_setf(e, r, "cannot set up interface %s on %s: %s", name, bridge, strerror(-r))
                     : 0;
}

/**
 * net_link_up() - switch an interface on
 * @l:    conversation
 * @name: of the interface
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, -ENODEV, errno of the kernel.
 */
int net_link_up(NetLink *l, const char *name, Error *e) {
        struct nlmsghdr *h;
        struct ifinfomsg *m;
        int index = 0, r = need_index(l, name, &index, e);

        if (r < 0)
                return r;
        h = start_link(l, RTM_NEWLINK, 0, AF_UNSPEC, index);
        m = mnl_nlmsg_get_payload(h);
        m->ifi_flags = m->ifi_change = IFF_UP;
        r = net_link_talk(l, h, NULL, NULL);
        return r < 0 ? error_setf(e, r, "cannot switch on interface %s: %s", name, strerror(-r)) : 0;
}

/**
 * net_link_remove() - remove an interface
 * @l:    conversation
 * @name: of the interface; if there is none, that is fine
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, errno of the kernel.
 */
int net_link_remove(NetLink *l, const char *name, Error *e) {
        struct nlmsghdr *h;
        int index = 0, r = net_link_index(l, name, &index);

        if (r == -ENODEV)
                return 0;
        if (r >= 0) {
                h = start_link(l, RTM_DELLINK, 0, AF_UNSPEC, index);
                r = net_link_talk(l, h, NULL, NULL);
        }
        return r < 0 && r != -ENODEV ? error_setf(e, r, "cannot remove interface %s: %s", name, strerror(-r))
                                     : 0;
}

/**
 * net_link_add_address() - give an interface an address
 * @l:       conversation
 * @name:    of the interface
 * @address: "172.16.28.2/24" or "fd00::2/64"; one that it has already is fine
 * @e:       sentence on failure; may be NULL
 *
 * An address of IPv6 is usable at once: we know that nobody else has it.
 *
 * Return: 0, -EINVAL, -ENODEV, errno of the kernel.
 */
int net_link_add_address(NetLink *l, const char *name, const char *address, Error *e) {
        struct ifaddrmsg *m;
        struct nlmsghdr *h;
        int index = 0, r;
        NetAddress p;

        r = parse_address(address, &p, e);
        if (r >= 0)
                r = need_index(l, name, &index, e);
        if (r < 0)
                return r;
        h = net_link_start(l, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
        m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
        m->ifa_family = (unsigned char) p.family;
        m->ifa_prefixlen = (unsigned char) p.length;
        m->ifa_flags = p.family == AF_INET6 ? IFA_F_NODAD : 0;
        m->ifa_index = (unsigned) index;
        mnl_attr_put(h, IFA_LOCAL, p.size, p.bytes);
        mnl_attr_put(h, IFA_ADDRESS, p.size, p.bytes);
        if (p.family == AF_INET) {
                uint32_t host = p.length < 31 ? htonl(UINT32_MAX >> p.length) : 0, broadcast;

                memcpy(&broadcast, p.bytes, sizeof(broadcast));
                broadcast |= host;
                if (host != 0)
                        mnl_attr_put(h, IFA_BROADCAST, sizeof(broadcast), &broadcast);
        }
        r = net_link_talk(l, h, NULL, NULL);
        return r < 0 && r != -EEXIST ? error_setf(e, r, "cannot give interface %s the address %s: %s", name,
                                                  address, strerror(-r))
                                     : 0;
}

/**
 * net_link_add_default_route() - the way to everywhere else
 * @l:       conversation
 * @name:    of the interface
 * @gateway: address
 * @e:       sentence on failure; may be NULL
 *
 * Return: 0, also when there was one already; -EINVAL, -ENODEV, errno of the kernel.
 */
int net_link_add_default_route(NetLink *l, const char *name, const char *gateway, Error *e) {
        struct nlmsghdr *h;
        struct rtmsg *m;
        int index = 0, r;
        NetAddress p;

        r = parse_address(gateway, &p, e);
        if (r >= 0)
                r = need_index(l, name, &index, e);
        if (r < 0)
                return r;
        h = net_link_start(l, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
        m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
        m->rtm_family = (unsigned char) p.family;
        m->rtm_table = RT_TABLE_MAIN;
        m->rtm_protocol = RTPROT_STATIC;
        m->rtm_scope = RT_SCOPE_UNIVERSE;
        m->rtm_type = RTN_UNICAST;
        mnl_attr_put(h, RTA_GATEWAY, p.size, p.bytes);
        mnl_attr_put_u32(h, RTA_OIF, (uint32_t) index);
        r = net_link_talk(l, h, NULL, NULL);
        return r < 0 && r != -EEXIST
                       ? error_setf(e, r, "cannot set the default route by %s: %s", gateway, strerror(-r))
                       : 0;
}

/* One attribute of a number, of many messages. */
typedef struct Number {
        size_t offset; /* of the attributes in the message */
        uint16_t type;
        uint32_t value;
        bool found;
} Number;

static int on_attribute(const struct nlattr *a, void *userdata) {
        Number *n = userdata;

        if (mnl_attr_get_type(a) == n->type && mnl_attr_validate(a, MNL_TYPE_U32) >= 0) {
                n->value = mnl_attr_get_u32(a);
                n->found = true;
        }
        return MNL_CB_OK;
}

static int on_message(const struct nlmsghdr *h, void *userdata) {
        Number *n = userdata;

        return mnl_attr_parse(h, (unsigned) n->offset, on_attribute, n);
}

/* Through which interface the kernel would send. */
static int find_way(NetLink *l, const NetAddress *to, int *ret) {
        Number out = { .offset = sizeof(struct rtmsg), .type = RTA_OIF };
        struct nlmsghdr *h = net_link_start(l, RTM_GETROUTE, 0);
        struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
        int r;

        m->rtm_family = (unsigned char) to->family;
        m->rtm_dst_len = (unsigned char) (to->size * 8);
        mnl_attr_put(h, RTA_DST, to->size, to->bytes);
        r = net_link_talk(l, h, on_message, &out);
        if (r >= 0 && !out.found)
                r = -ENETUNREACH;
        if (r >= 0)
                *ret = (int) out.value;
        return r;
}

static int on_kind(const struct nlattr *a, void *userdata) {
        if (mnl_attr_get_type(a) == IFLA_INFO_KIND && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)
                *(bool *) userdata =
                        streq(mnl_attr_get_str(a), "bridge") || streq(mnl_attr_get_str(a), "veth");
        return MNL_CB_OK;
}

static int on_link_info(const struct nlattr *a, void *userdata) {
        return mnl_attr_get_type(a) == IFLA_LINKINFO ? mnl_attr_parse_nested(a, on_kind, userdata)
                                                     : MNL_CB_OK;
}

static int on_link(const struct nlmsghdr *h, void *userdata) {
        return mnl_attr_parse(h, sizeof(struct ifinfomsg), on_link_info, userdata);
}

/* Of the kinds that are made for pods, and not what leads to the rest of the world. */
static bool is_for_pods(NetLink *l, int index) {
        static const char *const nowhere[] = { NOWHERE, "2001:db8::1" };
        bool ok = false;

        FOREACH_ARRAY (s, nowhere, ELEMENTSOF(nowhere)) {
                NetAddress a;
                int uplink = 0;

                if (net_address_parse(*s, &a) >= 0 && find_way(l, &a, &uplink) >= 0 && uplink == index)
                        return false;
        }
        return net_link_talk(l, start_link(l, RTM_GETLINK, 0, AF_UNSPEC, index), on_link, &ok) >= 0 && ok;
}

/**
 * net_link_way() - the interface that leads to a pod
 * @l:       conversation about this thread's network
 * @address: of the pod; may have a prefix, which does not count
 * @ret:     name
 *
 * Return: 0, -EINVAL, -ENETUNREACH: only one that leads elsewhere, too; errno of the kernel.
 */
int net_link_way(NetLink *l, const char *address, char ret[16]) {
        NetAddress a;
        int index = 0, r = net_address_parse(address, &a);

        if (r >= 0)
                r = find_way(l, &a, &index);
        if (r >= 0 && !is_for_pods(l, index))
                r = -ENETUNREACH;
        return r < 0 ? r : if_indextoname((unsigned) index, ret) ? 0 : -errno;
}

/**
 * net_link_default_mtu() - how large a packet may be on the way out of this host
 * @l:   conversation
 * @ret: bytes: of the interface that leads out, as the kernel would choose for an address that nobody has; 1500 without one, and
 *       never less than IPv6 needs
 */
void net_link_default_mtu(NetLink *l, unsigned *ret) {
        NetAddress nowhere;
        Number mtu = { .offset = sizeof(struct ifinfomsg), .type = IFLA_MTU };
        int index = 0, r = net_address_parse(NOWHERE, &nowhere);

        if (r >= 0)
                r = find_way(l, &nowhere, &index);
        if (r >= 0)
                r = net_link_talk(l, start_link(l, RTM_GETLINK, 0, AF_UNSPEC, index), on_message, &mtu);
        *ret = r >= 0 && mtu.value > 0 && mtu.value <= 65535 ? MAX(mtu.value, MTU_LEAST) : MTU_FALLBACK;
}
