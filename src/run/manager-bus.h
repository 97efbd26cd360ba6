/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The systemd that is PID 1 here, asked without a bus: for programs that run where D-Bus may be asleep, or is not wanted. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/macro.h"

#define SYSTEMD_NAME        "org.freedesktop.systemd1"
#define SYSTEMD_BUS_PATH    "/org/freedesktop/systemd1"
#define SYSTEMD_BUS_MANAGER "org.freedesktop.systemd1.Manager"
#define _cleanup_bus_       _cleanup_(sd_bus_flush_close_unrefp)
#define _cleanup_bus_reply_ _cleanup_(sd_bus_message_unrefp)

int manager_bus_open(sd_bus **ret);
int manager_bus_unit_property(sd_bus *bus, const char *unit, const char *interface, const char *name,
                              char **ret);
