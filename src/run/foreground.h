/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* "rkt run" in the foreground: the process that was started stays, and behaves as if it were the app. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "basic/error.h"
#include "manifest/pod-manifest.h"

typedef struct Foreground {
        const char *machine;         /* the pod's machine name */
        const char *dir;             /* the pod's directory */
        const PodManifest *manifest; /* its apps get the signals that do not stop the pod */
        const char
                *notify_path; /* a socket is made there when $NOTIFY_SOCKET is set: in the pod's directory */
        void (*ended)(int status,
                      void *userdata); /* called at the end, before this process goes; may be NULL */
        void *userdata;
} Foreground;

int foreground_split(const Foreground *f, Error *e);
bool foreground_tie(pid_t parent);
void foreground_check_stop(const char *dir);
