/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order of the apps in a pod, from After= and Before=. */
#pragma once

#include "podfile/pod-spec.h"

int pod_spec_longest_chain(const PodSpec *s, const uint64_t *weights, uint64_t *ret, const char **reterr_app);
