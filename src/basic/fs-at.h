/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file system beneath a directory descriptor. Paths that come from images are resolved with openat2() inside a
 * root; the others (ours) with plain *at() calls. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

int open_resolved(int dir_fd, const char *path, int flags, mode_t mode, uint64_t resolve);
int root_open(int root_fd, const char *path, int flags);
int root_mkdirs(int root_fd, const char *path, mode_t mode);
int root_mkdirs_through(int root_fd, const char *path, mode_t mode);
int mkdir_parents_at(int dir_fd, const char *path, mode_t mode);
int remove_tree_at(int dir_fd, const char *name);
int fsync_dir_at(int dir_fd, const char *path);
int fsync_tree_at(int dir_fd, const char *path);
int rename_noreplace_at(int from_fd, const char *from, int to_fd, const char *to);
