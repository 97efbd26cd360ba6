/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Volumes: directories and files of the host, or made for the pod, mounted into the roots of its apps. */
#pragma once

#include <stdbool.h>

#include "basic/error.h"
#include "manifest/pod-manifest.h"
#include "run/app-unit.h"

int volume_make_empty(const PodManifest *m, int pod_fd, Error *e);
int volume_fill_all(const PodManifest *m, const PodApp *a, int pod_fd, int root_fd, Error *e);
int volume_mount_all(const PodManifest *m, const PodApp *a, int pod_fd, int stage1_fd, int root_fd,
                     AppFacts *f, Error *e);
