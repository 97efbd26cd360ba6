/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's 127.0.0.1 and published ports. */
#pragma once

#include "run/net-state.h"

#define NET_LOCALNET_FILE NET_RUN_DIR "/localnet"

int net_localnet_begin(const NetStates *states, char ***ret_guarded, Error *e);
void net_localnet_end(const NetStates *states);
