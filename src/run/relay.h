/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes between the caller's standard streams and an app's, signals to the app, until something says that it is over.
 *
 *      Relay x = { .streams = streams, .n_streams = n, .watch_fd = fd, .watch = f, ... };
 *      r = relay_run(&x, &end, e);  */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "basic/error.h"
#include "basic/parse.h"

#define RELAY_BUFFER_SIZE 32768
#define RELAY_PIECE_MIN   512 /* what is taken at a time for who reads slowly */
#define RELAY_SLOW_USEC   50000

/* An end that is not to be closed here is closed by who made it. */
typedef struct RelayStream {
        int from;           /* -EBADF: ended */
        int to;             /* -EBADF: nobody reads any more */
        bool is_input;      /* of the app: what is not yet read when all is over does not matter */
        bool close_from;    /* when nobody reads any more, so that the writer learns it */
        bool close_to;      /* at the end of @from, so that the reader sees the end */
        bool non_blocking;  /* @to is; otherwise it gets small pieces */
        const char *detach; /* bytes that in a row end the relay; NULL: none */
        size_t detach_size;
        size_t detach_seen; /* state */
        size_t start, size; /* of what is in the buffer */
        size_t piece;       /* state: at most this is read at a time */
        usec_t read_usec;   /* state: when what is in the buffer came */
        char *buffer;       /* RELAY_BUFFER_SIZE; made by relay_run() */
} RelayStream;

typedef enum RelayEnd {
        RELAY_DONE,     /* watch() said so */
        RELAY_HANGUP,   /* all that comes from the app has ended */
        RELAY_DETACHED, /* the keys were typed */
        RELAY_SIGNAL,   /* SIGINT, SIGTERM, SIGHUP or SIGQUIT came, and there is no on_signal() */
        _RELAY_END_MAX,
} RelayEnd;

typedef struct Relay {
        RelayStream *streams;
        size_t n_streams;
        int watch_fd; /* readable: watch() is called; -EBADF: none */
        int (*watch)(
                void *userdata); /* 1: it is over; 0: go on; or a negative errno. Called once before the first wait, too */
        int (*on_signal)(
                int sig,
                void *userdata); /* every signal but those of the terminal; a negative errno ends. NULL */
        void (*on_terminal)(int sig, void *userdata); /* SIGWINCH, SIGCONT; NULL */
        void *userdata;
        bool stays_after_hangup; /* only watch() ends it */
        bool (*lingers)(
                void *userdata); /* after watch() has said that it is over: may more come? NULL: what lies ready is all */
} Relay;

int relay_run(Relay *x, RelayEnd *ret, Error *e);
