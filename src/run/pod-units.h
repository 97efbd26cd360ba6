/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All units of pods at once, as systemd sees them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "basic/error.h"

int pod_units_running(char ***ret, Error *e);
int pod_units_timers(char ***ret, Error *e);
int pod_units_reload(Error *e);
int pod_units_active_since(const char *unit, int64_t *ret, Error *e);
int pod_units_is_fresh(const char *unit, bool *ret, Error *e);
int pod_units_enabled(const char *unit, bool *ret, Error *e);
