/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting for a job of systemd's, over the system bus or PID 1's own socket.
 *
 *      ManagerJob j = MANAGER_JOB_INIT;
 *      r = manager_job_watch(&j, bus, service);         (before the call, so that the signal cannot be missed)
 *      r = sd_bus_call(bus, call, ..., &reply);         (StartUnit, StopUnit, ...)
 *      r = manager_job_wait(&j, bus, reply);            (nothing may be dispatched in between)
 *      ... j.result ...
 *      manager_job_done(&j); */
#pragma once

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "basic/clock.h"
#include "basic/macro.h"

typedef struct ManagerJob {
        sd_bus_slot *slot;
        const char *path; /* NULL until the call has returned */
        char *result;     /* "done", "failed", ...; NULL: not known */
        bool done;
        usec_t deadline; /* CLOCK_MONOTONIC; 0: none; may be set until the wait begins */
} ManagerJob;

#define MANAGER_JOB_INIT ((ManagerJob){})

int manager_job_watch(ManagerJob *j, sd_bus *bus, const char *service);
int manager_job_wait_unless(ManagerJob *j, sd_bus *bus, sd_bus_message *reply, int fd);
int manager_job_wait(ManagerJob *j, sd_bus *bus, sd_bus_message *reply);
void manager_job_done(ManagerJob *j);
