/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mounts as descriptors: made without a place, given one later, and gone with the last descriptor if they get none. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "basic/error.h"

struct mount_attr; /* <linux/mount.h> */

typedef struct MountOption {
        const char *key;
        const char *value; /* NULL: a flag */
} MountOption;

int mount_fs(const char *type, const MountOption *options, size_t n_options, unsigned attributes, int *ret_fd,
             Error *e);
int mount_clone(int dir_fd, unsigned attributes, int *ret_fd);
int mount_clone_tree(int dir_fd, const struct mount_attr *attributes, bool recursive, int *ret_fd);
int mount_map(int mount_fd, int userns_fd, bool recursive);
int mount_move(int mount_fd, int target_fd);
int mount_is_slave(int fd);
