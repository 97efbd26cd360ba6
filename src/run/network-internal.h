/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between network.c, network-info.c, network-port.c and network-sweep.c. */
#pragma once

#include "run/network.h"

#define NETWORK_PROGRAM "rkt-net"

int network_call(char *const argv[], int in, int pod, char **ret, Process *ret_process, char **ret_message,
                 Error *e);
int network_data_dir(const Pod *p, char **ret);
int network_info_write(Pod *p, const NetState *s, Error *e);
int network_ports(const PodManifest *m, NetState *s, Error *e);
