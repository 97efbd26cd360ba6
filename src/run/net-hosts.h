/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pods that are in one network know each other by name: in /etc/hosts of their apps, which is one file for each pod, kept up
 * to date by whoever comes or goes. */
#pragma once

#include "run/net-state.h"

int net_hosts_text(const NetStates *states, const NetState *s, char **ret);
int net_hosts_update(const NetStates *states, Error *e);
int net_hosts_start(const char *uuid, const char *head, char **ret, Error *e);
