/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an app says to the journals, in its name (rkt-log). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#define N_SINKS        2
#define PASSED_FDS_MAX 8

/* Room for what goes along with a message. */
typedef union Control {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int) * PASSED_FDS_MAX)];
} Control;

/* The app whose words they are. */
typedef struct Sender {
        const char *name, *identifier, *priority, *prefix;
        pid_t pid; /* 0: not known */
        uid_t uid;
        gid_t gid;
        int pidfd; /* -1: not known */
} Sender;

#define SENDER_INIT                                                                                          \
        { .pidfd = -1 }

/* One of the app's pipes, or one of its two sockets for datagrams. */
typedef struct Source {
        const char *ending; /* of its path */
        const char *sink;   /* of the journal, beneath journals[] */
        int fd;             /* -1: not there */
        int sinks[N_SINKS]; /* -1: not connected */
        bool datagrams;
        bool partial; /* the last byte was not the end of a line */
} Source;

pid_t sender_find_pid(Sender *x);
void sender_forget_pid(Sender *x);
ssize_t sender_send(Sender *x, int fd, char *data, size_t size, const struct ucred *who, const int *fds,
                    size_t n_fds);
int source_open_sink(const Source *s, const Sender *x, size_t n);
void source_send_all(Source *s, Sender *x, size_t n, char *data, size_t size, const struct ucred *who);
ssize_t message_send(int fd, char *data, size_t size, const struct ucred *who, const int *fds, size_t n_fds);
