/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What came of the last checks lies in the stage1 root, where the host sees it, too: /rkt/health/APP has one line "STATE
 * FAILURES START", START being when the app's main process began, so that a new one begins with a clean sheet. */
#include "helper/app-health-run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "basic/clock.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/log.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "helper/app-hook-run.h"
#include "run/manager-bus.h"

#define HEALTH_DIR "/rkt/health"
#define STATE_MAX  256
#define WAIT_LEAST_USEC                                                                                      \
        UINT64_C(1000000) /* between checks of an app that is not healthy yet, if that is less */

typedef enum HealthState {
        HEALTH_STARTING,
        HEALTH_HEALTHY,
        HEALTH_UNHEALTHY,
        _HEALTH_STATE_MAX,
} HealthState;

static const char *const states[] = {
        [HEALTH_STARTING] = "starting",
        [HEALTH_HEALTHY] = "healthy",
        [HEALTH_UNHEALTHY] = "unhealthy",
};

typedef struct Record {
        HealthState state;
        uint64_t failures;
        uint64_t start; /* microseconds, CLOCK_MONOTONIC */
} Record;

static int write_record(const char *app, const Record *x) {
        _cleanup_free_ char *path = strf(HEALTH_DIR "/%s", app),
                            *text = strf("%s %" PRIu64 " %" PRIu64 "\n", states[x->state], x->failures,
                                         x->start);
        int r = path && text ? mkdir_parents_at(AT_FDCWD, HEALTH_DIR, 0755) : -ENOMEM;

        if (r >= 0)
                r = file_write_at(AT_FDCWD, path, text, strlen(text), 0644, FILE_WRITE_NO_SYNC);
        return r < 0 ? log_error_errno(r, "cannot write " HEALTH_DIR "/%s: %m", app) : 0;
}

/* That of another start does not count. */
static void read_record(const char *app, uint64_t start, Record *ret) {
        _cleanup_free_ char *path = strf(HEALTH_DIR "/%s", app), *text = NULL;
        _cleanup_strv_free_ char **words = NULL;
        uint64_t failures, when;
        size_t size;

        *ret = (Record){ .state = HEALTH_STARTING, .start = start };
        if (!path || file_read_at(AT_FDCWD, path, STATE_MAX, &text, &size) < 0 ||
            strv_split(text, " \n", &words) < 0 || strv_length(words) != 3 ||
            parse_uint64(words[1], &failures) < 0 || parse_uint64(words[2], &when) < 0 || when != start)
                return;
        for (HealthState s = 0; s < _HEALTH_STATE_MAX; s++)
                if (streq(words[0], states[s])) {
                        ret->state = s;
                        ret->failures = failures;
                }
}

/* When the main process of the app began; 0: it does not run. */
static int ask_start(sd_bus *bus, const char *app, uint64_t *ret) {
        _cleanup_free_ char *unit = strf("%s.service", app), *path = NULL;
        uint32_t pid = 0;
        int r = unit ? sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit, &path) : -ENOMEM;

        if (r >= 0)
                r = sd_bus_get_property_trivial(bus, NULL, path, "org.freedesktop.systemd1.Service",
                                                "MainPID", NULL, 'u', &pid);
        if (r >= 0)
                r = sd_bus_get_property_trivial(bus, NULL, path, "org.freedesktop.systemd1.Service",
                                                "ExecMainStartTimestampMonotonic", NULL, 't', ret);
        if (r >= 0 && pid == 0)
                *ret = 0;
        return r < 0 ? log_error_errno(r, "cannot ask the pod's systemd about app '%s': %m", app) : 0;
}

static int act(sd_bus *bus, const char *app, const char *action) {
        _cleanup_(sd_bus_error_free) sd_bus_error err = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *unit = strf("%s.service", app);
        int r;

        if (streq(action, "none"))
                return 0;
        r = unit ? sd_bus_call_method(bus, NULL, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER,
                                      streq(action, "stop") ? "StopUnit" : "RestartUnit", &err, NULL, "ss",
                                      unit, "replace")
                 : -ENOMEM;
        return r < 0 ? log_error_errno(r, "cannot %s app '%s': %s", action, app,
                                       err.message ? err.message : strerror(-r))
                     : 0;
}

static int check(const char *app, bool *ret_passed) {
        _cleanup_free_ char *unit = strf("hook-%s@health.service", app), *result = NULL;
        int r = unit ? app_hook_start(unit, &result) : -ENOMEM;

        *ret_passed = streq_ptr(result, "done");
        return r < 0 ? log_error_errno(r, "cannot check app '%s': %m", app) : 0;
}

/* What is noted of a failure; true: it was the last one that could be borne. */
static bool count_failure(Record *x, uint64_t retries, uint64_t start_usec) {
        bool is_new = x->state == HEALTH_STARTING && clock_usec(CLOCK_MONOTONIC) < x->start + start_usec;

        if (is_new || x->state == HEALTH_UNHEALTHY)
                return false;
        if (++x->failures < retries)
                return false;
        x->state = HEALTH_UNHEALTHY;
        return true;
}

/**
 * app_health_run() - check an app once, note what came of it, and do what is to be done
 * @app:        its name
 * @retries:    so many failures in a row make it unhealthy
 * @start_usec: failures so soon after its start do not count, unless it was healthy before
 * @action:     "none", "restart" or "stop" when it has become unhealthy
 *
 * Return: 0, also when the check failed; a negative errno, logged.
 */
int app_health_run(const char *app, uint64_t retries, uint64_t start_usec, const char *action) {
        _cleanup_bus_ sd_bus *bus = NULL;
        uint64_t start = 0, now = 0;
        bool passed = false;
        HealthState before;
        Record x;
        int r = manager_bus_open(&bus);

        if (r < 0)
                return log_error_errno(r, "cannot connect to the pod's systemd: %m");
        r = ask_start(bus, app, &start);
        if (r >= 0)
                r = check(app, &passed);
        if (r >= 0)
                r = ask_start(bus, app, &now);
        if (r < 0 || start == 0 || now != start)
                return r; /* it has ended meanwhile */
        read_record(app, start, &x);
        before = x.state;
        if (passed) {
                x.state = HEALTH_HEALTHY;
                x.failures = 0;
        } else if (count_failure(&x, retries, start_usec))
                log_warning("app '%s' is unhealthy: %" PRIu64 " checks in a row have failed", app,
                            x.failures);
        if (passed && before == HEALTH_UNHEALTHY)
                log_warning("app '%s' is healthy again", app);
        r = write_record(app, &x);
        return r >= 0 && x.state == HEALTH_UNHEALTHY && before != HEALTH_UNHEALTHY ? act(bus, app, action)
                                                                                   : r;
}

/**
 * app_health_wait() - until an app that has just been started is healthy
 * @app:           its name
 * @interval_usec: between two checks; a second at most
 *
 * How long that may take is for TimeoutStartSec= of the app.
 *
 * Return: 0; a negative errno, logged.
 */
int app_health_wait(const char *app, uint64_t interval_usec) {
        uint64_t usec = MIN(interval_usec, WAIT_LEAST_USEC);
        const struct timespec pause = { .tv_sec = (time_t) (usec / USEC_PER_SEC),
                                        .tv_nsec = (long) (usec % USEC_PER_SEC * 1000) };
        _cleanup_bus_ sd_bus *bus = NULL;
        Record x = { .state = HEALTH_STARTING };
        bool passed = false;
        int r = app_hook_enter_pod();

        if (r >= 0)
                r = manager_bus_open(&bus);
        if (r < 0)
                return log_error_errno(r, "cannot connect to the pod's systemd: %m");
        r = ask_start(bus, app, &x.start);
        if (r >= 0)
                r = write_record(app, &x);
        while (r >= 0 && !passed) {
                r = check(app, &passed);
                if (r >= 0 && !passed)
                        (void) nanosleep(&pause, NULL);
        }
        x.state = HEALTH_HEALTHY;
        return r < 0 ? r : write_record(app, &x);
}
