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
int pod_find_app(const PodManifest *m, const char *name, const char *verb, const PodApp **ret, Error *e);
int pod_machine_name(Pod *p, char **ret, Error *e);
int pod_image_title(const PodImage *i, char **ret);
const char *pod_app_state(Pod *p, const char *app);
int pod_app_added_usec(Pod *p, const char *app, usec_t *ret);
int pod_app_begun_usec(Pod *p, const char *app, usec_t *ret);
void pod_app_write_json(Pod *p, const PodManifest *m, const PodApp *a, JsonWriter *w);
int pod_networks(Pod *p, char **ret);
void pod_write_json(Pod *p, JsonWriter *w);
bool pod_is_over(PodState s);
