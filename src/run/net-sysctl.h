/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kernel settings of a pod, written from outside: its own root may not when the namespace is the host's, and in what is not of
 * the network nspawn lets nobody write. */
#pragma once

#include <stdbool.h>

#include "basic/error.h"
#include "manifest/pod-manifest.h"

int net_sysctls_write(const PodManifest *m, Error *e);
int ipc_sysctls_write(const PodManifest *m, bool *ret, Error *e);
