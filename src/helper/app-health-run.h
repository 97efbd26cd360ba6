/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs the health check of an app, inside the pod. */
#pragma once

#include <stdint.h>

int app_health_run(const char *app, uint64_t retries, uint64_t start_usec, const char *action);
int app_health_wait(const char *app, uint64_t interval_usec);
