/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt's flags that choose a stage1 image, of which there is none here. */
#pragma once

#include "verbs/run-args.h"

int run_set_stage1(const Option *o, const char *value, void *data, Error *e);
