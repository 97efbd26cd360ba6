/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program in an app of a running pod, with the caller's standard streams: what "rkt enter" does. */
#pragma once

#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "basic/error.h"
#include "manifest/pod-manifest.h"

typedef struct PodEnter {
        sd_bus *bus;              /* pod_bus_open() */
        pid_t leader;             /* the pod's PID 1, as the host numbers it */
        const PodApp *app;        /* with its "app" object */
        char **words;             /* NULL: a shell, bash if the app has it */
        char *const *environment; /* NAME=VALUE, for what the app does not say; NULL: none */
} PodEnter;

int pod_enter(const PodEnter *x, int *ret_status, Error *e);
