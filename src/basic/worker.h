/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting the programs that do what this process must not: rkt-pull, rkt-gpgv, rkt-cosign, rkt-parse, rkt-untar. */
#pragma once

#include "basic/process.h"

int worker_spawn(const char *name, const char *user, char *const argv[], const int *fds, size_t n_fds,
                 Process *ret, Error *e);
