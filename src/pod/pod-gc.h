/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Collecting pods that are over. Every step is a rename or a removal in a garbage directory, so that it may stop anywhere;
 * the next run takes the rest. Nothing here looks at mounts: a pod's mounts died with it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "pod/pod.h"

typedef enum PodChangeType {
        POD_CHANGE_MARKED_EXITED,  /* run -> exited-garbage */
        POD_CHANGE_MARKED_ABORTED, /* embryo, prepare -> garbage */
        POD_CHANGE_MARKED_EXPIRED, /* prepared -> garbage */
        POD_CHANGE_KEPT,           /* exited-garbage, still within the grace period */
        POD_CHANGE_REMOVED,        /* gone */
        POD_CHANGE_FAILED,         /* error has the sentence; the pod stays for the next run */
        _POD_CHANGE_TYPE_MAX,
        _POD_CHANGE_TYPE_INVALID = -EINVAL,
} PodChangeType;

typedef struct PodChange {
        PodChangeType type;
        char *id; /* UUID, or DIRECTORY/NAME of what is no pod */
        int r;    /* POD_CHANGE_FAILED: negative errno */
        char *error;
} PodChange;

typedef struct PodChanges {
        PodChange *changes;
        size_t n_changes;
} PodChanges;

#define POD_CHANGES_INIT      ((PodChanges){})
#define _cleanup_pod_changes_ _cleanup_(pod_changes_done)

/* Called with the pod locked, before its files go: network, machine, journal. A failure keeps the pod for the next run. */
typedef int (*PodRelease)(Pod *p, void *userdata, Error *e);

typedef struct PodGcOptions {
        usec_t grace_usec;           /* exited pods stay this long after they were marked */
        usec_t expire_prepared_usec; /* prepared pods that nobody ran; USEC_INFINITY: never */
        bool mark_only;
        usec_t now_usec; /* CLOCK_REALTIME; 0: now */
        PodRelease release;
        void *userdata;
} PodGcOptions;

#define POD_GC_GRACE_USEC           (30 * 60 * USEC_PER_SEC)
#define POD_GC_EXPIRE_PREPARED_USEC (24 * 60 * 60 * USEC_PER_SEC)

void pod_changes_done(PodChanges *c);
int pod_gc(Pods *ps, const PodGcOptions *options, PodChanges *changes, Error *e);
int pod_gc_name(Pods *ps, const char *name, const PodGcOptions *options, PodChanges *changes, Error *e);
int pod_remove(Pod *p, const PodGcOptions *options, Error *e);
