/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Words, quotes and escapes, as in ExecStart= and Environment= of a unit. */
#pragma once

#include <stddef.h>

int word_next(const char **p, char **ret);
int word_split(const char *s, size_t n_max, char ***ret);
