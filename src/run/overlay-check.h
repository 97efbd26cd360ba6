/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether a pod's directory can hold what overlayfs writes. */
#pragma once

#include "basic/error.h"

int overlay_check(int pod_fd, Error *e);
