/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between network.c, network-info.c and network-port.c. */
#pragma once

#include "run/network.h"

int network_info_write(Pod *p, const NetState *s, Error *e);
int network_ports(const PodManifest *m, NetState *s, Error *e);
