/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* .network files become networks of the Container Network Interface in net.d. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "basic/json-write.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "podfile/quadlet-set.h"

#define RANGES_MAX    8
#define BRIDGE_MAX    15 /* of an interface's name */
#define ADDRESSES_MAX 16

typedef struct Network {
        QuadletImport *import;
        Quadlet *unit;
        char *name;
        const char *driver, *parent, *mode, *bridge, *mtu, *vlan, *ipam;
        const char *subnets[RANGES_MAX], *gateways[RANGES_MAX], *ranges[RANGES_MAX];
        size_t n_subnets, n_gateways, n_ranges;
        const char *dns[ADDRESSES_MAX];
        size_t n_dns;
        char automatic[sizeof("10.89.255.0/24")];
        bool is_internal, has_v4, has_v6;
} Network;

static int refuse(Network *n, const QuadletLine *line, const char *why) {
        n->unit->is_refused = true;
        return quadlet_note(n->import, line, NULL, "%s", why);
}

/* "10.1.0.0/24": the first and the last address of an IPv4 one. */
static bool parse_cidr(const char *s, bool *ret_v6, uint32_t *ret_first, uint32_t *ret_last) {
        char copy[INET6_ADDRSTRLEN + 8], *slash;
        struct in_addr v4;
        struct in6_addr v6;
        unsigned bits;

        if (strlen(s) >= sizeof(copy))
                return false;
        memcpy(copy, s, strlen(s) + 1);
        slash = strchr(copy, '/');
        if (!slash)
                return false;
        *slash++ = '\0';
        *ret_v6 = strchr(copy, ':');
        if (parse_uint(slash, *ret_v6 ? 128 : 32, &bits) < 0)
                return false;
        if (*ret_v6)
                return inet_pton(AF_INET6, copy, &v6) == 1;
        if (inet_pton(AF_INET, copy, &v4) != 1)
                return false;
        *ret_first = ntohl(v4.s_addr) & (bits == 0 ? 0 : UINT32_MAX << (32 - bits));
        *ret_last = bits == 32 ? *ret_first : *ret_first | (UINT32_MAX >> bits);
        return true;
}

static bool is_address(const char *s) {
        unsigned char bytes[16];

        return inet_pton(AF_INET, s, bytes) == 1 || inet_pton(AF_INET6, s, bytes) == 1;
}

static int add_address(Network *n, const QuadletLine *l, const char **list, size_t *n_list, size_t max,
                       bool is_cidr) {
        uint32_t first, last;
        bool v6 = strchr(l->value, ':');

        if (*n_list >= max)
                return refuse(n, l, "too many");
        if (is_cidr ? !parse_cidr(l->value, &v6, &first, &last) : !is_address(l->value))
                return refuse(n, l, is_cidr ? "not a network (10.1.0.0/24)" : "not an address");
        list[(*n_list)++] = l->value;
        if (list == n->subnets) {
                n->has_v4 = n->has_v4 || !v6;
                n->has_v6 = n->has_v6 || v6;
        }
        return 0;
}

static int option(Network *n, const QuadletLine *l) {
        static const struct {
                const char *name;
                size_t offset;
        } known[] = {
                { "mtu=", offsetof(Network, mtu) },
                { "vlan=", offsetof(Network, vlan) },
                { "parent=", offsetof(Network, parent) },
                { "mode=", offsetof(Network, mode) },
        };
        unsigned number;

        FOREACH_ARRAY (k, known, ELEMENTSOF(known)) {
                const char *value = startswith(l->value, k->name);

                if (!value)
                        continue;
                if (k->offset <= offsetof(Network, vlan) && k->offset != offsetof(Network, mode) &&
                    (streq(k->name, "mtu=") || streq(k->name, "vlan=")) &&
                    parse_uint(value, 65535, &number) < 0)
                        return refuse(n, l, "not a number");
                memcpy((char *) n + k->offset, &value, sizeof(value));
                return 0;
        }
        if (startswith(l->value, "isolate") && !strstr(l->value, "false"))
                return refuse(n, l,
                              "has no counterpart: keep pods apart by networks of their own, and a "
                              "firewall plugin in the .conflist");
        return quadlet_note(n->import, l, NULL, "has no counterpart: see the plugin's own words");
}

static int network_line(Network *n, const QuadletLine *l) {
        const char *k = l->key;

        if (streq(k, "Subnet"))
                return add_address(n, l, n->subnets, &n->n_subnets, RANGES_MAX, true);
        if (streq(k, "Gateway"))
                return add_address(n, l, n->gateways, &n->n_gateways, RANGES_MAX, false);
        if (streq(k, "IPRange"))
                return add_address(n, l, n->ranges, &n->n_ranges, RANGES_MAX, true);
        if (streq(k, "DNS"))
                return add_address(n, l, n->dns, &n->n_dns, ADDRESSES_MAX, false);
        if (streq(k, "Driver"))
                n->driver = l->value;
        else if (streq(k, "IPAMDriver"))
                n->ipam = l->value;
        else if (streq(k, "InterfaceName"))
                n->bridge = l->value;
        else if (streq(k, "Internal"))
                n->is_internal = quadlet_boolean(l->value) != 0;
        else if (streq(k, "Options"))
                return option(n, l);
        else if (!streq(k, "NetworkName") && !streq(k, "NetworkDeleteOnStop"))
                return quadlet_note(n->import, l, NULL,
                                    streq(k, "IPv6") ? "say a Subnet= of IPv6, which is not chosen by itself"
                                    : streq(k, "DisableDNS")
                                            ? "has no counterpart: pods of a network know each other by "
                                              "/etc/hosts, and there is no name server"
                                            : "has no counterpart in a network of rkt's");
        return 0;
}

static uint32_t hash_of(const char *name) {
        uint32_t hash = 5381;

        for (const char *p = name; *p; p++)
                hash = hash * 33 + (unsigned char) *p;
        return hash;
}

static bool overlap(const char *a, const char *b) {
        uint32_t first[2], last[2];
        bool v6[2];

        return parse_cidr(a, &v6[0], &first[0], &last[0]) && parse_cidr(b, &v6[1], &first[1], &last[1]) &&
               !v6[0] && !v6[1] && first[0] <= last[1] && first[1] <= last[0];
}

/* What another network of this import says, or was given. */
static bool is_subnet_taken(const QuadletImport *x, const char *subnet) {
        STRV_FOREACH (s, x->subnets)
                if (overlap(*s, subnet))
                        return true;
        FOREACH_ARRAY (q, x->units, x->n_units)
                FOREACH_ARRAY (l, q->lines, q->n_lines)
                        if (q->kind == QUADLET_NETWORK && !l->is_done && streq(l->key, "Subnet") &&
                            overlap(l->value, subnet))
                                return true;
        return false;
}

/* Podman chooses one that is free; here the name chooses, among those that this import leaves. */
static int choose_subnet(Network *n) {
        const QuadletLine l = { .file = n->unit->files[0] };
        uint32_t hash = hash_of(n->name);
        unsigned i;

        for (i = 0; i < 256; i++) {
                (void) snprintf(n->automatic, sizeof(n->automatic), "10.89.%u.0/24",
                                (unsigned) ((hash + i) % 256));
                if (!is_subnet_taken(n->import, n->automatic))
                        break;
        }
        if (i == 256)
                return refuse(n, &l, "no network of 10.89.0.0/16 is left: say Subnet=");
        if (strv_extend(&n->import->subnets, n->automatic) < 0)
                return -ENOMEM;
        n->subnets[n->n_subnets++] = n->automatic;
        n->has_v4 = true;
        return quadlet_note(n->import, &l, NULL,
                            "without Subnet=, %s was chosen: see that nobody else has it", n->automatic);
}

static void write_text_key(JsonWriter *w, const char *key, const char *value) {
        json_write_key(w, key);
        json_write_string(w, value);
}

static void write_range(JsonWriter *w, const char *range) {
        uint32_t first, last;
        char text[INET_ADDRSTRLEN];
        bool v6;

        if (!parse_cidr(range, &v6, &first, &last) || v6)
                return;
        first = htonl(first);
        last = htonl(last);
        write_text_key(w, "rangeStart", inet_ntop(AF_INET, &first, text, sizeof(text)));
        write_text_key(w, "rangeEnd", inet_ntop(AF_INET, &last, text, sizeof(text)));
}

static void write_ipam(const Network *n, JsonWriter *w) {
        static const char *const routes[] = { "0.0.0.0/0", "::/0" };

        json_write_key(w, "ipam");
        json_write_begin_object(w);
        write_text_key(w, "type", streq_ptr(n->ipam, "dhcp") ? "dhcp" : "host-local");
        if (streq_ptr(n->ipam, "dhcp")) {
                json_write_end_object(w);
                return;
        }
        json_write_key(w, "ranges");
        json_write_begin_array(w);
        for (size_t i = 0; i < n->n_subnets; i++) {
                json_write_begin_array(w);
                json_write_begin_object(w);
                write_text_key(w, "subnet", n->subnets[i]);
                if (i < n->n_gateways)
                        write_text_key(w, "gateway", n->gateways[i]);
                if (i < n->n_ranges)
                        write_range(w, n->ranges[i]);
                json_write_end_object(w);
                json_write_end_array(w);
        }
        json_write_end_array(w);
        if (!n->is_internal) {
                json_write_key(w, "routes");
                json_write_begin_array(w);
                for (size_t i = 0; i < 2; i++)
                        if (i == 0 ? n->has_v4 : n->has_v6) {
                                json_write_begin_object(w);
                                write_text_key(w, "dst", routes[i]);
                                json_write_end_object(w);
                        }
                json_write_end_array(w);
        }
        json_write_end_object(w);
}

static void write_number_key(JsonWriter *w, const char *key, const char *number) {
        unsigned v;

        if (number && parse_uint(number, 65535, &v) >= 0) {
                json_write_key(w, key);
                json_write_uint(w, v);
        }
}

static void write_bridge(const Network *n, JsonWriter *w) {
        char bridge[BRIDGE_MAX + 1];

        if (n->bridge || strlen(n->name) + 2 <= BRIDGE_MAX)
                (void) snprintf(bridge, sizeof(bridge), "%s%s", n->bridge ? "" : "q-",
                                n->bridge ? n->bridge : n->name);
        else /* cut, it might be another network's */
                (void) snprintf(bridge, sizeof(bridge), "q-%.6s-%06x", n->name,
                                (unsigned) (hash_of(n->name) & 0xffffff));
        write_text_key(w, "bridge", bridge);
        json_write_key(w, "isGateway");
        json_write_boolean(w, !n->is_internal);
        json_write_key(w, "ipMasq");
        json_write_boolean(w, !n->is_internal);
        write_number_key(w, "vlan", n->vlan);
}

static int write_network(const Network *n) {
        _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;
        bool is_bridge = !n->driver || streq(n->driver, "bridge");
        char *text = NULL;

        w.flags = JSON_WRITE_PRETTY;
        json_write_begin_object(&w);
        write_text_key(&w, "cniVersion", "1.0.0");
        write_text_key(&w, "name", n->name);
        json_write_key(&w, "plugins");
        json_write_begin_array(&w);
        json_write_begin_object(&w);
        write_text_key(&w, "type", n->driver ? n->driver : "bridge");
        if (is_bridge)
                write_bridge(n, &w);
        else if (n->parent)
                write_text_key(&w, "master", n->parent);
        if (!is_bridge && n->mode)
                write_text_key(&w, "mode", n->mode);
        write_number_key(&w, "mtu", n->mtu);
        write_ipam(n, &w);
        if (n->n_dns > 0) {
                json_write_key(&w, "dns");
                json_write_begin_object(&w);
                json_write_key(&w, "nameservers");
                json_write_begin_array(&w);
                for (size_t i = 0; i < n->n_dns; i++)
                        json_write_string(&w, n->dns[i]);
                json_write_end_array(&w);
                json_write_end_object(&w);
        }
        json_write_end_object(&w);
        json_write_end_array(&w);
        json_write_end_object(&w);
        if (json_writer_steal(&w, &text) < 0)
                return -ENOMEM;
        return quadlet_add_result(n->import, strf("net.d/%s.conflist", n->name), text, n->unit->mode);
}

static int check_network(Network *n) {
        const QuadletLine l = { .file = n->unit->files[0] };

        if (n->driver && !streq(n->driver, "bridge") && !streq(n->driver, "macvlan") &&
            !streq(n->driver, "ipvlan"))
                return refuse(n, &l, "this driver has no counterpart (bridge, macvlan and ipvlan have)");
        if (n->ipam && !streq(n->ipam, "host-local") && !streq(n->ipam, "dhcp"))
                return refuse(n, &l, "this IPAM driver has no counterpart (host-local and dhcp have)");
        if (n->bridge && (strlen(n->bridge) > BRIDGE_MAX || strpbrk(n->bridge, "/ :")))
                return refuse(n, &l, "InterfaceName= is no name of an interface");
        return n->n_subnets > 0 || streq_ptr(n->ipam, "dhcp") ? 0 : choose_subnet(n);
}

/* Words of Network= that mean something else than a file in net.d, or one of rkt's own. */
static bool is_reserved(const char *name) {
        static const char *const reserved[] = { "all", "default", "default-restricted", "host", "none" };

        FOREACH_ARRAY (r, reserved, ELEMENTSOF(reserved))
                if (streq(*r, name))
                        return true;
        return false;
}

/* Name in net.d: NetworkName=, else the file's; a reserved one gets "systemd-" in front, as Podman has it for all. */
static int network_name(const Quadlet *q, char **ret) {
        const char *said = quadlet_value(q, "NetworkName");
        _cleanup_free_ char *name = NULL;
        int r = quadlet_valid_name(said ? said : q->name, &name);

        if (r < 0)
                return r;
        *ret = is_reserved(name) ? strf("systemd-%s", name) : TAKE_PTR(name);
        return *ret ? 0 : -ENOMEM;
}

static bool has_result(const QuadletImport *x, const char *name) {
        _cleanup_free_ char *path = strf("net.d/%s.conflist", name);

        FOREACH_ARRAY (o, x->results, x->n_results)
                if (path && streq(o->name, path))
                        return true;
        return false;
}

/**
 * quadlet_network() - a network of net.d for a .network
 * @x: the import
 * @q: the unit; refused when it has no counterpart
 *
 * Return: 0 or -ENOMEM.
 */
int quadlet_network(QuadletImport *x, Quadlet *q) {
        Network n = { .import = x, .unit = q };
        int r = network_name(q, &n.name);

        FOREACH_ARRAY (l, q->lines, q->n_lines) {
                if (r < 0 || l->is_done)
                        continue;
                r = streq(l->section, "Network")
                            ? network_line(&n, l)
                            : quadlet_note(x, l, NULL,
                                           "has no counterpart: a network has no unit, and "
                                           "is made with the first pod");
        }
        if (r >= 0 && has_result(x, n.name)) {
                const QuadletLine whole = { .file = q->files[0] };

                r = refuse(&n, &whole, "another network among the files has this name, too: rename one");
        } else if (r >= 0)
                r = check_network(&n);
        if (r >= 0 && q->is_refused)
                x->n_refused++;
        else if (r >= 0)
                r = write_network(&n);
        free(n.name);
        return r;
}

/* ---- Network= of a container or pod ---- */

static int add_network(Draft *d, const QuadletLine *line, const char *name, const char *arguments) {
        _cleanup_strv_free_ char **words = NULL, **out = NULL;
        _cleanup_free_ char *text = NULL;
        int r = strv_split(str_or(arguments, ""), ",", &words);

        STRV_FOREACH (w, words) {
                if (r < 0)
                        break;
                if (startswith(*w, "ip="))
                        r = strv_extendf(&out, "IP=%s", *w + 3);
                else if (startswith(*w, "mac="))
                        r = strv_extend(&out, *w);
                else
                        r = draft_note(d, line, "'%.100s' has no counterpart, and is left out", *w);
        }
        if (r >= 0 && d->ip)
                r = strv_extendf(&out, "IP=%s", d->ip->value);
        d->ip = NULL;
        if (r >= 0)
                r = strv_join(out, ",", &text);
        d->has_network = true;
        return r < 0 ? r
                     : draft_add(d, DRAFT_POD, line, true, "Network=%s%s%s", name, *text ? ":" : "", text);
}

QUADLET_SETTER(network) {
        const char *colon = strchr(value, ':');
        _cleanup_free_ char *word = strndup(value, strcspn(value, ":")), *name = NULL;
        Quadlet *q;
        int r;

        (void) key;
        if (!word)
                return -ENOMEM;
        if (d->is_member)
                return draft_note(d, line, "the network is the pod's");
        if (streq(word, "none") || streq(word, "host"))
                return add_network(d, line, word, NULL);
        if (streq(word, "bridge") || streq(word, "private"))
                return add_network(d, line, "default", colon ? colon + 1 : NULL);
        if (streq(word, "pasta") || streq(word, "slirp4netns")) {
                r = draft_note(d, line, "has no counterpart: a bridge with NAT (\"default\") instead");
                return r < 0 ? r : add_network(d, line, "default", NULL);
        }
        if (streq(word, "container") || streq(word, "ns") || endswith(word, ".container"))
                return draft_refuse(d, line,
                                    "the network of another container has no counterpart: put both as "
                                    "[App] into one pod file (with Quadlet: Pod=)");
        q = quadlet_find_file(d->import, word);
        if (endswith(word, ".network") && (!q || q->is_refused))
                return draft_refuse(d, line, q ? "'%s' was refused" : "there is no '%s' among the files",
                                    word);
        r = q ? network_name(q, &name) : quadlet_valid_name(word, &name);
        if (r >= 0 && !q && is_reserved(name))
                return draft_refuse(
                        d, line,
                        "a network of Podman's called '%.100s' would be rkt's own '%s' here: rename it", word,
                        name);
        if (q)
                q->is_used = true;
        else if (r >= 0)
                r = draft_note(d, line,
                               "'%s' is a network of Podman's: make /etc/rkt/net.d/%s.conflist "
                               "(rkt-networking(7))",
                               word, name);
        return r < 0 ? r : add_network(d, line, name, colon ? colon + 1 : NULL);
}
