/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel remembers of senders to published UDP ports. */
#pragma once

#include "run/net-state.h"

typedef enum NetForget {
        NET_FORGET_ALL,    /* of the ports */
        NET_FORGET_ASTRAY, /* what was not led to a pod */
} NetForget;

int net_conntrack_forget(const NetPort *ports, size_t n_ports, NetForget what);
