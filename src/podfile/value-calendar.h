/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calendar expressions of systemd.time(7). */
#pragma once

#include <stdbool.h>

bool value_is_calendar(const char *s);
