/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bridge with the first address of the network, and for each pod a pair of interfaces. Addresses, rules and names are the
 * same whoever makes the interfaces: we, or the plugins "bridge" and "static" where they are installed. */
#include "run/net-builtin.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/json-write.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "run/cni.h"
#include "run/net-namespace.h"
#include "run/net-overlap.h"

/* For the host's prefix of IPv6: not to be changed. */
#define PREFIX_APP SD_ID128_MAKE(c0, 5b, 2a, 6e, 13, 8d, 4f, 0c, 9e, 1b, 77, 52, d4, 0a, e3, 96)

static const NetBuiltin builtins[] = {
        { "default", "rkt0", "172.16.28.0/24", 1, false },
        { "default-restricted", "rkt1", "172.31.0.0/16", 2, true },
};

/**
 * net_builtin_find() - a built-in network by name
 * @name: its name
 *
 * Return: NULL if there is none.
 */
const NetBuiltin *net_builtin_find(const char *name) {
        FOREACH_ARRAY (b, builtins, ELEMENTSOF(builtins))
                if (streq(b->name, name))
                        return b;
        return NULL;
}

/**
 * net_builtin_has_plugins() - can plugins make them?
 *
 * Return: true where both plugins are installed.
 */
bool net_builtin_has_plugins(void) {
        _cleanup_free_ char *bridge = NULL, *ipam = NULL;

        return cni_find_plugin("bridge", &bridge) >= 0 && cni_find_plugin("static", &ipam) >= 0;
}

/* A unique local prefix (RFC 4193) of the host's own: always the same, and another one on another host. None where IPv6 is
 * switched off. */
static bool find_subnet6(const NetBuiltin *b, char ret[NET_ADDRESS_MAX]) {
        _cleanup_free_ char *off = NULL;
        sd_id128_t id;
        size_t size;

        if (file_read_at(AT_FDCWD, "/proc/sys/net/ipv6/conf/all/disable_ipv6", 16, &off, &size) < 0 ||
            *off != '0' || sd_id128_get_machine_app_specific(PREFIX_APP, &id) < 0)
                return false;
        (void) snprintf(ret, NET_ADDRESS_MAX, "fd%02x:%02x%02x:%02x%02x:%x::/64", id.bytes[0], id.bytes[1],
                        id.bytes[2], id.bytes[3], id.bytes[4], b->subnet6);
        return true;
}

/* Who had an address before is remembered by its neighbours, for a minute or so: the next pod with that address answers to the
 * same number. */
static bool find_mac(char *const *addresses, unsigned char ret[6]) {
        NetAddress address;

        for (char *const *s = addresses; s && *s; s++)
                if (net_address_parse(*s, &address) >= 0 && address.family == AF_INET) {
                        ret[0] = 0x02; /* ours, not a maker's */
                        ret[1] = 0x52;
                        memcpy(ret + 2, address.bytes, 4);
                        return true;
                }
        return false;
}

/* What "NAME:key=value,..." asks of it. */
typedef struct Wanted {
        char *ip;
        char *ip6;
} Wanted;

static void wanted_done(Wanted *w) {
        free(w->ip);
        free(w->ip6);
}

static int read_args(const NetBuiltin *b, const char *args, Wanted *ret, Error *e) {
        _cleanup_strv_free_ char **words = NULL;
        int r = strv_split(str_or(args, ""), ";", &words);

        STRV_FOREACH (w, words) {
                const char *eq = strchr(*w, '=');

                if (r < 0 || !**w)
                        continue;
                if (startswith(*w, "IP="))
                        r = str_replace(strchr(eq, ':') ? &ret->ip6 : &ret->ip, eq + 1);
                else if (!startswith(*w, "IgnoreUnknown="))
                        return error_setf(e, -EINVAL,
                                          "network %s: ARGS: unknown args [\"%s\"] (there is IP=ADDRESS)",
                                          b->name, *w);
        }
        return r < 0 ? error_oom(e) : 0;
}

static int add_lease(const NetBuiltin *b, const NetStates *states, const char *subnet, const char *wanted,
                     NetAttachment *a, Error *e) {
        char address[NET_ADDRESS_MAX], gateway[NET_ADDRESS_MAX];
        NetAddress network;
        int r = net_lease_take(states, b->name, subnet, wanted, address, e);

        if (r < 0)
                return r;
        (void) net_address_parse(subnet, &network);
        network = net_address_nth(&network, 1);
        net_address_to_string(&network, false, gateway);
        if (strv_extend(&a->addresses, address) < 0 || strv_extend(&a->gateways, gateway) < 0)
                return error_oom(e);
        return 0;
}

/* The two addresses of a pod go together, as long as nobody has the one that goes with the other. */
static int add_lease6(const NetBuiltin *b, const NetStates *states, const char *subnet6, const char *wanted,
                      NetAttachment *a, Error *e) {
        NetAddress network, four, six;
        char text[NET_ADDRESS_MAX];
        unsigned n = 0;

        if (wanted || net_address_parse(b->subnet, &network) < 0 ||
            net_address_parse(*a->addresses, &four) < 0 || net_address_parse(subnet6, &six) < 0)
                return add_lease(b, states, subnet6, wanted, a, e);
        for (size_t i = 0; i < four.size; i++)
                n = (n << 8) + (unsigned) (four.bytes[i] - network.bytes[i]);
        six = net_address_nth(&six, n);
        net_address_to_string(&six, false, text);
        return add_lease(b, states, subnet6, text, a, NULL) >= 0 ? 0
                                                                 : add_lease(b, states, subnet6, NULL, a, e);
}

/**
 * net_builtin_lease() - addresses for a pod
 * @b:      network
 * @states: all pods, locked
 * @a:      its args are read; addresses, gateways, host_ifs, masquerade and restricted are set
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0; what net_lease_take() returns.
 */
int net_builtin_lease(const NetBuiltin *b, const NetStates *states, NetAttachment *a, Error *e) {
        _cleanup_(wanted_done) Wanted wanted = {};
        char subnet6[NET_ADDRESS_MAX];
        int r = read_args(b, a->args, &wanted, e);

        if (r >= 0)
                r = add_lease(b, states, b->subnet, wanted.ip, a, e);
        if (r >= 0 && find_subnet6(b, subnet6))
                r = add_lease6(b, states, subnet6, wanted.ip6, a, e);
        if (r >= 0 && strv_extend(&a->host_ifs, b->bridge) < 0)
                r = error_oom(e);
        a->masquerade = !b->restricted;
        a->restricted = b->restricted;
        return r;
}

static void write_member(JsonWriter *w, const char *key, const char *value) {
        json_write_key(w, key);
        json_write_string(w, value);
}

static void write_true(JsonWriter *w, const char *key) {
        json_write_key(w, key);
        json_write_boolean(w, true);
}

static void write_ipam(JsonWriter *w, const NetBuiltin *b, const NetAttachment *a) {
        json_write_key(w, "ipam");
        json_write_begin_object(w);
        write_member(w, "type", "static");
        json_write_key(w, "addresses");
        json_write_begin_array(w);
        for (size_t i = 0; a->addresses[i]; i++) {
                json_write_begin_object(w);
                write_member(w, "address", a->addresses[i]);
                write_member(w, "gateway", a->gateways[i]);
                json_write_end_object(w);
        }
        json_write_end_array(w);
        json_write_key(w, "routes");
        json_write_begin_array(w);
        for (size_t i = 0; a->addresses[i] && !b->restricted; i++) {
                json_write_begin_object(w);
                write_member(w, "dst", strchr(a->addresses[i], ':') ? "::/0" : "0.0.0.0/0");
                json_write_end_object(w);
        }
        json_write_end_array(w);
        json_write_end_object(w);
}

/**
 * net_builtin_conf() - the network for plugins
 * @b:   network
 * @a:   with its leases
 * @mtu: bytes
 * @ret: a conflist, to free()
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, -ENOMEM.
 */
int net_builtin_conf(const NetBuiltin *b, const NetAttachment *a, unsigned mtu, char **ret, Error *e) {
        _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;

        json_write_begin_object(&w);
        write_member(&w, "cniVersion", "1.0.0");
        write_member(&w, "name", b->name);
        json_write_key(&w, "plugins");
        json_write_begin_array(&w);
        json_write_begin_object(&w);
        write_member(&w, "type", "bridge");
        write_member(&w, "bridge", b->bridge);
        write_true(&w, "isGateway");
        write_true(&w, "hairpinMode");
        json_write_key(&w, "capabilities");
        json_write_begin_object(&w);
        write_true(&w, "mac");
        json_write_end_object(&w);
        json_write_key(&w, "mtu");
        json_write_uint(&w, mtu);
        write_ipam(&w, b, a);
        json_write_end_object(&w);
        json_write_end_array(&w);
        json_write_end_object(&w);
        return json_writer_steal(&w, ret) < 0 ? error_oom(e) : 0;
}

/**
 * net_builtin_runtime() - what plugins are told besides the network
 * @a:   with its leases
 * @ret: text of runtimeConfig, to free()
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, -ENOMEM.
 */
int net_builtin_runtime(const NetAttachment *a, char **ret, Error *e) {
        unsigned char m[6];

        if (!find_mac(a->addresses, m))
                return 0;
        *ret = strf("{\"mac\":\"%02x:%02x:%02x:%02x:%02x:%02x\"}", m[0], m[1], m[2], m[3], m[4], m[5]);
        return *ret ? 0 : error_oom(e);
}

/* 15 letters are the most. Names that start with "ve-" are networkd's and nspawn's. */
static void veth_name(const char *uuid, const char *if_name, char ret[16]) {
        (void) snprintf(ret, 16, "rkt-%.8s-%.2s", uuid, if_name + strcspn(if_name, "0123456789"));
}

static bool is_on(const char *path) {
        _cleanup_free_ char *value = NULL;
        size_t size;

        return path && file_read_at(AT_FDCWD, path, 16, &value, &size) >= 0 && *value == '1';
}

/* An interface that forwards IPv6 listens to routers no more, unless it is told to. One that forwards already has not listened;
 * "all" is none; "default" is what later ones begin with. */
static void keep_router_advertisements(void) {
        _cleanup_strv_free_ char **names = NULL;

        if (dir_list_at(AT_FDCWD, "/proc/sys/net/ipv6/conf", &names) < 0)
                return;
        STRV_FOREACH (n, names) {
                _cleanup_free_ char *listens = strf("/proc/sys/net/ipv6/conf/%s/accept_ra", *n),
                                    *forwards = strf("/proc/sys/net/ipv6/conf/%s/forwarding", *n),
                                    *key = strf("ipv6/conf/%s/accept_ra", *n);

                if (key && forwards && !streq(*n, "all") && is_on(listens) && !is_on(forwards))
                        (void) net_sysctl_write(key, "2");
        }
}

/* No pod is a router of the host's. */
static void ignore_router_advertisements(const char *bridge) {
        _cleanup_free_ char *key = strf("ipv6/conf/%s/accept_ra", bridge);

        if (key)
                (void) net_sysctl_write(key, "0"); /* there is none without IPv6 */
}

/**
 * net_builtin_check() - does nothing else on the host have such addresses?
 * @b:    network
 * @host: conversation about the host
 * @a:    with its leases
 * @e:    names the interface that has; may be NULL
 *
 * Return: 0, -EADDRINUSE, errno of the kernel.
 */
int net_builtin_check(const NetBuiltin *b, NetLink *host, const NetAttachment *a, Error *e) {
        int r = 0;

        for (char **x = a->addresses; r >= 0 && x && *x; x++)
                r = net_overlap_check(host, b->name, b->bridge, *x, e);
        return r;
}

/**
 * net_builtin_forward() - the host passes packets on
 * @e: sentence on failure; may be NULL
 *
 * Return: 0, errno of writing the kernel setting.
 */
int net_builtin_forward(Error *e) {
        int r = is_on("/proc/sys/net/ipv4/ip_forward") ? 0 : net_sysctl_write("ipv4/ip_forward", "1");

        if (r < 0)
                return error_setf(e, r, "cannot set net.ipv4.ip_forward: %s", strerror(-r));
        if (!is_on("/proc/sys/net/ipv6/conf/all/forwarding")) {
                keep_router_advertisements();
                (void) net_sysctl_write("ipv6/conf/all/forwarding", "1");
        }
        return 0;
}

static int add_inside(const NetBuiltin *b, NetLink *inside, const NetAttachment *a, Error *e) {
        int r = 0;

        for (char **x = a->addresses; r >= 0 && x && *x; x++)
                r = net_link_add_address(inside, a->if_name, *x, e);
        if (r >= 0)
                r = net_link_up(inside, a->if_name, e);
        for (char **g = a->gateways; r >= 0 && g && *g && !b->restricted; g++)
                r = net_link_add_default_route(inside, a->if_name, *g, e);
        return r;
}

/**
 * net_builtin_add_bridge() - make a network's bridge, or find it made
 * @b:    network
 * @host: conversation about the host
 * @a:    with its leases
 * @e:    sentence on failure; may be NULL
 *
 * Gateways are addresses of the bridge, with the prefix of the pod's. The kernel does not look for others who have them: that takes
 * a second or two, in which the host cannot send from them. So this comes before plugins, which would let it look.
 *
 * Return: 0, errno of the kernel.
 */
int net_builtin_add_bridge(const NetBuiltin *b, NetLink *host, const NetAttachment *a, Error *e) {
        unsigned char mac[6] = { 0x02 };
        int r;

        (void) find_mac(a->gateways, mac);
        r = net_link_make_bridge(host, b->bridge, mac, e);
        if (r >= 0)
                ignore_router_advertisements(b->bridge);
        for (size_t i = 0; r >= 0 && a->addresses[i]; i++) {
                _cleanup_free_ char *address = strf("%s%s", a->gateways[i], strchr(a->addresses[i], '/'));

                r = address ? net_link_add_address(host, b->bridge, address, e) : error_oom(e);
        }
        return r < 0 ? r : net_link_up(host, b->bridge, e);
}

/**
 * net_builtin_add() - make the interfaces of a pod
 * @b:      network, with its bridge
 * @host:   conversation about the host
 * @inside: conversation about the pod
 * @pod_ns: network namespace of the pod
 * @uuid:   of the pod
 * @a:      with its leases
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0, errno of the kernel.
 */
int net_builtin_add(const NetBuiltin *b, NetLink *host, NetLink *inside, int pod_ns, const char *uuid,
                    const NetAttachment *a, Error *e) {
        unsigned char mac[6] = { 0x02 };
        char name[16];
        unsigned mtu;
        int r;

        (void) find_mac(a->addresses, mac);
        veth_name(uuid, a->if_name, name);
        net_link_default_mtu(host, &mtu);
        r = net_link_make_veth(host, name, a->if_name, pod_ns, b->bridge, mtu, mac, e);
        return r < 0 ? r : add_inside(b, inside, a, e);
}

/**
 * net_builtin_remove() - remove the interfaces of a pod
 * @host: conversation about the host
 * @uuid: of the pod
 * @a:    as it was for net_builtin_add()
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, errno of the kernel.
 */
int net_builtin_remove(NetLink *host, const char *uuid, const NetAttachment *a, Error *e) {
        char name[16];

        veth_name(uuid, a->if_name, name);
        return net_link_remove(host, name, e);
}

/* True if a pod is on the bridge, or soon will be. */
static bool is_used(const NetBuiltin *b, const NetStates *states) {
        for (size_t i = 0; i < states->n; i++)
                FOREACH_ARRAY (a, states->items[i]->networks, states->items[i]->n_networks)
                        if (streq(a->name, b->name))
                                return true;
        return false;
}

/**
 * net_builtin_sweep() - remove bridges that no pod needs
 * @host:   conversation about the host
 * @states: all pods, locked
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0, errno of the kernel.
 */
int net_builtin_sweep(NetLink *host, const NetStates *states, Error *e) {
        int r = 0, index;

        FOREACH_ARRAY (b, builtins, ELEMENTSOF(builtins))
                if (r >= 0 && !is_used(b, states) && net_link_index(host, b->bridge, &index) >= 0) {
                        r = net_link_has_ports(host, b->bridge, e);
                        if (r == 0)
                                r = net_link_remove(host, b->bridge, e);
                }
        return r < 0 ? r : 0;
}
