/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What list, status, stop, rm and their kin have in common: pods by argument or file, and a pod as rkt's JSON. */
#pragma once

#include "basic/json-write.h"
#include "pod/pod.h"

#define POD_SIGNAL_NAME_MAX 16

/* What is done with one pod; negative errno and a sentence on failure. */
typedef int (*PodFunc)(Pod *p, void *userdata, Error *e);

/* An app of a running pod, as flags mean it. */
typedef struct RunningAppQuery {
        const char *uuid_file; /* instead of a word; NULL: none */
        const char *app;       /* NULL: the only one */
        const char *verb;      /* for a hint */
} RunningAppQuery;

typedef struct RunningApp {
        Pods *pods;
        Pod *pod;
        PodManifest *manifest;
        const PodApp *app; /* of the manifest */
} RunningApp;

#define RUNNING_APP_INIT ((RunningApp){})

/* Rows of options, of a struct with members "app" and "uuid_file". */
#define POD_OPTION_APP(type, text)                                                                           \
        { "app", 0, OPTION_STRING, offsetof(type, app), .value = "NAME", .help = text }
#define POD_OPTION_UUID_FILE(type)                                                                           \
        {                                                                                                    \
                "uuid-file", 0, OPTION_STRING, offsetof(type, uuid_file),                                    \
                        .value = "FILE", .help = "read the pod's UUID from there"                            \
        }

int pods_open_for(const char *data_dir, Pods **ret, Error *e);
int pod_open_named(const char *data_dir, int argc, char **words, const char *uuid_file, Pods **ret_pods,
                   Pod **ret, Error *e);
int pods_for_each_named(const char *data_dir, int argc, char **words, const char *uuid_file, PodFunc func,
                        void *userdata, int *ret_failed, Error *e);
int running_app_open(const char *data_dir, int argc, char **words, const RunningAppQuery *q, RunningApp *ret,
                     Error *e);
void running_app_done(RunningApp *x);
int pod_not_running(Pod *p, Error *e);
int print_timestamp(const char *key, usec_t usec);
int pod_machine_name(Pod *p, char **ret, Error *e);
int pod_image_title(const PodImage *i, char **ret);
const char *pod_app_state(Pod *p, const char *app);
void pod_signal_name(int number, char ret[POD_SIGNAL_NAME_MAX]);
int pod_app_added_usec(Pod *p, const char *app, usec_t *ret);
int pod_app_begun_usec(Pod *p, const char *app, usec_t *ret);
void pod_app_write_json(Pod *p, const PodManifest *m, const PodApp *a, JsonWriter *w);
int pod_networks(Pod *p, char **ret);
void pod_write_json(Pod *p, JsonWriter *w);
void pod_write_json_members(Pod *p, JsonWriter *w);
bool pod_is_over(PodState s);
