/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages for people, on standard error. Only verbs, helpers and generators log above debug. */
#pragma once

#include <stdbool.h>
#include <syslog.h>

#include "basic/macro.h"

void log_set_debug(bool on);
bool log_is_debug(void);
void log_set_prefix(const char *prefix);
int log_full(int level, int r, const char *format, ...) _printf_(3, 4);

/* All evaluate to -abs(r). %m in the format is the text of r. */
#define log_error_errno(r, ...)   log_full(LOG_ERR, (r), __VA_ARGS__)
#define log_warning_errno(r, ...) log_full(LOG_WARNING, (r), __VA_ARGS__)
#define log_debug_errno(r, ...)   log_full(LOG_DEBUG, (r), __VA_ARGS__)
#define log_error(...)            ((void) log_full(LOG_ERR, 0, __VA_ARGS__))
#define log_warning(...)          ((void) log_full(LOG_WARNING, 0, __VA_ARGS__))
#define log_info(...)             ((void) log_full(LOG_INFO, 0, __VA_ARGS__))
#define log_debug(...)            ((void) log_full(LOG_DEBUG, 0, __VA_ARGS__))
