/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which images a pod of a pod file starts with: DATADIR/resolved/NAME, a line per app: ID, stamp of the file that it came
 * from ("-" if it was none), and the reference. With it a start neither asks the network nor reads an image again, and an
 * update is nothing but another note. */
#pragma once

#include "basic/error.h"
#include "podfile/pod-spec.h"
#include "store/store.h"

int pod_note_load(const char *data_dir, const char *name, char ***ret_lines);
int pod_note_find(char *const *lines, Store *store, const char *reference, char **ret_id);
bool pod_note_has_all(char *const *lines, Store *store, const PodSpec *spec);
int pod_note_write(const char *data_dir, const char *name, const PodSpec *spec, char *const *ids, Error *e);
