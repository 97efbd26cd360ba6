/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end of an app, as its output and the host's journal see it. */
#pragma once

void app_output_sync(const char *app);
void app_output_tell_host(const char *app, const char *result, const char *code, const char *status);
