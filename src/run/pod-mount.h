/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mounts of a running pod: what is mounted here is put into its mount namespace, and taken out again. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "basic/error.h"

#define POD_MOUNTS_MAX 128U

int pod_mount_copy(pid_t leader, int root_fd, char *const *paths, Error *e);
int pod_mount_remove(pid_t leader, char *const *paths, Error *e);
