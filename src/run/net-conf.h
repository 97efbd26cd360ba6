/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* net.d: the networks that an administrator has described. */
#pragma once

#include "run/cni-conf.h"

typedef struct NetConf {
        char *path;
        CniConf *conf;
} NetConf;

typedef struct NetConfs {
        NetConf *items; /* in the order of their file names; names are unique */
        size_t n;
        char **broken; /* sentences about files that are none */
} NetConfs;

#define NET_CONFS_INIT      ((NetConfs){})
#define _cleanup_net_confs_ _cleanup_(net_confs_done)

int net_confs_load(const char *system_dir, const char *local_dir, NetConfs *ret, Error *e);
void net_confs_done(NetConfs *x);
const NetConf *net_confs_find(const NetConfs *x, const char *name);
