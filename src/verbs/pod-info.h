/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What list, status, stop, rm and their kin have in common: pods by argument or file, and a pod as rkt's JSON. */
#pragma once

#include "basic/json-write.h"
#include "pod/pod.h"

/* What is done with one pod; negative errno and a sentence on failure. */
typedef int (*PodFunc)(Pod *p, void *userdata, Error *e);

int pods_open_for(const char *data_dir, Pods **ret, Error *e);
int pod_open_named(const char *data_dir, int argc, char **words, const char *uuid_file, Pods **ret_pods,
                   Pod **ret, Error *e);
int pods_for_each_named(const char *data_dir, int argc, char **words, const char *uuid_file, PodFunc func,
                        void *userdata, int *ret_failed, Error *e);
int pod_machine_name(Pod *p, char **ret, Error *e);
int pod_image_title(const PodImage *i, char **ret);
void pod_write_json(Pod *p, JsonWriter *w);
bool pod_is_over(PodState s);
