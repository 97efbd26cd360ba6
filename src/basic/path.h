/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Paths as text. */
#pragma once

#include <stdbool.h>

#define PATH_LENGTH_MAX 4095

bool path_is_absolute(const char *p);
bool path_is_normalized(const char *p);
bool path_is_safe_name(const char *p);
bool path_is_beneath(const char *path, const char *top);
const char *path_basename(const char *p);
char *path_join(const char *a, const char *b);
char *path_clean(const char *path);
