/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What list, status, stop, rm and their kin have in common: pods by argument or file, and a pod as rkt's JSON. */
#pragma once

#include "basic/json-write.h"
#include "pod/pod.h"

int pods_open_for(const char *data_dir, Pods **ret, Error *e);
int pod_id_from_file(const char *path, char **ret, Error *e);
int pod_open_argument(Pods *ps, const char *id, Pod **ret, Error *e);
int pod_machine_name(Pod *p, char **ret, Error *e);
int pod_image_title(const PodImage *i, char **ret);
void pod_write_json(Pod *p, JsonWriter *w);
bool pod_is_over(PodState s);
