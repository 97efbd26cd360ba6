/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The system calls that nobody in a pod may make, whatever an app's own list says. */
#pragma once

#include <stdbool.h>

#include "basic/error.h"

typedef struct Stage1Filter {
        char *const *capabilities; /* that nspawn leaves the pod beyond its own; NULL: none */
        bool all_capabilities;
        bool bpf; /* the pod's systemd loads programs, for devices and addresses of apps */
} Stage1Filter;

int stage1_filter_load(const Stage1Filter *f, Error *e);
