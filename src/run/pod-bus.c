/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PID 1 listens on a socket that is root's alone, from its first moment to its last, whether D-Bus is awake or not. Who
 * connects there is judged by who called connect(); so the pod's root does (run/pod-namespace.h). */
#include "run/pod-bus.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "basic/fd.h"
#include "run/pod-namespace.h"

#define ANSWER_MAX_USEC UINT64_C(25000000) /* of one call */

static int connect_manager(void *userdata) {
        const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/run/systemd/private" };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        (void) userdata;
        if (fd < 0)
                return -errno;
        if (connect(fd, (const struct sockaddr *) &address, sizeof(address)) < 0) {
                int r = -errno;

                (void) fd_close(fd);
                return r;
        }
        return fd;
}

/**
 * pod_bus_open() - connect to the systemd of a running pod
 * @leader: the pod's PID 1, as the host numbers it
 * @ret:    the connection, the caller's to close (_cleanup_bus_); descriptors can be sent over it
 * @e:      sentence on failure; may be NULL
 *
 * Works with private users, too. This process has one thread and is root. A pod that does not answer a call fails it
 * after 25 seconds.
 *
 * Return: 0; -ESRCH, -ECONNREFUSED, -ENOENT: the pod has ended, or not got that far yet; other errors of pod_namespace_open().
 */
int pod_bus_open(pid_t leader, sd_bus **ret, Error *e) {
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r = pod_namespace_open(leader, connect_manager, NULL, &fd, e);

        if (r < 0)
                return error_prefixf(e, r, "cannot reach the pod's systemd");
        r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_fd(bus, fd, fd);
        if (r >= 0) {
                fd = -EBADF; /* the connection's from now on */
                r = sd_bus_set_method_call_timeout(bus, ANSWER_MAX_USEC);
        }
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r < 0)
                return error_setf(e, r, "cannot talk to the pod's systemd: %s", strerror(-r));
        *ret = TAKE_PTR(bus);
        return 0;
}
