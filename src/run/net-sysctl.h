/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kernel settings of a pod's network, written from outside: its own root may not when the namespace is the host's. */
#pragma once

#include "basic/error.h"
#include "manifest/pod-manifest.h"

int net_sysctls_write(const PodManifest *m, Error *e);
