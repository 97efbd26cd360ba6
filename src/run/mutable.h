/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Apps of a running pod that come and go ("rkt app"): added by the same recipe as at a pod's start, started and stopped by the
 * pod's own systemd.
 *
 *      _cleanup_mutable_pod_ MutablePod x = MUTABLE_POD_INIT;
 *      r = mutable_pod_open(p, &x, e);
 *      r = mutable_pod_add(&x, store, spec, &options, e); */
#pragma once

#include <sys/types.h>

#include "basic/error.h"
#include "pod/pod-prepare.h"

typedef struct MutablePod {
        Pod *pod;
        PodManifest *manifest;
        int lock_fd;  /* nobody else changes the apps */
        pid_t leader; /* the pod's PID 1; 0: the pod is over */
} MutablePod;

#define MUTABLE_POD_INIT      ((MutablePod){ .lock_fd = -EBADF })
#define _cleanup_mutable_pod_ _cleanup_(mutable_pod_done)

int mutable_pod_open(Pod *p, MutablePod *ret, Error *e);
void mutable_pod_done(MutablePod *x);
int mutable_pod_add(MutablePod *x, Store *s, const PodSpec *spec, const PodPrepareOptions *options, Error *e);
int mutable_pod_start(MutablePod *x, const char *app, Error *e);
int mutable_pod_stop(MutablePod *x, const char *app, Error *e);
int mutable_pod_remove(MutablePod *x, const char *app, Error *e);
