/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a running pod uses. */
#pragma once

#include "basic/json-write.h"
#include "pod/pod.h"

int pod_print_stats(Pod *p, JsonWriter *w, Error *e);
