/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What verbs that remove images have in common: to be alone in the store, and to know what pods need of it. */
#pragma once

#include "pod/pod-images.h"
#include "store/store.h"

int image_lock(Store *store, const char *data_dir, int *ret_fd, PodTrees *ret_trees, Error *e);
