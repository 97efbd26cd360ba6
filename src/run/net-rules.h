/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What nftables does for pods: "table inet rkt", which is ours alone, always made anew as a whole. Pure: documents in, text
 * for nft out. */
#pragma once

#include "run/net-state.h"

#define NET_TABLE "rkt"

int net_rules_text(const NetStates *states, char *const *guarded, char **ret, Error *e);
int net_ports_check(const NetStates *states, const NetState *s, Error *e);
