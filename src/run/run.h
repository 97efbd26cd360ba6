/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The last step before a pod runs: private mounts, the stage1 root, and then systemd-nspawn in place of this process. */
#pragma once

#include <stdbool.h>

#include "basic/error.h"
#include "pod/pod.h"
#include "run/app-unit.h"
#include "run/root-files.h"
#include "store/store.h"

typedef struct RunOptions {
        /* What the apps print goes to stdout and stderr of this process as well (rkt run in the foreground); else to
         * the journals that Log= names. */
        bool console;
        /* This process stays, and the pod is its child; always so with console. */
        bool stay;
        /* The only app of the pod gets the terminal that is our standard input and output. */
        bool interactive;
        /* The process is the main process of a systemd unit or the only one of a scope made for it. Always true today. */
        bool keep_unit;
        /* console or stay: called when the pod has ended and its lock is free, by the process that was started. That one has only its
         * standard descriptors then. The status is waitpid()'s of systemd-nspawn; 0: it was asked to stop. May be NULL. */
        void (*ended)(int status, void *userdata);
        /* What people should know of a pod that starts nevertheless. May be NULL. */
        void (*message)(void *userdata, const char *message);
        void *userdata; /* of both */
} RunOptions;

/* For run_release(). */
typedef struct RunRelease {
        void (*warning)(void *userdata,
                        const char *message); /* what could not be given back, and is given up */
} RunRelease;

/* An app that is added to a running pod. */
typedef struct RunApp {
        RootFiles files; /* for the stage1 root */
        AppFacts facts;
        int stage1_fd; /* opt/stage2/APP/rootfs and what facts.binds names are mounted in it */
} RunApp;

#define RUN_APP_INIT      ((RunApp){ .stage1_fd = -EBADF })
#define _cleanup_run_app_ _cleanup_(run_app_done)

int run_build_app(Pod *p, Store *s, PodManifest *m, RunApp *ret, Error *e);
void run_app_done(RunApp *a);
int run_check_name(const char *name, Error *e);
int run_check_terminal(Error *e);
int run_pod(Pod *p, Store *s, const RunOptions *options, Error *e);
int run_release(Pod *p, void *userdata, Error *e);
char *run_journal_path(const char *uuid);
bool run_ended_unready(Pod *p);
int run_explain(Pods *pods, const char *name, char ***ret, Error *e);
int run_reset(Pod *p, Error *e);
int run_stop_post(Pods *pods, const char *data_dir, const char *name, Error *e);
