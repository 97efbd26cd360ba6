/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --pod-manifest=FILE of "rkt run" and "rkt prepare": an appc pod manifest in place of images and their flags. */
#pragma once

#include "verbs/run-args.h"

int run_manifest_check(const RunArgs *a, Error *e);
int run_manifest_load(RunArgs *a, Error *e);
