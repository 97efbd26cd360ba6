/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Profile=: defaults for the apps of a pod, by a word. */
#pragma once

#include "config.h"

#include "basic/error.h"
#include "podfile/pod-spec.h"

#define PROFILE_DIRS ((const char *const[]){ "/etc/rkt/profile", RKT_LIBEXEC_DIR "/profile", NULL })

int profile_load(const char *const *dirs, char *const *names, UnitSettings *ret, Error *e);
