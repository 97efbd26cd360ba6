/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>

#include "basic/str.h"
#include "run/manager-bus.h"
#include "run/manager-job.h"

static int on_removed(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        ManagerJob *j = userdata;
        const char *path, *unit, *result;
        uint32_t id;

        if (sd_bus_message_read(m, "uoss", &id, &path, &unit, &result) < 0 || !j->path ||
            !streq(path, j->path))
                return 0;
        j->done = true;
        return str_replace(&j->result, result);
}

/**
 * manager_job_watch() - be told of the end of jobs
 * @j:       MANAGER_JOB_INIT; stays where it is until manager_job_done()
 * @bus:     to systemd
 * @service: systemd's name on it; NULL on its own socket
 *
 * Return: 0, or a negative errno.
 */
int manager_job_watch(ManagerJob *j, sd_bus *bus, const char *service) {
        _cleanup_(sd_bus_error_free) sd_bus_error err = SD_BUS_ERROR_NULL;
        int r = sd_bus_match_signal(bus, &j->slot, service, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER,
                                    "JobRemoved", on_removed, j);

        if (r < 0)
                return r;
        r = sd_bus_call_method(bus, service, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER, "Subscribe", &err, NULL,
                               "");
        if (r < 0 && !sd_bus_error_has_name(&err, "org.freedesktop.systemd1.AlreadySubscribed"))
                return r;
        return 0;
}

/* Until the bus, or @fd, has something to read, or the time is over. */
static int wait_for_bus(sd_bus *bus, usec_t deadline, int fd) {
        struct pollfd fds[] = {
                { .fd = sd_bus_get_fd(bus), .events = (short) sd_bus_get_events(bus) },
                { .fd = fd, .events = POLLIN },
        };

        usec_t now = clock_usec(CLOCK_MONOTONIC), left = UINT64_MAX;

        if (deadline > 0 && now >= deadline)
                return -ETIME;
        if (deadline > 0)
                left = deadline - now;
        if (fd < 0)
                return sd_bus_wait(bus, left);
        if (poll(fds, 2, left == UINT64_MAX ? -1 : (int) MIN(left / 1000 + 1, (usec_t) INT_MAX)) < 0 &&
            errno != EINTR)
                return -errno;
        return fds[1].revents != 0 ? -EINTR : 0;
}

/**
 * manager_job_wait_unless() - until the job has ended, or something else happens
 * @j:     watching; result is set
 * @bus:   the same
 * @reply: to the call that began the job; it has the job's path, and must outlive the wait
 * @fd:    readable: enough; -EBADF: none
 *
 * Return: 0; -EINTR: @fd was readable; -ETIME: the deadline has passed; another negative errno.
 */
int manager_job_wait_unless(ManagerJob *j, sd_bus *bus, sd_bus_message *reply, int fd) {
        int r = sd_bus_message_read(reply, "o", &j->path);

        while (r >= 0 && !j->done) {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = wait_for_bus(bus, j->deadline, fd);
        }
        return r < 0 ? r : 0;
}

/**
 * manager_job_wait() - until the job has ended
 * @j:     watching; result is set
 * @bus:   the same
 * @reply: as in manager_job_wait_unless()
 *
 * Return: 0; -ETIME: the deadline has passed; another negative errno.
 */
int manager_job_wait(ManagerJob *j, sd_bus *bus, sd_bus_message *reply) {
        return manager_job_wait_unless(j, bus, reply, -EBADF);
}

/**
 * manager_job_done() - free what it holds
 * @j: before the bus is closed
 */
void manager_job_done(ManagerJob *j) {
        sd_bus_slot_unref(j->slot);
        free(j->result);
        *j = MANAGER_JOB_INIT;
}
