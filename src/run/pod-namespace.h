/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Getting a descriptor out of a running pod: something is opened as the pod's root, in the pod, by a child of ours that ends
 * at once. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "basic/error.h"

/* Runs in the child, as root of the pod and in its mounts; gives a descriptor, or a negative errno. No output, no locks. */
typedef int (*PodNamespaceFunc)(void *userdata);

bool pod_namespace_has_own_users(pid_t leader);
int pod_namespace_open(pid_t leader, PodNamespaceFunc opener, void *userdata, int *ret_fd, Error *e);
