/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The last step of "rkt run" and "rkt run-prepared". */
#pragma once

#include "pod/pod-prepare.h"
#include "pod/pod.h"
#include "store/store.h"
#include "verbs/run-args.h"

int run_foreground(const VerbContext *c, const RunArgs *a, Store *s, Pod *p, Error *e);
int run_detached(const VerbContext *c, const RunArgs *a, const char *verb, Pod *p, const char *name,
                 char **ret_unit, Error *e);
void run_discard(const RunArgs *a, Pod *p);
void run_remove_pod(const char *data_dir, const char *uuid);
int run_make_pod(const char *data_dir, Store *s, const PodSpec *spec, const PodPrepareOptions *prepare,
                 Pods **ret_pods, Pod **ret, char **ret_name, Error *e);
