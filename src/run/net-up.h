/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pod's networks from nothing to all, and back: what rkt-net does. */
#pragma once

#include "run/net-state.h"

int net_check(const NetState *s, Error *e);
int net_up(NetState *s, int pod_fd, Error *e);
int net_down(const char *uuid, int pod_fd, bool forget, Error *e);
int net_restore(char ***ret_warnings, Error *e);
