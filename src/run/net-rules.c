/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table as a whole is a function of which pods there are. It is replaced in one transaction: no packet sees half of it,
 * and whatever somebody did to it is repaired by the next pod that comes or goes.
 *
 * A connection to a published port is redirected where it comes in (prerouting), or is made (output): also one to 127.0.0.1,
 * and one that a pod makes to the host. Its sender is replaced where the answer would not come back this way: when it is the
 * host's 127.0.0.1 (for [::1], the kernel has no way: it is refused, and programs go on with the other), when it is in the
 * pod's own network, and when the pod has no way out. Who may send to 127.0.0.0/8 of the host from outside, because of
 * route_localnet, is nobody. Nor does anybody who finds a route get to ports that are not published: a host that forwards for
 * its pods would be the router to them. */
#include "run/net-rules.h"

#include <arpa/inet.h>
#include <string.h>

#include "basic/ip.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "run/net-address.h"

/* Things that stand once, however many pods have them. */
typedef struct Rules {
        StrBuf ports;
        StrBuf post;
        StrBuf forward;
        StrBuf pods;   /* where pods come from */
        StrBuf inward; /* where others do not get to */
        StrBuf raw;
        char **seen;
} Rules;

static void rules_done(Rules *x) {
        strbuf_done(&x->ports);
        strbuf_done(&x->post);
        strbuf_done(&x->forward);
        strbuf_done(&x->pods);
        strbuf_done(&x->inward);
        strbuf_done(&x->raw);
        x->seen = strv_free(x->seen);
}

/* Adds a line, once. */
static int add_once(Rules *x, StrBuf *b, char *line) {
        if (!line)
                return -ENOMEM;
        if (strv_contains(x->seen, line)) {
                free(line);
                return 0;
        }
        strbuf_addf(b, "    %s\n", line);
        return strv_consume(&x->seen, line);
}

static const char *ip_word(int family) {
        return family == AF_INET6 ? "ip6" : "ip";
}

/* The first address of a family. */
static bool find_address(const NetAttachment *a, int family, NetAddress *ret) {
        STRV_FOREACH (s, a->addresses)
                if (net_address_parse(*s, ret) >= 0 && ret->family == family)
                        return true;
        return false;
}

/* Ports that keep their numbers need no list of them. */
static void add_target(StrBuf *b, const NetPort *p, const NetAddress *target) {
        bool six = target->family == AF_INET6;
        char text[NET_ADDRESS_MAX];

        net_address_to_string(target, false, text);
        strbuf_addf(b, "dnat %s to ", ip_word(target->family));
        if (p->host_port == p->pod_port)
                strbuf_addf(b, "%s", text);
        else if (p->count == 1)
                strbuf_addf(b, "%s%s%s:%llu", six ? "[" : "", text, six ? "]" : "",
                            (unsigned long long) p->pod_port);
        else {
                strbuf_addf(b, "%s dport map { ", p->protocol);
                for (uint64_t i = 0; i < p->count; i++)
                        strbuf_addf(b, "%s%llu : %s . %llu", i > 0 ? ", " : "",
                                    (unsigned long long) p->host_port + i, text,
                                    (unsigned long long) p->pod_port + i);
                strbuf_add(b, " }");
        }
}

static void add_port(Rules *x, const NetPort *p, const NetAddress *target) {
        const char *word = ip_word(target->family);
        NetAddress host;

        strbuf_add(&x->ports, "    ");
        if (p->host_ip && net_address_parse(p->host_ip, &host) >= 0) {
                NetAddress any = { .family = host.family };

                if (host.family != target->family) {
                        x->ports.size -= 4; /* of the other family */
                        x->ports.data[x->ports.size] = '\0';
                        return;
                }
                if (memcmp(host.bytes, any.bytes, host.size) != 0)
                        strbuf_addf(&x->ports, "%s daddr %s ", word, p->host_ip);
        }
        strbuf_addf(&x->ports, "meta nfproto %s %s dport %llu", target->family == AF_INET6 ? "ipv6" : "ipv4",
                    p->protocol, (unsigned long long) p->host_port);
        if (p->count > 1)
                strbuf_addf(&x->ports, "-%llu", (unsigned long long) (p->host_port + p->count - 1));
        strbuf_add(&x->ports, " ");
        add_target(&x->ports, p, target);
        strbuf_add(&x->ports, "\n");
}

/* Ports of one pod on one of its addresses, and whose sender is replaced. */
static int add_ports(Rules *x, const NetState *s, const NetAttachment *a, int family) {
        char text[NET_ADDRESS_MAX], subnet[NET_ADDRESS_MAX];
        NetAddress target, network;
        const char *word = ip_word(family);
        int r;

        if (!find_address(a, family, &target))
                return 0;
        FOREACH_ARRAY (p, s->ports, s->n_ports)
                add_port(x, p, &target);
        network = net_address_network(&target);
        net_address_to_string(&target, false, text);
        net_address_to_string(&network, true, subnet);
        r = family == AF_INET6
                    ? 0
                    : add_once(x, &x->post,
                               strf("ct status dnat ip saddr 127.0.0.0/8 ip daddr %s masquerade", text));
        if (r >= 0)
                r = add_once(
                        x, &x->post,
                        strf("ct status dnat %s saddr %s %s daddr %s masquerade", word, subnet, word, text));
        if (r >= 0 && a->restricted)
                r = add_once(x, &x->post, strf("ct status dnat %s daddr %s masquerade", word, text));
        return r;
}

static int add_masquerade(Rules *x, const NetAttachment *a) {
        int r = 0;

        for (char **s = a->addresses; r >= 0 && s && *s; s++) {
                char subnet[NET_ADDRESS_MAX];
                NetAddress network;
                const char *word;

                if (net_address_parse(*s, &network) < 0)
                        continue;
                network = net_address_network(&network);
                net_address_to_string(&network, true, subnet);
                word = ip_word(network.family);
                r = add_once(x, &x->post,
                             strf("%s saddr %s %s daddr != %s %s daddr != %s masquerade", word, subnet, word,
                                  subnet, word, network.family == AF_INET6 ? "ff00::/8" : "224.0.0.0/4"));
        }
        return r;
}

static int add_restricted(Rules *x, const NetAttachment *a) {
        int r = 0;

        for (char **i = a->host_ifs; r >= 0 && i && *i; i++)
                r = add_once(x, &x->forward,
                             strf("iifname \"%s\" oifname != \"%s\" ct direction original drop", *i, *i));
        return r;
}

/* Between built-in networks, and within one, what add_restricted() leaves is free. */
static int add_inward(Rules *x, const NetAttachment *a) {
        int r = 0;

        for (char **i = a->host_ifs; r >= 0 && i && *i; i++) {
                r = add_once(x, &x->pods, strf("iifname \"%s\" accept", *i));
                if (r >= 0)
                        r = add_once(x, &x->inward, strf("oifname \"%s\" drop", *i));
        }
        return r;
}

static int add_pod(Rules *x, const NetState *s) {
        int r = 0;

        if (s->port_network >= 0 && s->n_ports > 0) {
                r = add_ports(x, s, &s->networks[s->port_network], AF_INET);
                if (r >= 0)
                        r = add_ports(x, s, &s->networks[s->port_network], AF_INET6);
        }
        for (size_t i = 0; i < s->n_networks && r >= 0; i++) {
                const NetAttachment *a = &s->networks[i];

                if (a->masquerade)
                        r = add_masquerade(x, a);
                if (r >= 0 && a->restricted)
                        r = add_restricted(x, a);
                if (r >= 0 && (a->masquerade || a->restricted))
                        r = add_inward(x, a);
        }
        return r;
}

static void add_chain(StrBuf *b, const char *name, const char *type, const char *hook, const char *priority,
                      const char *rules) {
        strbuf_addf(b, "  chain %s {\n    type %s hook %s priority %s; policy accept;\n%s  }\n", name, type,
                    hook, priority, str_or(rules, ""));
}

static bool has_failed(const Rules *x) {
        return x->ports.failed || x->post.failed || x->forward.failed || x->pods.failed || x->inward.failed ||
               x->raw.failed;
}

/* Answers, what was redirected, and what comes from pods; nothing else gets to pods. */
static void add_forward(StrBuf *b, const Rules *x) {
        _cleanup_strbuf_ StrBuf rules = STRBUF_INIT;

        strbuf_add(&rules, str_or(x->forward.data, ""));
        if (x->inward.size > 0)
                strbuf_addf(&rules,
                            "    ct state established,related accept\n    ct status dnat accept\n%s%s",
                            x->pods.data, x->inward.data);
        if (rules.size > 0)
                add_chain(b, "forward", "filter", "forward", "filter", rules.data);
        b->failed = b->failed || rules.failed;
}

/**
 * net_rules_text() - what nft is told
 * @states:  all pods
 * @guarded: interfaces by which nobody may reach 127.0.0.0/8
 * @ret:     text of one transaction, to free(); without rules it removes the table
 * @e:       sentence on failure; may be NULL
 *
 * Return: 0, -ENOMEM.
 */
int net_rules_text(const NetStates *states, char *const *guarded, char **ret, Error *e) {
        _cleanup_(rules_done) Rules x = {};
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        int r = 0;

        for (size_t i = 0; i < states->n && r >= 0; i++)
                r = add_pod(&x, states->items[i]);
        for (char *const *i = guarded; r >= 0 && i && *i; i++)
                r = add_once(&x, &x.raw, strf("iifname \"%s\" ip daddr 127.0.0.0/8 drop", *i));
        if (r < 0 || has_failed(&x))
                return error_oom(e);
        strbuf_add(&b, "table inet " NET_TABLE " {}\ndelete table inet " NET_TABLE "\n");
        if (x.ports.size + x.post.size + x.forward.size + x.inward.size + x.raw.size > 0) {
                strbuf_add(&b, "table inet " NET_TABLE " {\n");
                if (x.ports.size > 0) {
                        strbuf_addf(&b, "  chain ports {\n    ip6 daddr ::1 return\n%s  }\n", x.ports.data);
                        add_chain(&b, "prerouting", "nat", "prerouting", "dstnat",
                                  "    fib daddr type local jump ports\n");
                        add_chain(&b, "output", "nat", "output", "-100",
                                  "    fib daddr type local jump ports\n");
                }
                if (x.raw.size > 0)
                        add_chain(&b, "martians", "filter", "prerouting", "raw", x.raw.data);
                add_forward(&b, &x);
                if (x.post.size > 0)
                        add_chain(&b, "postrouting", "nat", "postrouting", "srcnat", x.post.data);
                strbuf_add(&b, "}\n");
        }
        return strbuf_steal(&b, ret) < 0 ? error_oom(e) : 0;
}

static bool overlaps(const NetPort *a, const NetPort *b) {
        return streq(a->protocol, b->protocol) && a->host_port < b->host_port + b->count &&
               b->host_port < a->host_port + a->count && ip_overlap(a->host_ip, b->host_ip);
}

/**
 * net_ports_check() - are the ports of a pod free?
 * @states: all pods, locked; that one itself does not count
 * @s:      pod
 * @e:      names the port and who has it
 *
 * Return: 0, -EADDRINUSE.
 */
int net_ports_check(const NetStates *states, const NetState *s, Error *e) {
        FOREACH_ARRAY (p, s->ports, s->n_ports)
                for (size_t i = 0; i < states->n; i++) {
                        const NetState *other = states->items[i];

                        if (streq(other->uuid, s->uuid))
                                continue;
                        FOREACH_ARRAY (q, other->ports, other->n_ports)
                                if (overlaps(p, q))
                                        return error_setf(
                                                e, -EADDRINUSE,
                                                "port %llu/%s of the host is taken by pod '%s' (%s): stop "
                                                "it, "
                                                "or publish another port",
                                                (unsigned long long) MAX(p->host_port, q->host_port),
                                                p->protocol, str_or(other->machine, "?"), other->uuid);
                }
        return 0;
}
