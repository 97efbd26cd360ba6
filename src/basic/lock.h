/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* flock() on files and directories. A lock lives as long as any copy of its descriptor, across exec. */
#pragma once

typedef enum LockMode {
        LOCK_MODE_SHARED,
        LOCK_MODE_EXCLUSIVE,
} LockMode;

int lock_fd(int fd, LockMode mode, int wait);
int lock_file_at(int dir_fd, const char *path, LockMode mode, int wait, int *ret_fd);
