/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A place in an app where something is mounted: found, or made, inside its root; or, where the pod's systemd mounts file
 * systems of its own over the root (/dev, /proc, /sys, /run), left to a line of the app's unit. */
#pragma once

#include <stdbool.h>

#include "basic/error.h"
#include "manifest/pod-manifest.h"
#include "run/app-unit.h"
#include "run/userns.h"

typedef struct AppPlace {
        const PodApp *app;
        const Userns *users; /* of the pod */
        int stage1_fd;
        int root_fd; /* of the app, mounted */
        AppFacts *facts;
} AppPlace;

int app_place_mount(const AppPlace *p, int mount_fd, const char *path, bool read_only, Error *e);
int app_place_run(const AppPlace *p, Error *e);
