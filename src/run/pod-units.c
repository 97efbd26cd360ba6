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
static int add_unit(const char *unit, const char *suffix, char ***names) {
        const char *name = startswith(unit, "pod@"), *end = name ? endswith(name, suffix) : NULL;

        return end ? strv_consume(names, strndup(name, (size_t) (end - name))) : 0;
}

static int read_units(sd_bus_message *reply, const char *suffix, char ***ret) {
        _cleanup_strv_free_ char **names = NULL;
        const char *unit;
        int r = sd_bus_message_enter_container(reply, 'a', "(ssssssouso)");

        while (r >= 0) {
                r = sd_bus_message_read(reply, "(ssssssouso)", &unit, NULL, NULL, NULL, NULL, NULL, NULL,
                                        NULL, NULL, NULL);
                if (r <= 0)
                        break;
                r = add_unit(unit, suffix, &names);
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(names);
        return 0;
}

/* Names of the pods whose units of a kind are active, or about to be. */
static int list_active(const char *suffix, char ***ret, Error *e) {
        _cleanup_bus_err_ sd_bus_error err = SD_BUS_ERROR_NULL;
        _cleanup_bus_reply_ sd_bus_message *reply = NULL;
        _cleanup_free_ char *pattern = strf("pod@*%s", suffix);
        _cleanup_bus_ sd_bus *bus = NULL;
        int r = pattern ? open_bus(&bus, e) : error_oom(e);

        if (r < 0)
                return r;
        r = sd_bus_call_method(bus, SYSTEMD_NAME, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER,
                               "ListUnitsByPatterns", &err, &reply, "asas", 3, "active", "activating",
                               "reloading", 1, pattern);
        if (r >= 0)
                r = read_units(reply, suffix, ret);
        return r < 0 ? error_setf(e, r, "cannot ask systemd for its units: %s",
                                  str_or(err.message, strerror(-r)))
                     : 0;
}

/**
 * pod_units_running() - names of the pods whose pod@NAME.service runs, or is about to
 * @ret: for strv_free()
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0; errors of the bus.
 */
int pod_units_running(char ***ret, Error *e) {
        return list_active(".service", ret, e);
}

/**
 * pod_units_timers() - names of the pods whose pod@NAME.timer is active
 * @ret: for strv_free()
 * @e:   sentence on failure; may be NULL
 *
 * A timer that was active when its settings were taken away still is, and waits for nothing.
 *
 * Return: 0; errors of the bus.
 */
int pod_units_timers(char ***ret, Error *e) {
        return list_active(".timer", ret, e);
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

typedef struct UnitFacts {
        char *active, *load;   /* ActiveState, LoadState */
        uint64_t began, ended; /* since when it was last active, inactive; usec since 1970, 0: never */
} UnitFacts;

static void unit_facts_done(UnitFacts *f) {
        free(f->active);
        free(f->load);
}

static int read_facts(const char *unit, UnitFacts *ret, Error *e) {
        static const char interface[] = "org.freedesktop.systemd1.Unit";
        const struct {
                const char *name;
                char **ret;
        } words[] = { { "ActiveState", &ret->active }, { "LoadState", &ret->load } };
        const struct {
                const char *name;
                uint64_t *ret;
        } times[] = { { "ActiveEnterTimestamp", &ret->began }, { "InactiveEnterTimestamp", &ret->ended } };
        _cleanup_bus_err_ sd_bus_error err = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *path = NULL;
        _cleanup_bus_ sd_bus *bus = NULL;
        int r = open_bus(&bus, e);

        if (r < 0)
                return r;
        r = sd_bus_path_encode(SYSTEMD_BUS_PATH "/unit", unit, &path);
        FOREACH_ARRAY (w, words, ELEMENTSOF(words))
                if (r >= 0)
                        r = sd_bus_get_property_string(bus, SYSTEMD_NAME, path, interface, w->name, &err,
                                                       w->ret);
        FOREACH_ARRAY (t, times, ELEMENTSOF(times))
                if (r >= 0)
                        r = sd_bus_get_property_trivial(bus, SYSTEMD_NAME, path, interface, t->name, &err,
                                                        't', t->ret);
        return r < 0 ? error_setf(e, r, "cannot ask systemd about %s: %s", unit,
                                  str_or(err.message, strerror(-r)))
                     : 0;
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
        _cleanup_(unit_facts_done) UnitFacts f = {};
        int r = read_facts(unit, &f, e);

        if (r >= 0)
                *ret = streq(f.active, "active") ? (int64_t) (f.began / 1000000) : 0;
        return r;
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
        _cleanup_(unit_facts_done) UnitFacts f = {};
        int r = read_facts(unit, &f, e);

        if (r >= 0)
                *ret = streq(f.active, "inactive") && !streq(f.load, "masked") && f.began == 0 &&
                       f.ended == 0;
        return r;
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
