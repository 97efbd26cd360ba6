/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A place in an app where something is mounted: found, or made, inside its root; or, where the pod's systemd mounts file
 * systems of its own over the root (/dev, /proc, /sys, /run), left to a line of the app's unit.
 *
 * A slave, a mount that is told what the host mounts later, is left to the unit, too: nspawn cuts all mounts in the root off from
 * the host. What it binds itself keeps the link, and so do binds of that. Until the pod is complete a slave is mounted in the
 * app's root like any other, because programs may lie in it. */
#pragma once

#include <stdbool.h>

#include "basic/error.h"
#include "manifest/pod-manifest.h"
#include "run/app-unit.h"
#include "run/userns.h"

#define APP_PLACES "rkt/volumes" /* in stage1, for binds */

typedef struct AppPlace {
        const PodApp *app;
        const Userns *users; /* of the pod */
        int stage1_fd;
        int root_fd; /* of the app, mounted */
        AppFacts *facts;
} AppPlace;

int app_place_mount(const AppPlace *p, int mount_fd, const char *path, bool read_only, Error *e);
int app_place_run(const AppPlace *p, Error *e);
int app_place_mount_slave(const AppPlace *p, int *mount_fd, const char *path, bool read_only, Error *e);
int app_place_move_slaves(const AppPlace *p, int pod_fd, Error *e);
int app_place_find_slaves(const AppFacts *f, const char *pod, char ***ret);
