/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices of the host in an app: those of Device=, and volumes that are one. */
#pragma once

#include <sys/stat.h>

#include "run/app-place.h"

int app_device_clone(const AppPlace *p, const struct stat *st, int source_fd, int *ret_fd, Error *e);
int app_device_allow(const AppPlace *p, const struct stat *st, const char *access);
int app_device_mount_all(const AppPlace *p, Error *e);
