/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What rkt-enter does for the output of an app that has ended. Neither may keep the pod from going on: both give up quietly. */
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/macro.h"
#include "basic/str.h"
#include "helper/app-output.h"

#define STDIO_DIR    "/rkt/stdio/"
#define HOST_LOG     "/rkt/host-journal/dev-log"
#define SYNC_MSEC    10000
#define RELAY_CGROUP "/sys/fs/cgroup/system.slice/rkt-log@%s.service"

static int connect_to(const char *path, int type) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

        if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
                return -EBADF;
        memcpy(address.sun_path, path, strlen(path) + 1);
        return connect(fd, (const struct sockaddr *) &address, sizeof(address)) < 0 ? -EBADF : TAKE_FD(fd);
}

static bool pipe_has_data(const char *app, const char *ending) {
        _cleanup_free_ char *path = strf(STDIO_DIR "%s.%s", app, ending);
        _cleanup_close_ int fd = path ? open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC) : -EBADF;
        int n = 0;

        return fd >= 0 && ioctl(fd, FIONREAD, &n) >= 0 && n > 0;
}

/**
 * app_output_sync() - wait until the last words of an app are in the journals
 * @app: its name; of this process, which is in the app's control group, are the credentials that they get
 *
 * One that has said nothing for a while costs nothing.
 */
void app_output_sync(const char *app) {
        _cleanup_free_ char *path = strf(STDIO_DIR "%s.sync", app), *cgroup = strf(RELAY_CGROUP, app);
        _cleanup_close_ int fd = -EBADF;
        char end;

        if (!path || !cgroup ||
            (access(cgroup, F_OK) < 0 && !pipe_has_data(app, "out") && !pipe_has_data(app, "err")))
                return;
        fd = connect_to(path, SOCK_STREAM);
        if (fd < 0 || fd_write_all(fd, "sync\n", strlen("sync\n")) < 0)
                return;
        if (poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, SYNC_MSEC) > 0)
                (void) !read(fd, &end, sizeof(end));
}

/**
 * app_output_tell_host() - say in the host's journal that an app has failed
 * @app:    its name
 * @result: $SERVICE_RESULT of it; "success" or NULL: nothing is said
 * @code:   $EXIT_CODE; NULL: not known
 * @status: $EXIT_STATUS; NULL: not known
 *
 * What the pod's systemd says of it is in the pod's journal alone.
 */
void app_output_tell_host(const char *app, const char *result, const char *code, const char *status) {
        _cleanup_close_ int fd = -EBADF;

        if (!result || streq(result, "success"))
                return;
        fd = connect_to(HOST_LOG, SOCK_DGRAM);
        if (fd >= 0)
                (void) dprintf(fd, "<%d>rkt: app '%s' failed (%s): %s %s", LOG_DAEMON | LOG_WARNING, app,
                               result, str_or(code, "ended"), str_or(status, ""));
}
