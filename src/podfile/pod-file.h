/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pod files: finding them (four directories, masks, templates, drop-ins) and loading them into a PodSpec. */
#pragma once

#include <stdbool.h>

#include "basic/error.h"
#include "podfile/pod-error.h"
#include "podfile/pod-spec.h"
#include "podfile/pod-text.h"

#define POD_FILE_SIZE_MAX (4U * 1024U * 1024U)

/* One pod: where its text is. */
typedef struct PodEntry {
        char *name;       /* machine name */
        char *prefix;     /* before "@", else the same as name */
        char *instance;   /* of a template; NULL */
        char *path;       /* the pod file, a template's for its instances */
        char **dropins;   /* in the order to read */
        PodErrors errors; /* of the place: a dangling link, a name that two files claim, ... */
} PodEntry;

/* All pods, sorted by name. Masked ones are not in it. */
typedef struct PodIndex {
        PodEntry *entries;
        size_t n;
        char **folders;   /* drop-in directories that exist, for pods that do and that do not; sorted */
        PodErrors errors; /* of files that make no pod at all: bad names, unreadable directories */
} PodIndex;

int pod_dirs(char ***ret);
int pod_index_load(char *const *dirs, PodIndex **ret);
PodIndex *pod_index_free(PodIndex *x);
DEFINE_CLEANUP(PodIndex *, pod_index_free);
#define _cleanup_pod_index_ _cleanup_(pod_index_freep)
const PodEntry *pod_index_find(const PodIndex *x, const char *name);

void pod_entry_done(PodEntry *entry);
int pod_entry_from_path(const char *path, PodEntry *ret, PodErrors *errors);
int pod_entry_read(const PodEntry *entry, PodText **ret, PodErrors *errors);
int pod_entry_read_with(const PodEntry *entry, const char *path, const char *data, size_t size, PodText **ret,
                        PodErrors *errors);
int pod_entry_load(const PodEntry *entry, PodSpec **ret, PodErrors *errors);
int pod_text_load(const PodEntry *entry, PodText *text, PodSpec **ret, PodErrors *errors);

int pod_file_load(const char *name, char *const *dirs, PodSpec **ret, PodErrors *errors, Error *e);
