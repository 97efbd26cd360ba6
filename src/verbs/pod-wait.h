/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting for a pod to be ready, or to be over. */
#pragma once

#include "pod/pod.h"

int pod_wait_over(Pod *p, const char *data_dir, int64_t usec, Error *e);
int pod_wait_ready(Pod *p, int64_t usec, Error *e);
