/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mounts what erofs-writer.h makes. */
#pragma once

#include <stddef.h>

#include "basic/error.h"

typedef enum ErofsMountHow {
        EROFS_MOUNT_FILES, /* Linux 6.12 */
        EROFS_MOUNT_LOOP,
} ErofsMountHow;

/* A file with its name, which /proc/self/mountinfo will show; NULL: a file without a name. */
typedef struct ErofsFile {
        const char *path;
        int fd;
} ErofsFile;

int erofs_mount(ErofsMountHow how, const ErofsFile *image, const ErofsFile *devices, size_t n_devices,
                int *ret_fd, Error *e);
