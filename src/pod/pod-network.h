/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Networks, ports and names of a PodSpec, in the pod manifest. */
#pragma once

#include "manifest/pod-manifest.h"
#include "podfile/pod-spec.h"

int pod_add_network(const PodSpec *spec, PodManifest *m);
