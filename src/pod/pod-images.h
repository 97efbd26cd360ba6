/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What pods need of the store: who removes images asks here first, while store_lock() is his alone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "pod/pod.h"

/* One tree of one app of one pod. */
typedef struct PodTree {
        char *tree; /* key of it, as in appsinfo/APP/treeStoreID */
        char pod[UUID_STRING_MAX];
        bool running;
        bool is_top; /* the strongest of the app, if there are several */
} PodTree;

typedef struct PodTrees {
        PodTree *trees;
        size_t n_trees;
        char **keys; /* all of them, for store_gc() and store_image_take() */
} PodTrees;

#define POD_TREES_INIT      ((PodTrees){})
#define _cleanup_pod_trees_ _cleanup_(pod_trees_done)

void pod_trees_done(PodTrees *t);
int pod_trees_load(Pods *ps, PodTrees *ret, Error *e);
bool pod_trees_are_stacked(const PodTrees *t, const PodTree *top, char *const *layers);
