/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "basic/alloc.h"
#include "run/manager-bus.h"

/**
 * manager_bus_open() - connect to PID 1's private socket, which only root may use
 * @ret: the connection, the caller's to close
 *
 * Return: 0, or a negative errno.
 */
int manager_bus_open(sd_bus **ret) {
        _cleanup_bus_ sd_bus *bus = NULL;
        int r = sd_bus_new(&bus);

        if (r >= 0)
                r = sd_bus_set_address(bus, "unix:path=/run/systemd/private");
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(bus);
        return 0;
}

/**
 * manager_bus_unit_property() - read a property that is a string of a unit
 * @bus: from manager_bus_open()
 * @unit: full name of the unit; one that is not loaded has the defaults
 * @interface: last part of the interface's name, "Unit" or "Path"
 * @name: the property
 * @ret: the value, the caller's to free
 *
 * Return: 0, or a negative errno.
 */
int manager_bus_unit_property(sd_bus *bus, const char *unit, const char *interface, const char *name,
                              char **ret) {
        _cleanup_free_ char *path = NULL;
        char full[64];
        int r = snprintf(full, sizeof(full), "org.freedesktop.systemd1.%s", interface);

        if (r < 0 || (size_t) r >= sizeof(full))
                return -EINVAL;
        r = sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit, &path);
        if (r < 0)
                return r;
        r = sd_bus_get_property_string(bus, NULL, path, full, name, NULL, ret);
        return r < 0 ? r : 0;
}
