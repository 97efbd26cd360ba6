/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's list of sockets says who listens; asking by a connection would be one that the app has to serve. No event tells
 * of a new listener. */
#include "helper/app-port.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/parse.h"
#include "basic/str.h"

#define LINE_SIZE    512
#define RETRY_NSEC   20000000L
#define STATE_LISTEN "0A" /* the kernel's TCP_LISTEN */

/* "  0: 0100007F:1F90 00000000:0000 0A ...": address and port, the other side's, state. */
static bool is_listener(const char *line, unsigned port) {
        char address[40], found[5], wanted[9], state[3];

        (void) snprintf(wanted, sizeof(wanted), "%04X", port);
        return sscanf(line, "%*u: %32[0-9A-F]:%4[0-9A-F] %*32[0-9A-F]:%*4X %2s", address, found, state) ==
                       3 &&
               streq(found, wanted) && streq(state, STATE_LISTEN) &&
               (streq(address, "00000000") || streq(address, "0100007F") || /* in the host's byte order */
                streq(address, "00000000000000000000000000000000") ||
                streq(address, "0000000000000000FFFF00000100007F")); /* 127.0.0.1 of an IPv6 socket */
}

static int look(const char *path, unsigned port) {
        _cleanup_fclose_ FILE *f = fopen(path, "re");
        char line[LINE_SIZE];

        if (!f)
                return errno == ENOENT ? 0 : -errno; /* a kernel without IPv6 */
        while (fgets(line, sizeof(line), f))
                if (is_listener(line, port))
                        return 1;
        return 0;
}

/**
 * app_port_wait() - until somebody listens where a proxy will connect to
 * @port: TCP port
 *
 * How long that may take, the unit says.
 *
 * Return: 0, or a negative errno, logged.
 */
int app_port_wait(const char *port) {
        const struct timespec pause = { .tv_nsec = RETRY_NSEC };
        unsigned n;
        int r = parse_uint(port, UINT16_MAX, &n);

        if (r < 0)
                return log_error_errno(r, "port: '%s' is no port", port);
        for (;;) {
                r = look("/proc/self/net/tcp", n);
                if (r == 0)
                        r = look("/proc/self/net/tcp6", n);
                if (r != 0)
                        return r < 0 ? log_error_errno(r, "cannot read the kernel's list of sockets: %m") : 0;
                (void) nanosleep(&pause, NULL);
        }
}
