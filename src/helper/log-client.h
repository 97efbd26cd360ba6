/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is attached to an app (rkt-log). */
#pragma once

#include <signal.h>
#include <stdbool.h>

#include "helper/log-journal.h"

/* What a client gets and gives. */
enum {
        CLIENT_NEW = 0, /* has not yet said what it wants */
        CLIENT_IN = 1 << 0,
        CLIENT_OUT = 1 << 1,
        CLIENT_ERR = 1 << 2,
        CLIENT_SYNC = 1 << 3,
};

typedef struct Client {
        int fd; /* -1: free */
        int wants;
        bool is_first; /* of an interactive app: its terminal, at whatever speed */
} Client;

void client_drop(Client *c);
void client_send(Client *c, Sender *app, bool is_end, const volatile sig_atomic_t *stopping, const char *data,
                 size_t size);
