/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pod's directory, from embryo to garbage. Pods is DATADIR/pods, Pod is one pod in it.
 *
 * A pod is running as long as its lock is held. The lock is a descriptor of the pod's directory; whoever starts the pod
 * hands it to every exec (pod_pass_lock()), and the kernel drops it when the last of these processes is gone. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "basic/error.h"
#include "basic/parse.h"
#include "basic/uuid.h"
#include "manifest/pod-manifest.h"
#include "pod/pod-state.h"

#define POD_LOCK_FD_ENV "RKT_LOCK_FD"

/* How an app ended, beyond the number. */
typedef struct PodAppEnd {
        char result
                [32]; /* systemd's word: "success", "exit-code", "signal", "oom-kill", "watchdog", "timeout", ... */
        int signal; /* that ended its main process; 0: none did */
} PodAppEnd;

typedef struct Pods Pods;
typedef struct Pod Pod;

int pods_open(const char *data_dir, Pods **ret, Error *e);
Pods *pods_close(Pods *ps);
DEFINE_CLEANUP(Pods *, pods_close);

int pod_new(Pods *ps, Pod **ret, Error *e);
int pod_open(Pods *ps, const char *id, Pod **ret, Error *e);
int pod_open_uuid(Pods *ps, const char *uuid, Pod **ret, Error *e);
Pod *pod_close(Pod *p);
DEFINE_CLEANUP(Pod *, pod_close);

const char *pod_uuid(const Pod *p);
int pod_fd(Pod *p);
int pod_path(const Pod *p, const char *beneath, char **ret);
PodDirectory pod_directory(const Pod *p);
PodState pod_state(const Pod *p);
int pod_refresh(Pod *p);

int pod_lock(Pod *p, Error *e);
bool pod_is_locked(const Pod *p);
int pod_pass_lock(Pod *p);
int pod_adopt_lock(Pods *ps, const char *uuid, int lock_fd, Pod **ret, Error *e);
int pod_move(Pod *p, PodDirectory to, Error *e);

int pod_write_manifest(Pod *p, const PodManifest *m, Error *e);
int pod_read_manifest(Pod *p, PodManifest **ret, Error *e);
int pod_read_manifest_text(Pod *p, char **ret, size_t *ret_size, Error *e);
int pod_set_name(Pod *p, const char *name, Error *e);
int pod_get_name(Pod *p, char **ret);
int pod_get_app_trees(Pod *p, const char *app, char ***ret);
int pod_set_ppid(Pod *p, pid_t pid, Error *e);
int pod_find_init(pid_t parent, pid_t *ret);
int pod_get_pid(Pod *p, pid_t *ret);
int pod_set_app_status(Pod *p, const char *app, int status, Error *e);
int pod_get_app_status(Pod *p, const char *app, int *ret);
int pod_get_app_end(Pod *p, const char *app, PodAppEnd *ret);
bool pod_app_is_alive(Pod *p, const char *app);
int pod_get_app_health(Pod *p, const char *app, char **ret);
int pod_created_usec(Pod *p, usec_t *ret);
int pod_started_usec(Pod *p, usec_t *ret);
int pod_marked_usec(Pod *p, usec_t *ret);
int pod_app_started_usec(Pod *p, const char *app, usec_t *ret);
int pod_app_finished_usec(Pod *p, const char *app, usec_t *ret);
