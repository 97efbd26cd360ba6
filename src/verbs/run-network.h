/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The flags --net, --port, --dns and their kin. */
#pragma once

#include "verbs/run-args.h"

int run_network_set(const RunArgs *a, PodSpec *spec, Error *e);
int run_network_change(const RunArgs *a, PodManifest *m, Error *e);
