/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What "rkt run" and "rkt prepare" do alike: read their command line, and get the images that it names. */
#pragma once

#include "store/store.h"
#include "verbs/run-args.h"

typedef int (*RunFunc)(const VerbContext *c, RunArgs *a, Error *e);

int run_verb(const VerbContext *c, const Verb *v, char **words, RunArgs *a, RunFunc func, Error *e);
int run_images_get(const VerbContext *c, const Verb *v, RunArgs *a, Store *s, char ***ret_ids, Error *e);
void run_print_message(void *userdata, const char *message);
