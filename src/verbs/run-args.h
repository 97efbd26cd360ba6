/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line of "rkt run" and "rkt prepare" becomes a PodSpec: IMAGE [FLAGS] [-- ARGS... [---]] IMAGE2 ... */
#pragma once

#include "manifest/image-manifest.h"
#include "manifest/pod-manifest.h"
#include "podfile/pod-spec.h"
#include "verbs/verbs.h"

typedef enum RunKind {
        RUN_IMAGES,  /* the words are images */
        RUN_SANDBOX, /* there are none */
        RUN_APP_ADD, /* the first is a pod, the second an image */
} RunKind;

typedef struct RunArgs {
        RunKind kind;
        const char *pod; /* RUN_APP_ADD: which */
        PodSpec *spec;   /* owned; apps without --name have the name "" */
        const char *uuid_file_save;
        const char *uuid_file;    /* run-prepared: of the pod */
        const char *net;          /* --net; NULL if not given */
        const char *pod_manifest; /* --pod-manifest: path; NULL if not given */
        PodManifest *manifest;    /* owned; what was read there, see run-manifest.h */
        const char *hostname;
        char **hosts; /* "NAME:IP", or "host" alone */
        char **ports; /* --port: "NAME:[IP:]PORT", not looked at yet */
        char **dns;   /* repeated, and with commas */
        char **dns_search;
        char **dns_opt;
        const char *dns_domain;
        char **set_env;
        char **limits; /* NAME=VALUE, see image/image-limits.h */
        char **set_env_files;
        char **global_mounts; /* "VOLUME=TARGET" */
        char **signatures;    /* of the apps, in their order; "" for none */
        const char *pod_name; /* --pod-name; NULL: rkt-UUID */
        bool interactive;
        const char *ipc;    /* NULL: auto */
        const char *stage1; /* the flag that named one; NULL */
        bool mds_register;
        bool remove; /* --rm */
        bool detach;
        bool detached; /* as the service that --detach made: what the apps print goes to the journals */
        bool inherit_env;
        bool pull_given; /* --pull-policy */
        bool store_only;
        bool no_store;
        bool quiet; /* prepare: only the UUID, or what went wrong */
} RunArgs;

extern const Option run_options[];          /* rkt run */
extern const Option run_prepare_options[];  /* rkt prepare */
extern const Option run_prepared_options[]; /* rkt run-prepared */
extern const Option run_start_options[];    /* rkt start */
extern const Option run_image_options[];    /* an app and its image: of run, prepare and app add */
extern const Option run_new_options[];      /* of a pod that is made: of run and prepare */
extern const Option run_how_options[];      /* how it is run: of run and run-prepared */

/* What a manifest may have, for sentences. */
#define RUN_VARIABLE_RULE                                                                                    \
        "a variable's name is of letters, digits, '_', '.' and '-', and begins with a letter or '_'"

bool run_variable_is_valid(const char *assignment);
int run_ipc_parse(const char *word, bool *ret, Error *e);
int run_add_volume(RunArgs *a, const char *value, const char *flag, Error *e);
int run_clean_path(const char *path, char **ret);
int run_set_private_users(const Option *o, const char *value, void *data, Error *e);
int run_set_no_overlay(const Option *o, const char *value, void *data, Error *e);
const MountSpec *run_find_mount(const AppSpec *app, const char *target);

int run_args_parse(const VerbContext *c, const Verb *v, char **args, RunArgs *a, Error *e);
void run_args_done(RunArgs *a);
int run_args_set_image(RunArgs *a, size_t i, const ImageManifest *m, Error *e);
