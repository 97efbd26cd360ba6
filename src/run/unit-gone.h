/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The unit of a pod that is over is not yet gone when the pod's lock is free. */
#pragma once

#include <systemd/sd-bus.h>

void unit_wait_gone(sd_bus *bus, const char *unit);
