/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* File descriptors: closing, reading and writing whole, and walking a directory. */
#pragma once

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "basic/alloc.h"

#define _cleanup_close_    _cleanup_(fd_closep)
#define _cleanup_fclose_   _cleanup_(fclosep)
#define _cleanup_closedir_ _cleanup_(closedirp)

int fd_close(int fd);
static inline void fd_closep(int *fd) {
        (void) fd_close(*fd);
}
DEFINE_CLEANUP(FILE *, fclose);
DEFINE_CLEANUP(DIR *, closedir);

int fd_write_all(int fd, const void *data, size_t size);
ssize_t fd_read_full(int fd, void *buffer, size_t size);
int fd_read_to_end(int fd, size_t size_max, char **ret, size_t *ret_size);
int fd_cloexec(int fd, int on);
int fd_memory_file(const char *name, const void *data, size_t size, int *ret);
int fd_copy_range(int from, int to, uint64_t size);
int file_read_at(int dir_fd, const char *path, size_t size_max, char **ret, size_t *ret_size);
int dir_open_at(int dir_fd, const char *path, DIR **ret);
int dir_list_at(int dir_fd, const char *path, char ***ret);
