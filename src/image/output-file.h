/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where something goes that the user named, and a file there that appears whole or not at all. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "basic/error.h"
#include "basic/macro.h"

/* A folder, and a name in it. */
typedef struct OutputPlace {
        int folder_fd;
        char *name; /* "" for "/" */
        char *path; /* for messages */
        bool exists;
        mode_t type; /* of what the path leads to */
} OutputPlace;

#define OUTPUT_PLACE_INIT ((OutputPlace){ .folder_fd = -EBADF })

/* Writes all of it; what it wrote is thrown away if this fails. */
typedef int (*OutputWrite)(void *userdata, int fd, Error *e);

int output_sink(void *fd, const void *data, size_t size, Error *e);
void output_place_done(OutputPlace *p);
int output_place_find(const char *path, bool make_folder, OutputPlace *ret, Error *e);
mode_t output_mode(mode_t mode);
int output_file_write(const char *path, const char *what, bool overwrite, OutputWrite write, void *userdata,
                      Error *e);
