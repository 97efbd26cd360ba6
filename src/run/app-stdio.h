/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where standard input, output and error of an app go: lines for its units, and the units of the program that stands between
 * its output and the journals. Pure: text in, text out. */
#pragma once

#include "run/app-confine.h"
#include "run/app-unit.h"

void app_stdio_add_unit(const PodApp *a, const AppSettings *s, const AppUnitContext *c, StrBuf *b);
void app_stdio_add_service(const PodApp *a, const AppSettings *s, const AppUnitContext *c, bool is_hook,
                           StrBuf *b);
int app_stdio_endpoints(const PodApp *a, char ***ret);
bool app_stdio_passes_messages(const PodApp *a, const AppSettings *s, const AppUnitContext *c);
int app_stdio_identifier(const PodApp *a, char **ret);
int app_stdio_units(const PodApp *a, const AppUnitContext *c, char ***ret_names, char ***ret_texts, Error *e);
