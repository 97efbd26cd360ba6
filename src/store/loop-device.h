/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loop devices that go away by themselves. */
#pragma once

#include "basic/error.h"

#define LOOP_PATH_MAX (sizeof("/dev/loop") + 10)

int loop_device_attach(int fd, int *ret_fd, char ret_path[LOOP_PATH_MAX], Error *e);
