/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A directory beside what the user named, which goes away with us, even if we are killed. */
#pragma once

#include <sys/types.h>

#include "image/output-file.h"

typedef struct OutputScratch {
        char *name; /* in the place's folder */
        int fd;
        int guard_fd; /* closing it sets off the guard */
        pid_t guard;
} OutputScratch;

#define OUTPUT_SCRATCH_INIT ((OutputScratch){ .fd = -EBADF, .guard_fd = -EBADF })

int output_scratch_new(const OutputPlace *p, OutputScratch *ret, Error *e);
void output_scratch_done(OutputScratch *x);
