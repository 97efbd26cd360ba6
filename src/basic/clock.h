/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What time it is, as one number. */
#pragma once

#include <time.h>

#include "basic/parse.h"

usec_t timespec_usec(const struct timespec *t);
usec_t clock_usec(clockid_t clock);
