/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a reload of systemd, and a restart of pods after it, would change: pod files as they are now, beside what the generator
 * wrote last and what running pods were started with. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "podfile/pod-file.h"
#include "podfile/pod-unit.h"

#define POD_GENERATOR_DIR "/run/systemd/generator"

typedef enum PodFileChangeKind {
        POD_SAME,
        POD_ADDED,   /* the last reload did not know it */
        POD_REMOVED, /* there is no file any more */
        POD_CHANGED,
        POD_BROKEN, /* the file has mistakes */
        _POD_CHANGE_KIND_MAX,
} PodFileChangeKind;

typedef struct PodFileChange {
        char *name;
        char *path; /* of the pod file; NULL when removed */
        PodFileChangeKind kind;
        bool is_running;
        bool was_started;  /* since the machine was */
        bool restart;      /* the running pod has another recipe */
        bool has_socket;   /* now */
        bool has_timer;    /* now */
        bool timer_runs;   /* its timer is active, or still is */
        bool is_installed; /* [Install] has links */
        bool new_socket;   /* what the socket listens on has changed, as far as that can be told from files */
        int64_t changed;   /* the youngest of its files, seconds since 1970; 0: none */
        char *diff;        /* as diff -u; NULL: none */
        char *errors;      /* lines, when broken */
        char *unread;      /* a file that could not be read, so that this is not all; NULL: none */
        int unread_error;  /* why */
} PodFileChange;

typedef struct PodFileChanges {
        PodFileChange *items; /* sorted by name, all pods */
        size_t n;
} PodFileChanges;

#define POD_FILE_CHANGES_INIT      ((PodFileChanges){})
#define _cleanup_pod_file_changes_ _cleanup_(pod_file_changes_done)

void pod_file_changes_done(PodFileChanges *c);
const char *pod_file_change_kind_to_string(PodFileChangeKind kind);
int pod_file_changes_load(const PodIndex *index, char *const *running, char *const *timers,
                          PodFileChanges *ret, Error *e);
int pod_file_changes_complete(const PodFileChanges *c, char *const *names, Error *e);
PodFileChange *pod_file_changes_find(const PodFileChanges *c, const char *name);
