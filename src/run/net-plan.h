/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which network is which, before anything is made: its configuration or that it is built in, its addresses if we give them,
 * who publishes the ports, and what plugins are told besides. */
#pragma once

#include "run/net-conf.h"
#include "run/net-state.h"

int net_plan(NetState *s, const NetConfs *confs, const NetStates *states, Error *e);
int net_plan_check(const NetState *s, const NetConfs *confs, Error *e);
