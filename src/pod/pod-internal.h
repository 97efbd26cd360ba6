/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the modules of this folder share and nobody else sees. */
#pragma once

#include "pod/pod.h"

#define POD_STATUS_DIR "stage1/rootfs/rkt/status"
#define POD_UNITS_DIR  "stage1/rootfs/etc/systemd/system"

/* Beside APP, which says how it ended. No app has a dot in its name. */
#define POD_MARK_CREATED ".created"
#define POD_MARK_STARTED ".started"
#define POD_MARK_END     ".end" /* written by helper/app-status.c */

struct Pods {
        int fd; /* DATADIR/pods */
        char *path;
};

struct Pod {
        Pods *pods; /* must outlive the pod */
        char uuid[UUID_STRING_MAX];
        int fd;      /* the pod's directory; -EBADF for a pod of a list */
        bool locked; /* by us, through fd */
        PodDirectory directory;
        PodState state;
        usec_t created_usec; /* of a pod of a list; else 0 */
};

int pod_place(char ret[64], PodDirectory d, const char *name);
int pod_find(Pods *ps, const char *uuid, int *ret_fd, PodDirectory *ret_directory, PodState *ret_state);
void pod_drop_fd(Pod *p);
int pod_use_fd(Pod *p, int *tmp_fd);
int pod_open_beneath(int fd, const char *path, int flags);
bool pod_process_is_gone(Pod *p);
int pod_open_status_dir(int fd, int *ret);
int pod_read_app_trees(int pod_fd, const char *app, char ***ret);
