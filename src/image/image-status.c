/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Progress for systemctl status and for a terminal. */
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "image/image-status.h"

#define MIB (1024.0 * 1024.0)

/**
 * image_status_init() - decide where progress goes
 * @s: is filled in; silent when standard error is no terminal
 */
void image_status_init(ImageStatus *s) {
        *s = (ImageStatus){ .terminal = isatty(STDERR_FILENO) == 1 };
}

/**
 * image_status_progress() - an ImageProgressFunc
 * @userdata: an ImageStatus
 * @what:     URL or path
 * @done:     bytes
 * @total:    bytes, 0: not known
 */
void image_status_progress(void *userdata, const char *what, uint64_t done, uint64_t total) {
        ImageStatus *s = userdata;
        char amount[64];

        if (total > 0)
                (void) snprintf(amount, sizeof(amount), "%3.0f%% of %.1f MiB",
                                100.0 * (double) done / (double) total, (double) total / MIB);
        else
                (void) snprintf(amount, sizeof(amount), "%.1f MiB", (double) done / MIB);
        (void) sd_notifyf(0, "STATUS=Fetching %.200s: %s", what, amount);
        if (s->terminal) {
                (void) fprintf(stderr, "\r\033[K%.60s: %s", what, amount);
                s->drawn = true;
        }
}

/**
 * image_status_done() - take the progress away again
 * @s: as initialised
 */
void image_status_done(ImageStatus *s) {
        if (s->drawn)
                (void) fputs("\r\033[K", stderr);
        s->drawn = false;
}
