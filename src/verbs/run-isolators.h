/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The flags of "rkt run" that bound an app; rows of run_options[]. */
#pragma once

#include "verbs/run-args.h"

AppSpec *run_current_app(const Option *o, RunArgs *a, Error *e);
int run_set_memory(const Option *o, const char *value, void *data, Error *e);
int run_set_cpu(const Option *o, const char *value, void *data, Error *e);
int run_set_cpu_shares(const Option *o, const char *value, void *data, Error *e);
int run_set_oom(const Option *o, const char *value, void *data, Error *e);
int run_set_caps(const Option *o, const char *value, void *data, Error *e);
int run_set_seccomp(const Option *o, const char *value, void *data, Error *e);
int run_add_seccomp(AppSpec *app, bool retain, char *const *set, const char *errno_name, Error *e);
