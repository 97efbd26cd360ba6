/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The small files of a stage1 root, first as texts in memory (which tests compare), then on disk. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "basic/alloc.h"
#include "basic/error.h"
#include "basic/macro.h"
#include "basic/str.h"

#define ROOT_FILE_LINK ((mode_t) -1) /* mode of a symlink; its target is the content */
#define ROOT_FILE_DIR  ((mode_t) -2) /* mode of a directory, 0755; no content */

typedef struct RootFile {
        char *path; /* relative to the root */
        char *content;
        mode_t mode;
} RootFile;

typedef struct RootFiles {
        RootFile *files;
        size_t n_files;
} RootFiles;

#define ROOT_FILES_INIT      ((RootFiles){})
#define _cleanup_root_files_ _cleanup_(root_files_done)

void root_files_done(RootFiles *f);
int root_files_add(RootFiles *f, const char *path, mode_t mode, const char *content);
int root_files_take(RootFiles *f, const char *path, mode_t mode, StrBuf *content);
int root_files_write(const RootFiles *f, int root_fd, Error *e);
