/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/pod-units.h"

#include <stdlib.h>
#include <string.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "run/manager-bus.h"

#define SYSTEMD_NAME      "org.freedesktop.systemd1"
#define RELOAD_TIMEOUT_US UINT64_C(300000000) /* generators have 5 minutes */

#define _cleanup_bus_err_ _cleanup_(sd_bus_error_free)

static int open_bus(sd_bus **ret, Error *e) {
        int r = sd_bus_open_system(ret);

        return r < 0 ? error_setf(e, r, "cannot connect to the system bus: %s", strerror(-r)) : 0;
}

/* "pod@shop.service" */
static int add_unit(const char *unit, char ***names) {
        const char *name = startswith(unit, "pod@"), *end = name ? endswith(name, ".service") : NULL;

        return end ? strv_consume(names, strndup(name, (size_t) (end - name))) : 0;
}

static int read_units(sd_bus_message *reply, char ***ret) {
        _cleanup_strv_free_ char **names = NULL;
        const char *unit;
        int r = sd_bus_message_enter_container(reply, 'a', "(ssssssouso)");

        while (r >= 0) {
                r = sd_bus_message_read(reply, "(ssssssouso)", &unit, NULL, NULL, NULL, NULL, NULL, NULL,
                                        NULL, NULL, NULL);
                if (r <= 0)
                        break;
                r = add_unit(unit, &names);
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(names);
        return 0;
}

/**
 * pod_units_running() - names of the pods whose pod@NAME.service runs, or is about to
 * @ret: for strv_free()
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0; errors of the bus.
 */
int pod_units_running(char ***ret, Error *e) {
        _cleanup_bus_err_ sd_bus_error err = SD_BUS_ERROR_NULL;
        _cleanup_bus_reply_ sd_bus_message *reply = NULL;
        _cleanup_bus_ sd_bus *bus = NULL;
        int r = open_bus(&bus, e);

        if (r < 0)
                return r;
        r = sd_bus_call_method(bus, SYSTEMD_NAME, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER,
                               "ListUnitsByPatterns", &err, &reply, "asas", 3, "active", "activating",
                               "reloading", 1, "pod@*.service");
        if (r >= 0)
                r = read_units(reply, ret);
        return r < 0 ? error_setf(e, r, "cannot ask systemd for its units: %s",
                                  str_or(err.message, strerror(-r)))
                     : 0;
}

/**
 * pod_units_reload() - systemctl daemon-reload
 * @e: sentence on failure; may be NULL
 *
 * Return: 0; errors of the bus.
 */
int pod_units_reload(Error *e) {
        _cleanup_bus_err_ sd_bus_error err = SD_BUS_ERROR_NULL;
        _cleanup_bus_reply_ sd_bus_message *call = NULL;
        _cleanup_bus_ sd_bus *bus = NULL;
        int r = open_bus(&bus, e);

        if (r < 0)
                return r;
        r = sd_bus_message_new_method_call(bus, &call, SYSTEMD_NAME, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER,
                                           "Reload");
        if (r >= 0)
                r = sd_bus_call(bus, call, RELOAD_TIMEOUT_US, &err, NULL);
        return r < 0 ? error_setf(e, r, "cannot reload systemd: %s", str_or(err.message, strerror(-r))) : 0;
}

/**
 * pod_units_active_since() - when a unit became active
 * @unit: "pod@shop.socket"; need not be loaded
 * @ret:  seconds since 1970; 0: it is not active
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0; errors of the bus.
 */
int pod_units_active_since(const char *unit, int64_t *ret, Error *e) {
        _cleanup_bus_err_ sd_bus_error err = SD_BUS_ERROR_NULL;
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_free_ char *path = NULL, *state = NULL;
        uint64_t usec = 0;
        int r = open_bus(&bus, e);

        if (r < 0)
                return r;
        r = sd_bus_path_encode(SYSTEMD_BUS_PATH "/unit", unit, &path);
        if (r >= 0)
                r = sd_bus_get_property_string(bus, SYSTEMD_NAME, path, "org.freedesktop.systemd1.Unit",
                                               "ActiveState", &err, &state);
        if (r >= 0)
                r = sd_bus_get_property_trivial(bus, SYSTEMD_NAME, path, "org.freedesktop.systemd1.Unit",
                                                "ActiveEnterTimestamp", &err, 't', &usec);
        if (r < 0)
                return error_setf(e, r, "cannot ask systemd about %s: %s", unit,
                                  str_or(err.message, strerror(-r)));
        *ret = streq(state, "active") ? (int64_t) (usec / 1000000) : 0;
        return 0;
}

static int unit_time(sd_bus *bus, const char *path, const char *property, sd_bus_error *err, uint64_t *ret) {
        return sd_bus_get_property_trivial(bus, SYSTEMD_NAME, path, "org.freedesktop.systemd1.Unit", property,
                                           err, 't', ret);
}

/**
 * pod_units_is_fresh() - may a unit start, and has it never?
 * @unit: "pod@shop.socket"; need not be loaded
 * @ret:  true: it is not active, was not since the machine is up as far as systemd remembers, and is not masked
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0; errors of the bus.
 */
int pod_units_is_fresh(const char *unit, bool *ret, Error *e) {
        _cleanup_bus_err_ sd_bus_error err = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *path = NULL, *state = NULL, *load = NULL;
        _cleanup_bus_ sd_bus *bus = NULL;
        uint64_t began = 0, ended = 0;
        int r = open_bus(&bus, e);

        if (r < 0)
                return r;
        r = sd_bus_path_encode(SYSTEMD_BUS_PATH "/unit", unit, &path);
        if (r >= 0)
                r = sd_bus_get_property_string(bus, SYSTEMD_NAME, path, "org.freedesktop.systemd1.Unit",
                                               "ActiveState", &err, &state);
        if (r >= 0)
                r = sd_bus_get_property_string(bus, SYSTEMD_NAME, path, "org.freedesktop.systemd1.Unit",
                                               "LoadState", &err, &load);
        if (r >= 0)
                r = unit_time(bus, path, "ActiveEnterTimestamp", &err, &began);
        if (r >= 0)
                r = unit_time(bus, path, "InactiveEnterTimestamp", &err, &ended);
        if (r < 0)
                return error_setf(e, r, "cannot ask systemd about %s: %s", unit,
                                  str_or(err.message, strerror(-r)));
        *ret = streq(state, "inactive") && !streq(load, "masked") && began == 0 && ended == 0;
        return 0;
}

/**
 * pod_units_enabled() - does a unit start with the machine?
 * @unit: "pod@shop.service"
 * @ret:  true: by [Install] of its pod file, or by systemctl enable, and not masked
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0; errors of the bus.
 */
int pod_units_enabled(const char *unit, bool *ret, Error *e) {
        _cleanup_bus_err_ sd_bus_error err = SD_BUS_ERROR_NULL;
        _cleanup_bus_reply_ sd_bus_message *reply = NULL;
        _cleanup_bus_ sd_bus *bus = NULL;
        const char *state = NULL;
        int r = open_bus(&bus, e);

        if (r < 0)
                return r;
        r = sd_bus_call_method(bus, SYSTEMD_NAME, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER, "GetUnitFileState",
                               &err, &reply, "s", unit);
        if (r >= 0)
                r = sd_bus_message_read(reply, "s", &state);
        if (r < 0)
                return error_setf(e, r, "cannot ask systemd about %s: %s", unit,
                                  str_or(err.message, strerror(-r)));
        *ret = streq(state, "enabled") || streq(state, "enabled-runtime");
        return 0;
}
