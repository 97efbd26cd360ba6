/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What networks a pod has: addresses, ports, what has to be undone. One document per pod, twice: as NET_STATE_FILE in the
 * pod's directory, which outlives a reboot, and in NET_RUN_DIR, where all pods of this boot are found. The second is the
 * truth about which addresses and ports of the host are taken; who reads and then writes holds its lock. */
#pragma once

#include "basic/json.h"

#define NET_RUN_DIR    "/run/rkt/net"
#define NET_STATE_FILE "net/state.json"
#define NET_STATE_MAX  (1024U * 1024) /* bytes */
#define NET_NAMESPACES "/var/run/netns"

/* A pod in one network. */
typedef struct NetAttachment {
        char *name;        /* of the network */
        char *if_name;     /* in the pod: eth0, eth1 ... */
        char *method;      /* "built-in", or "cni" */
        char *args;        /* "K=V;K=V" */
        char *conf_path;   /* NULL: not of a file */
        char *plugin_path; /* of the first plugin; NULL: none */
        char *conf;        /* text of the configuration that the plugins got */
        char *result;      /* text of what they answered */
        char *version;     /* of CNI, if not that of the configuration */
        char *runtime;     /* text of runtimeConfig; NULL: none */
        char **addresses;  /* "172.16.28.2/24" */
        char **gateways;
        char **host_ifs;    /* interfaces of the host that lead to the pod */
        char **nameservers; /* of the result's "dns" */
        char **search;
        char **options;
        char *domain;
        bool begun;      /* plugins were, or are about to be, called */
        bool added;      /* else: a plugin may have done half of its work */
        bool masquerade; /* by our own table */
        bool restricted; /* no way out */
        bool own_ports;  /* a plugin publishes the ports */
} NetAttachment;

/* A port of the host that leads to one of the pod, or several in a row. */
typedef struct NetPort {
        char *name;
        char *protocol; /* tcp, udp, sctp */
        char *host_ip;  /* NULL: all addresses */
        uint64_t host_port;
        uint64_t pod_port;
        uint64_t count;
} NetPort;

typedef struct NetState {
        char *uuid;
        char *machine;
        char *hostname;
        char *namespace; /* path */
        char *data_dir;  /* that the pod is in; NULL: not known */
        NetAttachment *networks;
        size_t n_networks;
        NetPort *ports;
        size_t n_ports;
        bool failed;          /* a plugin did not take away what it had made */
        int64_t port_network; /* index of the network that has the ports; -1: a plugin does it, or none */
} NetState;

void net_attachment_done(NetAttachment *a);
NetState *net_state_free(NetState *s);
DEFINE_CLEANUP(NetState *, net_state_free);
#define _cleanup_net_state_ _cleanup_(net_state_freep)

/* All pods of this boot that have networks. */
typedef struct NetStates {
        NetState **items;
        size_t n;
} NetStates;

#define NET_STATES_INIT      ((NetStates){})
#define _cleanup_net_states_ _cleanup_(net_states_done)

int net_state_parse(const char *data, size_t size, NetState **ret, Error *e);
int net_state_read_at(int dir_fd, const char *path, NetState **ret, Error *e);
int net_state_write_at(int dir_fd, const char *path, const NetState *s, bool sync, Error *e);
int net_state_to_string(const NetState *s, char **ret);

int net_states_lock(int *ret_fd, Error *e);
int net_states_load(NetStates *states, Error *e);
void net_states_done(NetStates *states);
int net_states_put(const NetState *s, Error *e);
int net_states_remove(const char *uuid);

int net_state_add_network(NetState *s, NetAttachment **ret);
void net_state_forget_ports(NetState *s);
bool net_state_has_address(const NetState *s, const char *address);
