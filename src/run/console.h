/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the apps of a pod in the foreground print reaches the caller's standard output and standard error as it is. */
#pragma once

#include "basic/error.h"

/* As the pod's systemd sees them. */
#define CONSOLE_STDOUT "/rkt/stdio/stdout"
#define CONSOLE_STDERR "/rkt/stdio/stderr"

int console_start(int stage1_fd, Error *e);
int console_start_terminal(int stage1_fd, const char *app, Error *e);
