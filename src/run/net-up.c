/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Up: what will be done is written down, then it is done, then it is written down that it is. Down reads that, from whichever
 * point the other was killed at, and from after a reboot, when nothing is left but what plugins keep on disk. Plugins run
 * without the lock of the addresses, so that pods can start side by side. */
#include "run/net-up.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "config/config.h"
#include "run/cni-result.h"
#include "run/cni.h"
#include "run/net-builtin.h"
#include "run/net-conf.h"
#include "run/net-conntrack.h"
#include "run/net-hosts.h"
#include "run/net-localnet.h"
#include "run/net-namespace.h"
#include "run/net-nft.h"
#include "run/net-plan.h"
#include "run/net-rules.h"

typedef struct Up {
        NetState *state;
        int pod_fd;
        NetConfs confs;
        NetLink *host;
        NetLink *inside;
        int ns;
} Up;

static void up_done(Up *u) {
        net_confs_done(&u->confs);
        (void) net_link_close(u->host);
        (void) net_link_close(u->inside);
        (void) fd_close(u->ns);
}

/* What plugins keep on disk must be found after a power cut; what the kernel keeps is gone then. */
static bool needs_sync(const NetState *s) {
        FOREACH_ARRAY (a, s->networks, s->n_networks)
                if (a->conf_path)
                        return true;
        return false;
}

static int save(const NetState *s, int pod_fd, bool sync, Error *e) {
        int r = net_state_write_at(pod_fd, NET_STATE_FILE, s, sync, e);

        return r < 0 ? r : net_states_put(s, e);
}

/* Addresses and ports are ours as soon as they are written down. */
static int reserve(Up *u, Error *e) {
        _cleanup_net_states_ NetStates states = NET_STATES_INIT;
        _cleanup_close_ int lock = -EBADF;
        int r = net_states_lock(&lock, e);

        if (r >= 0)
                r = net_states_load(&states, e);
        if (r >= 0)
                r = net_ports_check(&states, u->state, e);
        if (r >= 0)
                r = net_plan(u->state, &u->confs, &states, e);
        return r < 0 ? r : save(u->state, u->pod_fd, needs_sync(u->state), e);
}

/* Rules and names follow from who is there. */
static int publish(NetLink *host, Error *e) {
        _cleanup_net_states_ NetStates states = NET_STATES_INIT;
        _cleanup_strv_free_ char **guarded = NULL;
        _cleanup_close_ int lock = -EBADF;
        bool is_loaded;
        int r = net_states_lock(&lock, e);

        if (r >= 0)
                r = net_states_load(&states, e);
        is_loaded = r >= 0;
        if (r >= 0)
                r = net_localnet_begin(&states, &guarded, e);
        if (r >= 0)
                r = net_nft_apply(&states, guarded, e);
        if (r >= 0)
                net_localnet_end(&states);
        if (r >= 0)
                r = net_hosts_update(&states, e);
        if (host && is_loaded) /* a bridge that nobody needs goes even if nftables refuses */
                (void) RET_GATHER(r, net_builtin_sweep(host, &states, r < 0 ? NULL : e));
        return r;
}

/* Results before 0.3.0 do not name the host's interfaces. */
static int add_way(NetLink *host, NetAttachment *a, Error *e) {
        STRV_FOREACH (address, a->addresses) {
                char name[16];

                if (net_link_way(host, *address, name) >= 0 && !strv_contains(a->host_ifs, name) &&
                    strv_extend(&a->host_ifs, name) < 0)
                        return error_oom(e);
        }
        return 0;
}

static int add_by_plugins(Up *u, const NetBuiltin *b, NetAttachment *a, Error *e) {
        const CniContext x = { .uuid = u->state->uuid, .namespace = u->state->namespace };
        _cleanup_(cni_conf_freep) CniConf *c = NULL;
        unsigned mtu;
        int r = 0;

        net_link_default_mtu(u->host, &mtu);
        if (b)
                r = net_builtin_conf(b, a, mtu, &a->conf, e);
        if (r >= 0 && b)
                r = net_builtin_runtime(a, &a->runtime, e);
        if (r >= 0 && b) /* its conf is not known to the pod's directory yet */
                r = save(u->state, u->pod_fd, false, e);
        if (r >= 0)
                r = cni_conf_parse(a->conf, strlen(a->conf), &c, e);
        if (r >= 0)
                r = cni_add(&x, c, a, e);
        if (r >= 0 && !b && a->result) /* of ours, all is known */
                r = cni_result_parse(a->result, strlen(a->result), a, e);
        return r < 0 ? r : add_way(u->host, a, e);
}

static int add_one(Up *u, NetAttachment *a, Error *e) {
        const NetBuiltin *b = a->conf_path ? NULL : net_builtin_find(a->name);
        int r = b ? net_builtin_check(b, u->host, a, e) : 0;

        if (r >= 0 && b)
                r = net_builtin_forward(e);
        if (r >= 0 && b)
                r = net_builtin_add_bridge(b, u->host, a, e);
        if (r >= 0)
                r = streq(a->method, NET_METHOD_BUILTIN)
                            ? net_builtin_add(b, u->host, u->inside, u->ns, u->state->uuid, a, e)
                            : add_by_plugins(u, b, a, e);
        if (r < 0)
                return error_prefixf(e, r, "network '%s'", a->name);
        a->added = true;
        return 0;
}

static int up(Up *u, Error *e) {
        bool sync = needs_sync(u->state);
        int r = net_namespace_make(u->state->namespace, &u->ns, &u->inside, e);

        FOREACH_ARRAY (a, u->state->networks, u->state->n_networks) {
                if (r >= 0) {
                        a->begun = true;
                        r = sync ? save(u->state, u->pod_fd, true, e) : 0;
                }
                if (r >= 0)
                        r = add_one(u, a, e);
        }
        if (r >= 0 && u->state->port_network >= 0) /* for what a pod sends to its own port */
                STRV_FOREACH (i, u->state->networks[u->state->port_network].host_ifs)
                        net_link_hairpin(u->host, *i);
        if (r >= 0)
                r = save(u->state, u->pod_fd, sync, e);
        if (r >= 0)
                r = publish(NULL, e);
        if (r >= 0 && u->state->port_network >= 0)
                (void) net_conntrack_forget(u->state->ports, u->state->n_ports, NET_FORGET_ALL);
        return r;
}

static int load_confs(NetConfs *ret, Error *e) {
        return net_confs_load(CONFIG_SYSTEM_DIR "/net.d", CONFIG_LOCAL_DIR "/net.d", ret, e);
}

/**
 * net_check() - can there be such networks?
 * @s: as for net_up()
 * @e: sentence on failure; may be NULL
 *
 * Return: 0; -ENOENT: no such network, or a plugin is missing; errors of reading net.d.
 */
int net_check(const NetState *s, Error *e) {
        _cleanup_net_confs_ NetConfs confs = NET_CONFS_INIT;
        int r = load_confs(&confs, e);

        return r < 0 ? r : net_plan_check(s, &confs, e);
}

/**
 * net_up() - give a pod its networks
 * @s:      uuid, machine, hostname, namespace, ports, and of each network name, if_name, args; the rest is set
 * @pod_fd: the pod's directory, with a folder "net"
 * @e:      sentence on failure; may be NULL
 *
 * Call it in a process of one thread. After a failure nothing is left, unless removing failed, too.
 *
 * Return: 0; -ENOENT: no such network, or a plugin is missing; -EADDRINUSE: a port is taken; -EADDRNOTAVAIL; -EREMOTEIO: a
 * plugin failed; -ETIME: it did not end; others.
 */
int net_up(NetState *s, int pod_fd, Error *e) {
        _cleanup_(up_done) Up u = { .state = s, .pod_fd = pod_fd, .ns = -EBADF };
        int r = load_confs(&u.confs, e);

        if (r >= 0)
                r = net_link_open(&u.host, e);
        if (r >= 0)
                r = reserve(&u, e);
        if (r < 0)
                return r;
        r = up(&u, e);
        if (r < 0)
                (void) net_down(s->uuid, pod_fd, false, NULL);
        return r;
}

/* Returns 1 if there is something to undo. */
static int load_state(const char *uuid, int pod_fd, NetState **ret, Error *e) {
        _cleanup_free_ char *path = strf("%s/%s.json", NET_RUN_DIR, uuid);
        int r = pod_fd < 0 ? -ENOENT : net_state_read_at(pod_fd, NET_STATE_FILE, ret, NULL);

        if (!path)
                return error_oom(e);
        if (r < 0)
                r = net_state_read_at(AT_FDCWD, path, ret, e);
        if (r == -ENOENT) {
                error_done(e);
                return 0;
        }
        return r < 0 ? r : 1;
}

static int remove_one(NetLink *host, const NetState *s, const NetAttachment *a, Error *e) {
        const CniContext x = { .uuid = s->uuid,
                               .namespace = net_namespace_exists(s->namespace) ? s->namespace : "" };
        int r = 0;

        if (streq_ptr(a->method, NET_METHOD_BUILTIN))
                r = net_builtin_remove(host, s->uuid, a, e);
        else if (a->conf && (a->begun || a->added)) /* "begun" is younger than some pods */
                r = cni_del(&x, a, e);
        return r < 0 ? error_prefixf(e, r, "network '%s'", a->name) : 0;
}

/* In reverse. Those that could not be left stay in the list. */
static int remove_all(NetState *s, NetLink *host, Error *e) {
        size_t kept = 0;
        int r = 0;

        for (size_t i = s->n_networks; i-- > 0;)
                if (RET_GATHER(r, remove_one(host, s, &s->networks[i], r < 0 ? NULL : e)) >= 0)
                        net_attachment_done(&s->networks[i]);
        for (size_t i = 0; i < s->n_networks; i++)
                if (s->networks[i].name) {
                        NetAttachment a = s->networks[i];

                        s->networks[i] = (NetAttachment){};
                        s->networks[kept++] = a;
                }
        s->n_networks = kept;
        s->port_network = -1;
        net_state_forget_ports(s);
        return r;
}

/* For whoever comes next. */
static void keep_rest(NetState *s, int pod_fd) {
        s->failed = true;
        if (pod_fd >= 0)
                (void) net_state_write_at(pod_fd, NET_STATE_FILE, s, true, NULL);
        (void) net_states_put(s, NULL);
}

static int remove_state(const NetState *s, int pod_fd, NetLink *host, Error *e) {
        int r = net_namespace_remove(s->namespace, e); /* while it is still written down: a kill may come */

        if (r >= 0)
                r = net_states_remove(s->uuid);
        if (r >= 0)
                r = publish(host, e);
        if (r >= 0 && pod_fd >= 0 && unlinkat(pod_fd, NET_STATE_FILE, 0) < 0 && errno != ENOENT)
                r = error_setf(e, -errno, "cannot remove " NET_STATE_FILE ": %m");
        return r;
}

/* Ports that our rules lead to the pod, until the next publish(). */
static int take_ports(NetState *s, NetState **ret, Error *e) {
        NetState *ports = new0(NetState, 1);

        if (!ports)
                return error_oom(e);
        if (s->port_network >= 0) {
                ports->ports = TAKE_PTR(s->ports);
                ports->n_ports = s->n_ports;
                s->n_ports = 0;
        }
        *ret = ports;
        return 0;
}

/**
 * net_down() - take a pod's networks away
 * @uuid:   of the pod
 * @pod_fd: its directory; -EBADF: it has none any more
 * @forget: what a plugin does not take away, nobody will come for again
 * @e:      sentence of the first failure; may be NULL
 *
 * Return: 0, also when there was nothing; 1: @forget, and @e says what a plugin may have left; errors of the plugins: then those
 * networks that are left stay written down.
 */
int net_down(const char *uuid, int pod_fd, bool forget, Error *e) {
        _cleanup_(net_link_closep) NetLink *host = NULL;
        _cleanup_net_state_ NetState *s = NULL, *gone = NULL;
        int r = load_state(uuid, pod_fd, &s, e), left;

        if (r <= 0)
                return r;
        assert(s);
        r = net_link_open(&host, e);
        if (r >= 0)
                r = take_ports(s, &gone, e);
        if (r < 0)
                return r;
        assert(gone);
        left = remove_all(s, host, e);
        if (left < 0 && !forget) {
                keep_rest(s, pod_fd);
                r = left;
        } else
                r = remove_state(s, pod_fd, host, left < 0 ? NULL : e);
        if (r < 0)
                (void) publish(host, NULL);
        (void) net_conntrack_forget(gone->ports, gone->n_ports, NET_FORGET_ALL);
        return r < 0 ? r : left < 0;
}

static int check_pod(const NetState *s, char ***warnings) {
        const CniContext x = { .uuid = s->uuid, .namespace = s->namespace };

        FOREACH_ARRAY (a, s->networks, s->n_networks) {
                _cleanup_error_ Error why = ERROR_INIT;
                int r;

                if (!a->added || !streq_ptr(a->method, NET_METHOD_CNI))
                        continue;
                r = cni_check(&x, a, &why);
                if (r < 0 && strv_extendf(warnings, "pod '%s', network '%s': %s", str_or(s->machine, s->uuid),
                                          a->name, error_text(&why, r)) < 0)
                        return -ENOMEM;
        }
        return 0;
}

/**
 * net_restore() - make rules, settings and names again, and look after the networks
 * @ret_warnings: what plugins complain about, for strv_free()
 * @e:            sentence on failure; may be NULL
 *
 * For when somebody has flushed the rules of the host.
 *
 * Return: 0, errors of nftables and of writing.
 */
int net_restore(char ***ret_warnings, Error *e) {
        _cleanup_net_states_ NetStates states = NET_STATES_INIT;
        _cleanup_strv_free_ char **warnings = NULL;
        int r = publish(NULL, e);

        if (r >= 0)
                r = net_states_load(&states, e);
        for (size_t i = 0; r >= 0 && i < states.n; i++) {
                const NetState *s = states.items[i];

                if (s->port_network >= 0)
                        (void) net_conntrack_forget(s->ports, s->n_ports, NET_FORGET_ASTRAY);
                r = check_pod(s, &warnings) < 0 ? error_oom(e) : 0;
        }
        if (r >= 0)
                *ret_warnings = TAKE_PTR(warnings);
        return r;
}
