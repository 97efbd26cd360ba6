/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An administrator's network takes the place of a built-in one of its name. Ports go to the first network that hides the pod
 * behind the host's address, else to the last (rkt's rule); a plugin that has the capability publishes them, else we do. */
#include "run/net-plan.h"

#include <stdio.h>
#include <string.h>

#include "basic/alloc.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "run/cni.h"
#include "run/net-builtin.h"

#define NETWORKS_MAX 32U /* of one pod */

static int unknown_network(const NetConfs *confs, const char *name, Error *e) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        FOREACH_ARRAY (c, confs->items, confs->n)
                strbuf_addf(&b, ", %s", c->conf->name);
        STRV_FOREACH (s, confs->broken)
                strbuf_addf(&b, "; %s", *s);
        return error_setf(
                e, -ENOENT,
                "there is no network '%s' in /etc/rkt/net.d; known are default, default-restricted, host, "
                "none%s",
                name, str_or(b.data, ""));
}

static int add_named(NetState *s, const char *name, Error *e) {
        NetAttachment *a;

        FOREACH_ARRAY (other, s->networks, s->n_networks)
                if (streq(other->name, name))
                        return 0;
        if (net_state_add_network(s, &a) < 0)
                return error_oom(e);
        a->name = strdup(name);
        a->if_name = strf("eth%zu", s->n_networks - 1);
        return a->name && a->if_name ? 0 : error_oom(e);
}

/* "all" is each network of net.d, and default. */
static int expand_all(NetState *s, const NetConfs *confs, Error *e) {
        int r = 0;

        if (s->n_networks != 1 || !streq(s->networks[0].name, "all"))
                return 0;
        if (confs->broken && *confs->broken)
                return error_setf(e, -EBADMSG, "%s", *confs->broken);
        net_attachment_done(&s->networks[0]);
        s->n_networks = 0;
        FOREACH_ARRAY (c, confs->items, confs->n)
                if (r >= 0)
                        r = add_named(s, c->conf->name, e);
        return r < 0 ? r : add_named(s, "default", e);
}

/* "ip=" and "mac=" are asked of plugins in the way that they know; all else is CNI_ARGS. */
typedef struct Args {
        char **ips;
        char *mac;
        StrBuf rest;
} Args;

static void args_done(Args *x) {
        (void) strv_free(x->ips);
        free(x->mac);
        strbuf_done(&x->rest);
}

static int split_args(const CniConf *c, const char *args, Args *ret, Error *e) {
        _cleanup_strv_free_ char **words = NULL;
        int r = strv_split(str_or(args, ""), ";", &words);

        for (char **w = words; r >= 0 && w && *w; w++) {
                const char *ip = startswith(*w, "ip="), *mac = startswith(*w, "mac=");

                if (!**w)
                        continue;
                if (ip && cni_conf_has_capability(c, "ips"))
                        r = strv_extend(&ret->ips, ip);
                else if (mac && cni_conf_has_capability(c, "mac"))
                        r = str_replace(&ret->mac, mac);
                else
                        strbuf_addf(&ret->rest, "%s%s%s", ret->rest.size > 0 ? ";" : "",
                                    ip    ? "IP="
                                    : mac ? "MAC="
                                          : "",
                                    ip    ? ip
                                    : mac ? mac
                                          : *w);
        }
        return r < 0 || ret->rest.failed ? error_oom(e) : 0;
}

static void write_member(JsonWriter *w, const char *key, const char *value) {
        json_write_key(w, key);
        json_write_string(w, value);
}

static void write_ports(JsonWriter *w, const NetState *s) {
        json_write_key(w, "portMappings");
        json_write_begin_array(w);
        FOREACH_ARRAY (p, s->ports, s->n_ports)
                for (uint64_t i = 0; i < p->count; i++) {
                        json_write_begin_object(w);
                        json_write_key(w, "hostPort");
                        json_write_uint(w, p->host_port + i);
                        json_write_key(w, "containerPort");
                        json_write_uint(w, p->pod_port + i);
                        write_member(w, "protocol", p->protocol);
                        if (p->host_ip)
                                write_member(w, "hostIP", p->host_ip);
                        json_write_end_object(w);
                }
        json_write_end_array(w);
}

static int set_runtime(const NetState *s, NetAttachment *a, const Args *args, Error *e) {
        _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;

        if (!a->own_ports && !args->ips && !args->mac)
                return 0;
        json_write_begin_object(&w);
        if (a->own_ports)
                write_ports(&w, s);
        if (args->ips) {
                json_write_key(&w, "ips");
                json_write_begin_array(&w);
                STRV_FOREACH (ip, args->ips)
                        json_write_string(&w, *ip);
                json_write_end_array(&w);
        }
        if (args->mac)
                write_member(&w, "mac", args->mac);
        json_write_end_object(&w);
        return json_writer_steal(&w, &a->runtime) < 0 ? error_oom(e) : 0;
}

static int plan_conf(const NetState *s, NetAttachment *a, const NetConf *c, Error *e) {
        _cleanup_(args_done) Args args = {};
        int r = cni_need_plugins(c->conf, e);

        if (r >= 0)
                r = split_args(c->conf, a->args, &args, e);
        if (r >= 0)
                r = set_runtime(s, a, &args, e);
        if (r < 0)
                return error_prefixf(e, r, "network '%s' (%s)", a->name, c->path);
        if (cni_find_plugin(cni_conf_type(c->conf, 0), &a->plugin_path) < 0 ||
            str_replace(&a->args, str_or(args.rest.data, "")) < 0 ||
            str_replace(&a->method, NET_METHOD_CNI) < 0 || str_replace(&a->conf_path, c->path) < 0 ||
            str_replace(&a->conf, c->conf->text) < 0)
                return error_oom(e);
        return 0;
}

static int plan_builtin(const NetBuiltin *b, const NetStates *states, NetAttachment *a, Error *e) {
        bool plugins = net_builtin_has_plugins();

        if (str_replace(&a->method, plugins ? NET_METHOD_CNI : NET_METHOD_BUILTIN) < 0 ||
            (plugins && cni_find_plugin("bridge", &a->plugin_path) < 0))
                return error_oom(e);
        return net_builtin_lease(b, states, a, e);
}

/* The network that has the ports. */
static void choose_port_network(NetState *s, const NetConfs *confs) {
        s->port_network = -1;
        for (size_t i = 0; i < s->n_networks && s->n_ports > 0; i++) {
                const NetConf *c = net_confs_find(confs, s->networks[i].name);
                const NetBuiltin *b = c ? NULL : net_builtin_find(s->networks[i].name);

                s->port_network = (int64_t) i;
                if (c ? cni_conf_masquerades(c->conf) : b && !b->restricted)
                        break;
        }
        if (s->port_network >= 0) {
                const NetConf *c = net_confs_find(confs, s->networks[s->port_network].name);

                s->networks[s->port_network].own_ports =
                        c && cni_conf_has_capability(c->conf, "portMappings");
                if (s->networks[s->port_network].own_ports)
                        s->port_network = -1;
        }
}

static int check_all(const NetConfs *confs, Error *e) {
        int r = 0;

        if (confs->broken && *confs->broken)
                return error_setf(e, -EBADMSG, "%s", *confs->broken);
        FOREACH_ARRAY (c, confs->items, confs->n)
                if (r >= 0)
                        r = cni_need_plugins(c->conf, e);
        return r;
}

/**
 * net_plan_check() - can there be such networks?
 * @s:     names of the networks
 * @confs: net.d
 * @e:     sentence on failure; may be NULL
 *
 * Return: 0; -ENOENT: no such network, or a plugin is missing; -EBADMSG: all are wanted, and one is broken; -ENOMEM.
 */
int net_plan_check(const NetState *s, const NetConfs *confs, Error *e) {
        int r = 0;

        FOREACH_ARRAY (a, s->networks, s->n_networks) {
                const NetConf *c = net_confs_find(confs, a->name);

                if (r >= 0 && s->n_networks == 1 && streq(a->name, "all"))
                        r = check_all(confs, e);
                else if (r >= 0 && c)
                        r = cni_need_plugins(c->conf, e);
                else if (r >= 0 && !net_builtin_find(a->name))
                        r = unknown_network(confs, a->name, e);
        }
        return r;
}

/**
 * net_plan() - decide all that can be decided before
 * @s:      names and args of the networks; the rest of them is set
 * @confs:  net.d
 * @states: all pods, locked
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0; -ENOENT: no such network, or a plugin is missing; what net_lease_take() returns; -E2BIG, -ENOMEM.
 */
int net_plan(NetState *s, const NetConfs *confs, const NetStates *states, Error *e) {
        int r = expand_all(s, confs, e);

        if (r >= 0 && s->n_networks > NETWORKS_MAX)
                return error_setf(e, -E2BIG, "a pod can be in %u networks", NETWORKS_MAX);
        if (r >= 0)
                choose_port_network(s, confs);
        FOREACH_ARRAY (a, s->networks, s->n_networks) {
                const NetConf *c = net_confs_find(confs, a->name);
                const NetBuiltin *b = net_builtin_find(a->name);

                if (r < 0)
                        break;
                r = c   ? plan_conf(s, a, c, e)
                    : b ? plan_builtin(b, states, a, e)
                        : unknown_network(confs, a->name, e);
        }
        return r;
}
