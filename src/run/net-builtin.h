/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The networks that are there without a configuration: default and default-restricted. */
#pragma once

#include "run/net-address.h"
#include "run/net-link.h"

#define NET_METHOD_BUILTIN "built-in"
#define NET_METHOD_CNI     "cni"

typedef struct NetBuiltin {
        const char *name;
        const char *bridge;
        const char *subnet; /* of IPv4 */
        unsigned subnet6;   /* number of the /64 within the host's own prefix */
        bool restricted;
} NetBuiltin;

const NetBuiltin *net_builtin_find(const char *name);
int net_builtin_lease(const NetBuiltin *b, const NetStates *states, NetAttachment *a, Error *e);
int net_builtin_conf(const NetBuiltin *b, const NetAttachment *a, unsigned mtu, char **ret, Error *e);
int net_builtin_runtime(const NetAttachment *a, char **ret, Error *e);
bool net_builtin_has_plugins(void);
int net_builtin_add_bridge(const NetBuiltin *b, NetLink *host, const NetAttachment *a, Error *e);
int net_builtin_add(const NetBuiltin *b, NetLink *host, NetLink *inside, int pod_ns, const char *uuid,
                    const NetAttachment *a, Error *e);
int net_builtin_remove(NetLink *host, const char *uuid, const NetAttachment *a, Error *e);
int net_builtin_check(const NetBuiltin *b, NetLink *host, const NetAttachment *a, Error *e);
int net_builtin_forward(Error *e);
int net_builtin_sweep(NetLink *host, const NetStates *states, Error *e);
