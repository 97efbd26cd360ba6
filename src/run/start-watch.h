/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For a pod of a unit: a stop that came while systemd-nspawn was starting. nspawn passes a SIGTERM on when it is ready itself, which
 * is a moment before the pod's first process can keep a signal; and systemd sends but one. A short-lived process sees to it that
 * such a stop is not lost. */
#pragma once

#include "basic/error.h"

int start_watch(const char *dir, int stage1_fd, Error *e);
