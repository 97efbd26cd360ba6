/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that appear whole or not at all, also across a power cut. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* With FILE_WRITE_NO_SYNC the file is still whole to every reader, but may be lost by a power cut. */
typedef enum FileWriteFlags {
        FILE_WRITE_NO_SYNC = 1 << 0,
        FILE_WRITE_NO_REPLACE = 1 << 1,
} FileWriteFlags;

int tmpfile_open_at(int dir_fd, mode_t mode, int *ret_fd);
int tmpfile_link_at(int fd, int dir_fd, const char *name, FileWriteFlags flags);
int file_write_at(int dir_fd, const char *path, const char *data, size_t size, mode_t mode,
                  FileWriteFlags flags);
