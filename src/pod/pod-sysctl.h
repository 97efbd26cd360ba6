/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sysctl= of the apps becomes the pod's isolator os/unix/sysctl. */
#pragma once

#include "basic/error.h"
#include "manifest/pod-manifest.h"
#include "podfile/pod-spec.h"

int pod_add_sysctls(const PodSpec *spec, PodManifest *m, Error *e);
int pod_sysctl_check(const char *name, const char *value, bool host_network, bool host_ipc, Error *e);
