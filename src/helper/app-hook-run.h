/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs a hook of an app, inside the pod. */
#pragma once

int app_hook_enter_pod(void);
int app_hook_start(const char *unit, char **ret_result);
int app_hook_run(const char *app, const char *kind);
