/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whoever enters an app becomes a unit of its pod: enter-APP@INSTANCE.service, whose drop-in has the app's sandbox
 * (run/app-unit.c). This asks the pod's systemd for it, over PID 1's own socket, from inside or from the host.
 *
 *      EnterWatch w = ENTER_WATCH_INIT;
 *      r = enter_unit_start(bus, &unit, &w, e);
 *      ... whenever sd_bus_get_fd(bus) is readable: r = enter_watch_process(&w);    (1: it has ended)
 *      status = enter_watch_status(&w);
 *      enter_watch_done(&w);                                   (before the bus is closed) */
#pragma once

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "basic/error.h"
#include "basic/macro.h"

typedef struct EnterUnit {
        const char *app;
        const char *instance; /* not used by another unit of this app */
        const char *description;
        const char *path;         /* of the program, in the app's root */
        char *const *argv;        /* taken as it is: "$" and "%" mean nothing */
        char *const *environment; /* NAME=VALUE, besides the app's, which win; NULL: none */
        const char *tty;          /* terminal of the pod, which becomes the controlling one; NULL: fds */
        int fds[3];               /* without tty: standard input, output and error */
        bool whole;               /* it ends with its last process, not with its first */
        int hold_fd; /* reading end of a pipe: the unit is stopped when all writers have gone; -EBADF */
} EnterUnit;

typedef struct EnterWatch {
        sd_bus *bus;
        sd_bus_slot *changed, *removed;
        char *unit, *unit_path;
        char *job_result; /* "done": the program runs, or ran */
        bool ended;
        bool lost; /* the pod's systemd has gone */
        int code;  /* CLD_EXITED, CLD_KILLED, CLD_DUMPED; 0: nothing ran */
        int status;
} EnterWatch;

#define ENTER_WATCH_INIT      ((EnterWatch){})
#define _cleanup_enter_watch_ _cleanup_(enter_watch_done)

int enter_unit_start(sd_bus *bus, const EnterUnit *u, EnterWatch *w, Error *e);
int enter_watch_process(EnterWatch *w);
int enter_watch_status(const EnterWatch *w);
bool enter_watch_has_run(const EnterWatch *w);
void enter_watch_signal(EnterWatch *w, int sig);
void enter_watch_done(EnterWatch *w);
