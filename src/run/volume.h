/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Volumes: directories and files of the host, or made for the pod, mounted into the roots of its apps. */
#pragma once

#include "basic/error.h"
#include "manifest/pod-manifest.h"
#include "run/app-place.h"
#include "run/userns.h"

#define VOLUME_EMPTY_DIR "sharedVolumes" /* in the pod's directory: those of kind empty */

/* The pod. All descriptors were opened in this mount namespace, which is the caller's own. */
typedef struct VolumeContext {
        const PodManifest *manifest;
        const Userns *users;
        int pod_fd;
} VolumeContext;

int volume_make_empty(const VolumeContext *c, Error *e);
const AcVolume *volume_of(const PodManifest *m, const PodMount *mount);
bool volume_has_devices(const PodManifest *m);
int volume_mount_all(const VolumeContext *c, const AppPlace *place, Error *e);
int volume_need_host_users(const VolumeContext *c, char **ret_why, Error *e);
