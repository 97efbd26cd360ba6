/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Credentials of an app, as flags. */
#pragma once

#include "verbs/run-args.h"
#include "verbs/run-isolators.h"

int run_set_credential(const Option *o, const char *value, void *data, Error *e);
