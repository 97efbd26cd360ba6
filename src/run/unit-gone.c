/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pod that runs again, or another one of its name, wants a unit of the same name: systemd unloads the old one a moment after its
 * last process has ended. A scope of systemd 252 whose process is killed before it is in there is never unloaded by itself. */
#include "run/unit-gone.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "basic/clock.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "run/manager-bus.h"

#define GONE_USEC  (5 * USEC_PER_SEC)
#define STEP_NSEC  5000000 /* systemd says nothing when it has unloaded a unit, to who has not asked before */
#define EVENTS_MAX 256U

/* The path of the unit's object; -ENOENT: it is not loaded. */
static int find_unit(sd_bus *bus, const char *unit, char **ret) {
        _cleanup_bus_reply_ sd_bus_message *reply = NULL;
        const char *path;
        int r = sd_bus_call_method(bus, SYSTEMD_NAME, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER, "GetUnit", NULL,
                                   &reply, "s", unit);

        if (r >= 0)
                r = sd_bus_message_read(reply, "o", &path);
        if (r < 0)
                return -ENOENT;
        *ret = strdup(path);
        return *ret ? 0 : -ENOMEM;
}

/* cgroup.events of the unit; -EBADF: it has no cgroup, so no process. */
static int open_events(sd_bus *bus, const char *unit, const char *path) {
        _cleanup_free_ char *cgroup = NULL, *file = NULL;
        const char *type = endswith(unit, ".scope") ? "org.freedesktop.systemd1.Scope"
                                                    : "org.freedesktop.systemd1.Service";
        int fd;

        if (sd_bus_get_property_string(bus, SYSTEMD_NAME, path, type, "ControlGroup", NULL, &cgroup) < 0 ||
            !*cgroup)
                return -EBADF;
        file = strf("/sys/fs/cgroup%s/cgroup.events", cgroup);
        fd = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
        return fd < 0 ? -EBADF : fd;
}

static bool is_populated(int events) {
        char text[EVENTS_MAX];
        ssize_t n = pread(events, text, sizeof(text) - 1, 0);

        if (n <= 0)
                return false;
        text[n] = '\0';
        return strstr(text, "populated 1") != NULL;
}

static int msec_until(usec_t end) {
        usec_t now = clock_usec(CLOCK_MONOTONIC);

        return now >= end ? 0 : (int) ((end - now) / 1000);
}

/**
 * unit_wait_gone() - wait until a unit that is over is unloaded
 * @bus:  of systemd
 * @unit: scope or service
 *
 * At most five seconds. One that has processes until then is somebody's, and stays; one without is stopped.
 */
void unit_wait_gone(sd_bus *bus, const char *unit) {
        static const struct timespec step = { .tv_nsec = STEP_NSEC };
        const usec_t end = clock_usec(CLOCK_MONOTONIC) + GONE_USEC;
        bool stopped = false;

        while (msec_until(end) > 0) {
                _cleanup_free_ char *path = NULL;
                _cleanup_close_ int events = -EBADF;

                if (find_unit(bus, unit, &path) < 0)
                        return;
                events = open_events(bus, unit, path);
                if (events >= 0 && is_populated(events)) {
                        (void) poll(&(struct pollfd){ .fd = events, .events = POLLPRI }, 1, msec_until(end));
                        continue;
                }
                if (!stopped)
                        (void) sd_bus_call_method(bus, SYSTEMD_NAME, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER,
                                                  "StopUnit", NULL, NULL, "ss", unit, "fail");
                stopped = true;
                (void) nanosleep(&step, NULL);
        }
}
