/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cgroup of the unit that a pod in the foreground runs in, and the place in it for our own processes. */
#pragma once

#include <sys/types.h>

#include "basic/error.h"

int own_cgroup_path(char **ret);
void own_cgroup_kill_payload(void);
int own_cgroup_set_aside(const pid_t *pids, size_t n, Error *e);
int own_cgroup_fork(pid_t *ret, Error *e);
