/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting rkt-pull with a request, and waiting for what it says: what downloads and registries have in common. */
#pragma once

#include "basic/process.h"
#include "net/pull-protocol.h"

typedef struct PullWorker {
        Process process;
        int body_fd;
        int meta_fd;
        usec_t deadline; /* CLOCK_MONOTONIC; the worker has one of its own, which it might not keep */
} PullWorker;

/* What came from one descriptor. */
typedef struct PullOutput {
        size_t size_max; /* more is an error */
        char *data;
        size_t size;
        size_t allocated;
} PullOutput;

#define PULL_WORKER_INIT ((PullWorker){ .process = PROCESS_INIT, .body_fd = -EBADF, .meta_fd = -EBADF })

int pull_worker_spawn(const char *mode, const int *fds, size_t n_fds, Process *ret, Error *e);
int pull_worker_start(const char *mode, const PullRequest *q, const char *more, PullWorker *ret, Error *e);
int pull_worker_wait(const PullWorker *w, int fd, Error *e);
int pull_worker_read(const PullWorker *w, PullOutput *body, PullOutput *meta, Error *e);
void pull_output_done(PullOutput *o);
void pull_worker_done(PullWorker *w);
