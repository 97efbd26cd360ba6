/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Networks, ports and names of a PodSpec, in the pod manifest; and whether its ports go together. */
#pragma once

#include "manifest/pod-manifest.h"
#include "podfile/pod-spec.h"

const AcPort *pod_network_port(const PodManifest *m, const PodPort *p);
int pod_check_ports(const PodManifest *m, Error *e);
int pod_add_network(const PodSpec *spec, PodManifest *m);
