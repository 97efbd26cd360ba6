/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a running pod uses. */
#pragma once

#include "pod/pod.h"

int pod_print_stats(Pod *p, Error *e);
