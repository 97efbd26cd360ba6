/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the generator writes for a pod: drop-ins for the shipped templates, and the links of [Install]. Text only. */
#pragma once

#include "podfile/pod-file.h"

/* One file (text) or link (target), by its path below the generator's directory. */
typedef struct UnitFile {
        char *path;
        char *text;   /* NULL for a link */
        char *target; /* NULL for a file */
} UnitFile;

typedef struct UnitFiles {
        UnitFile *items;
        size_t n;
} UnitFiles;

#define UNIT_FILES_INIT      ((UnitFiles){})
#define _cleanup_unit_files_ _cleanup_(unit_files_done)

void unit_files_done(UnitFiles *files);
int pod_unit_files(const PodEntry *entry, const PodSpec *spec, bool broken, UnitFiles *ret);
int pod_watch_files(const PodIndex *x, UnitFiles *ret);
