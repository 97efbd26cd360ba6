/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Running pods as systemd and machined see them: which unit, who leads, stop it, and a scope for a pod that was started by hand.
 * The truth about "is it running" is the pod directory's lock (pod/pod.h); this is about whom to ask. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "basic/clock.h"
#include "basic/error.h"

#define SIGNAL_HALT (SIGRTMIN + 3) /* systemd(1): starts halt.target; what nspawn sends, too */

typedef struct Machine {
        char *unit;   /* "pod@shop.service", "machine-rkt\\x2d....scope" */
        pid_t leader; /* the pod's PID 1, as the host numbers it */
} Machine;

#define MACHINE_INIT      ((Machine){})
#define _cleanup_machine_ _cleanup_(machine_done)

void machine_done(Machine *m);
int machine_lookup(const char *name, Machine *ret, Error *e);
void machine_forget(const char *name);
int machine_stop(const char *name, const char *dir, usec_t patience, Error *e);
int machine_restart_unit(const char *unit, Error *e);
int machine_try_restart_unit(const char *unit, Error *e);
int machine_start_unit(const char *unit, Error *e);
int machine_stop_unit(const char *unit, Error *e);
int machine_unit_state(const char *unit, char **ret, Error *e);
int machine_start_service(const char *name, const char *description, const char *const *argv, char **ret_unit,
                          Error *e);
int machine_enter_scope(const char *name, const char *description, Error *e);
