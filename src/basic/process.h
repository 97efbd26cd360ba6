/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Child processes by pidfd, without a shell. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "basic/error.h"

/* How a child is started. Descriptors in fds[] become 0, 1, 2, 3 ... in the child; -EBADF is /dev/null. All others are
 * closed. NULL environ means an environment with PATH and LANG=C.UTF-8 only. */
typedef struct ProcessSpec {
        const char *path;  /* absolute */
        char *const *argv; /* NULL-terminated */
        char *const *envp; /* NULL-terminated or NULL */
        const int *fds;    /* n_fds of them */
        size_t n_fds;
        const char *
                user; /* run as this user and its group; NULL: as the caller. Ignored when the caller is not root */
        bool die_with_parent;
        int death_signal; /* by which it dies with the parent; 0: SIGKILL */
        bool must_execute; /* process_spawn() waits until the program is there, and fails if it cannot be executed */
} ProcessSpec;

typedef struct Process {
        pid_t pid;
        int pidfd;
} Process;

#define PROCESS_REAP_MSEC 10000 /* a worker that has said all that it will say ends before that */

#define PROCESS_INIT ((Process){ .pid = 0, .pidfd = -EBADF })

int process_spawn(const ProcessSpec *spec, Process *ret, Error *e);
int process_wait(Process *p, int *ret_status, Error *e);
int process_reap(Process *p, int *ret_status, Error *e);
void process_done(Process *p);
int process_become_user(const char *user, const char *dir, Error *e);
bool process_is_init(pid_t pid);
bool process_has_name(pid_t pid, const char *name);
