/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* File systems in memory in an app: those of TemporaryFileSystem=, and /dev/shm of ShmSize=. */
#pragma once

#include "run/app-place.h"

int app_tmpfs_mount_all(const AppPlace *p, Error *e);
