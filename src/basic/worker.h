/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting the programs that do what this process must not: rkt-pull, rkt-gpgv, rkt-cosign, rkt-parse, rkt-untar. */
#pragma once

#include "basic/process.h"
#include "basic/str.h"

#define WORKER_STALL_MAX_MSEC 60000 /* of a worker that says nothing */

/* A pipe from which a worker is heard. */
typedef struct WorkerOutput {
        int fd;          /* blocking; -EBADF when that was all */
        size_t size_max; /* bytes; more is refused */
        StrBuf data;     /* what was said */
} WorkerOutput;

int worker_spawn(const char *name, const char *user, char *const argv[], const int *fds, size_t n_fds,
                 Process *ret, Error *e);
int worker_listen(const char *name, WorkerOutput *outputs, size_t n, Error *e);
void worker_output_done(WorkerOutput *o);
