/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt status --stats: what the cgroups of a pod and of its apps have counted, as systemd reads it: the host's of the pod's unit, the
 * pod's own of its apps. What is not counted has no line. */
#include "verbs/pod-stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "basic/str.h"
#include "run/machine.h"
#include "run/manager-bus.h"
#include "run/pod-bus.h"
#include "verbs/pod-info.h"

#define NSEC UINT64_C(1000000000)

static const struct {
        const char *key, *member, *property;
} counters[] = {
        { "memory", "memory", "MemoryCurrent" },    { "memory-peak", "memory_peak", "MemoryPeak" },
        { "tasks", "tasks", "TasksCurrent" },       { "io-read", "io_read", "IOReadBytes" },
        { "io-write", "io_write", "IOWriteBytes" },
};

static uint64_t read_counter(sd_bus *bus, const char *service, const char *unit, const char *property) {
        const char *type = endswith(unit, ".scope") ? "org.freedesktop.systemd1.Scope"
                                                    : "org.freedesktop.systemd1.Service";
        _cleanup_free_ char *path = NULL;
        uint64_t value = UINT64_MAX;

        if (sd_bus_path_encode(SYSTEMD_BUS_PATH "/unit", unit, &path) < 0 ||
            sd_bus_get_property_trivial(bus, service, path, type, property, NULL, 't', &value) < 0)
                return UINT64_MAX;
        return value;
}

static void print_unit(sd_bus *bus, const char *service, const char *unit, const char *prefix) {
        uint64_t cpu = read_counter(bus, service, unit, "CPUUsageNSec");

        if (cpu != UINT64_MAX)
                (void) printf("%scpu=%" PRIu64 ".%03" PRIu64 "s\n", prefix, cpu / NSEC, cpu % NSEC / 1000000);
        FOREACH_ARRAY (c, counters, ELEMENTSOF(counters)) {
                uint64_t value = read_counter(bus, service, unit, c->property);

                if (value != UINT64_MAX)
                        (void) printf("%s%s=%" PRIu64 "\n", prefix, c->key, value);
        }
}

static void write_unit(sd_bus *bus, const char *service, const char *unit, JsonWriter *w) {
        uint64_t cpu = read_counter(bus, service, unit, "CPUUsageNSec");

        if (cpu != UINT64_MAX) {
                json_write_key(w, "cpu_nsec");
                json_write_uint(w, cpu);
        }
        FOREACH_ARRAY (c, counters, ELEMENTSOF(counters)) {
                uint64_t value = read_counter(bus, service, unit, c->property);

                if (value == UINT64_MAX)
                        continue;
                json_write_key(w, c->member);
                json_write_uint(w, value);
        }
}

/* Each app, as lines, or with w as members of an object. */
static int print_apps(Pod *p, const Machine *m, JsonWriter *w, Error *e) {
        _cleanup_(pod_manifest_freep) PodManifest *manifest = NULL;
        _cleanup_bus_ sd_bus *bus = NULL;
        int r = pod_read_manifest(p, &manifest, e);

        if (r >= 0)
                r = pod_bus_open(m->leader, &bus, e);
        if (r < 0)
                return r;
        if (w) {
                json_write_key(w, "apps");
                json_write_begin_object(w);
        }
        FOREACH_ARRAY (a, manifest->apps, manifest->n_apps) {
                _cleanup_free_ char *unit = strf("%s.service", a->name), *prefix = strf("app-%s-", a->name);

                if (!unit || !prefix)
                        return error_oom(e);
                if (!w) {
                        print_unit(bus, NULL, unit, prefix);
                        continue;
                }
                json_write_key(w, a->name);
                json_write_begin_object(w);
                write_unit(bus, NULL, unit, w);
                json_write_end_object(w);
        }
        if (w)
                json_write_end_object(w);
        return 0;
}

/**
 * pod_print_stats() - what a pod uses
 * @p: pod; of one that does not run there is nothing
 * @w: a member "stats" is added to the object that is open there; NULL: lines are printed
 * @e: sentence on failure; may be NULL
 *
 * Only root is told about the apps.
 *
 * Return: 0; errors of the bus, -ENOMEM.
 */
int pod_print_stats(Pod *p, JsonWriter *w, Error *e) {
        _cleanup_machine_ Machine m = MACHINE_INIT;
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_free_ char *name = NULL;
        int r;

        if (pod_state(p) != POD_RUNNING)
                return 0;
        r = pod_machine_name(p, &name, e);
        if (r >= 0)
                r = machine_lookup(name, &m, e);
        if (r < 0)
                return r;
        r = sd_bus_open_system(&bus);
        if (r < 0)
                return error_setf(e, r, "cannot connect to the system bus: %s", strerror(-r));
        if (!w) {
                print_unit(bus, SYSTEMD_NAME, m.unit, "");
                return geteuid() == 0 ? print_apps(p, &m, NULL, e) : 0;
        }
        json_write_key(w, "stats");
        json_write_begin_object(w);
        write_unit(bus, SYSTEMD_NAME, m.unit, w);
        r = geteuid() == 0 ? print_apps(p, &m, w, e) : 0;
        json_write_end_object(w);
        return r;
}
