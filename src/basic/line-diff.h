/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The difference of two texts, line by line, as "diff -u" prints it. */
#pragma once

#include "basic/str.h"

int line_diff(const char *before, const char *after, const char *name_before, const char *name_after,
              StrBuf *b);
