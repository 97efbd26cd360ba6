/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Telling nftables, by its own library. */
#pragma once

#include "run/net-state.h"

int net_nft_apply(const NetStates *states, char *const *guarded, Error *e);
