/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All pods at one moment, while others make, move and delete them. */
#pragma once

#include <stddef.h>

#include "pod/pod.h"

typedef struct PodList {
        Pod **pods; /* by creation time, oldest first; as they were when listed */
        size_t n_pods;
        char **errors; /* what lies in the pods' directories and is no pod: one sentence each */
} PodList;

#define POD_LIST_INIT      ((PodList){})
#define _cleanup_pod_list_ _cleanup_(pod_list_done)

int pod_list_load(Pods *ps, PodList *ret, Error *e);
void pod_list_done(PodList *l);
Pod *pod_list_find_running(const PodList *l, const char *name);
