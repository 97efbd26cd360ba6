/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether the host knows the addresses of a network already, by another interface. */
#pragma once

#include "run/net-link.h"

int net_overlap_check(NetLink *l, const char *name, const char *own, const char *address, Error *e);
