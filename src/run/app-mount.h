/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An app's root: the trees of its image, stacked, and what the app itself writes on top. */
#pragma once

#include <stdbool.h>

#include "pod/pod.h"
#include "run/userns.h"
#include "store/store.h"

typedef struct AppMountContext {
        Store *store;
        Pod *pod;
        int pod_fd;    /* its directory, opened in this mount namespace */
        int stage1_fd; /* the stage1 root in it, the same */
        const Userns *users;
        bool copy; /* no overlay: the root is a directory of the pod's own */
} AppMountContext;

int app_mount_root(const AppMountContext *c, const char *app, int *ret_fd, Error *e);
