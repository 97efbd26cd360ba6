/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The caller's standard streams and those of an app of a pod, by the socket of its rkt-log. Any number of callers at once; the
 * app may end and start again meanwhile. */
#pragma once

#include <stdbool.h>

#include "basic/error.h"
#include "run/relay.h"

typedef enum AttachWant {
        ATTACH_STDIN = 1 << 0,
        ATTACH_STDOUT = 1 << 1,
        ATTACH_STDERR = 1 << 2,
        ATTACH_TTY_IN = 1 << 3,
        ATTACH_TTY_OUT = 1 << 4,
} AttachWant;

#define ATTACH_TTY     (ATTACH_TTY_IN | ATTACH_TTY_OUT)
#define ATTACH_STREAMS (ATTACH_STDIN | ATTACH_STDOUT | ATTACH_STDERR)

#define ATTACH_DETACH_KEYS "^]^]^]"

typedef struct Attach {
        int stage1_fd;           /* root of the pod's systemd */
        const char *app;         /* its name */
        unsigned want;           /* AttachWant; of the terminal or of the streams, not of both */
        const char *detach_keys; /* NULL or "": none */
        int watch_fd;            /* readable: it is over; -EBADF: only the app's side ends it */
        bool starts;             /* the pod is only just being started: it is waited for */
} Attach;

int attach_run(const Attach *a, RelayEnd *ret, Error *e);
