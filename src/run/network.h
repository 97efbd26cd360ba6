/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pod's network, as stage0 sees it: made by rkt-net before the pod, entered by nspawn's process, taken away after it. */
#pragma once

#include "basic/process.h"
#include "manifest/pod-manifest.h"
#include "pod/pod.h"
#include "run/net-state.h"

/* What kind of network a pod has. */
typedef enum NetworkKind {
        NETWORK_NONE, /* loopback alone; nspawn makes it */
        NETWORK_HOST,
        NETWORK_OWN, /* a namespace with networks in it */
        _NETWORK_KIND_MAX,
        _NETWORK_KIND_INVALID = -EINVAL,
} NetworkKind;

typedef struct Network {
        NetworkKind kind;
        NetState *state; /* of NETWORK_OWN */
        int ns_fd;       /* of NETWORK_OWN */
        Process helper;  /* rkt-net, which may not have ended yet */
} Network;

#define NETWORK_INIT ((Network){ .kind = NETWORK_NONE, .ns_fd = -EBADF, .helper = PROCESS_INIT })

/* A network of a pod, for people. */
typedef struct NetworkInfo {
        char *name;
        char *if_name;
        char *ip; /* of IPv4; NULL: none */
        char *ip6;
        char *mask;
        char *args;
        char *conf_path;
        char *plugin_path;
        char *method; /* "built-in", "cni" */
} NetworkInfo;

typedef struct NetworkInfos {
        NetworkInfo *items;
        size_t n;
} NetworkInfos;

#define NETWORK_INFOS_INIT      ((NetworkInfos){})
#define _cleanup_network_infos_ _cleanup_(network_infos_done)

/* How thoroughly what is left is looked for. */
typedef enum NetworkSweepFlags {
        NETWORK_SWEEP_OLD = 1 << 0,   /* also what pods from before a reboot left on disk */
        NETWORK_SWEEP_AGAIN = 1 << 1, /* also where plugins have failed before */
} NetworkSweepFlags;

int network_check(Pod *p, const PodManifest *m, Error *e);
int network_up(Pod *p, const PodManifest *m, const char *machine, const char *hostname, Network *ret,
               Error *e);
int network_load(Pod *p, const PodManifest *m, Network *ret, Error *e);
int network_enter(Network *n, Error *e);
void network_done(Network *n);
int network_down(Pod *p, Error *e);
int network_forget(Pod *p, char **ret_warning, Error *e);
int network_leave(const char *data_dir, const char *uuid, Error *e);
int network_sweep(const char *data_dir, NetworkSweepFlags flags, Error *e);

void network_infos_write_json(const NetworkInfos *x, JsonWriter *w);
int network_infos_to_string(const NetworkInfos *x, char **ret);
int network_info_read(Pod *p, NetworkInfos *ret, Error *e);
void network_infos_done(NetworkInfos *x);
