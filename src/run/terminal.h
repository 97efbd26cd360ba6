/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The caller's terminal and one of a pod: making the latter, joining the two.
 *
 *      r = terminal_open(leader, &master, &path, e);   (path is for TTYPath= of a unit in the pod)
 *      r = terminal_forward(&(TerminalForward){ .master = master, .in = 0, .out = 1, ... }, &end, e); */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "basic/error.h"
#include "run/relay.h"

#define TERMINAL_KEYS_MAX 16 /* bytes of a detach sequence */

typedef struct TerminalForward {
        int master; /* pty of the pod */
        int peer;   /* its other end, from here, with @begin */
        int (*begin)(
                void *userdata,
                Error *e); /* starts who reads from the pod's end, once the caller's terminal is raw; NULL */
        int in, out;       /* of the caller; the one or the other may be no terminal */
        const char *detach_keys; /* "^]^]^]", "ctrl-p,ctrl-q"; NULL or "": none */
        const int *size_fd;      /* the terminal that gets the caller's size; NULL: master */
        int watch_fd;            /* as in Relay; -EBADF: none */
        int (*watch)(void *userdata);
        int (*on_signal)(int sig, void *userdata);
        void *userdata;
        bool stays_after_hangup; /* somebody may open the pod's end again: only watch() ends it */
} TerminalForward;

int terminal_open(pid_t leader, int *ret_master, char **ret_slave_path, Error *e);
int terminal_keys_parse(const char *text, char ret[static TERMINAL_KEYS_MAX], size_t *ret_size);
int terminal_forward(const TerminalForward *f, RelayEnd *ret, Error *e);
