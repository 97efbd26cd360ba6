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

#define SYSTEMD_NAME "org.freedesktop.systemd1"
#define NSEC         UINT64_C(1000000000)

static const struct {
        const char *key, *property;
} counters[] = {
        { "memory", "MemoryCurrent" }, { "memory-peak", "MemoryPeak" }, { "tasks", "TasksCurrent" },
        { "io-read", "IOReadBytes" },  { "io-write", "IOWriteBytes" },
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

static int print_apps(Pod *p, const Machine *m, Error *e) {
        _cleanup_(pod_manifest_freep) PodManifest *manifest = NULL;
        _cleanup_bus_ sd_bus *bus = NULL;
        int r = pod_read_manifest(p, &manifest, e);

        if (r >= 0)
                r = pod_bus_open(m->leader, &bus, e);
        if (r < 0)
                return r;
        FOREACH_ARRAY (a, manifest->apps, manifest->n_apps) {
                _cleanup_free_ char *unit = strf("%s.service", a->name), *prefix = strf("app-%s-", a->name);

                if (!unit || !prefix)
                        return error_oom(e);
                print_unit(bus, NULL, unit, prefix);
        }
        return 0;
}

/**
 * pod_print_stats() - lines of what a pod uses
 * @p: pod; of one that does not run there is nothing
 * @e: sentence on failure; may be NULL
 *
 * Only root is told about the apps.
 *
 * Return: 0; errors of the bus, -ENOMEM.
 */
int pod_print_stats(Pod *p, Error *e) {
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
        print_unit(bus, SYSTEMD_NAME, m.unit, "");
        return geteuid() == 0 ? print_apps(p, &m, e) : 0;
}
