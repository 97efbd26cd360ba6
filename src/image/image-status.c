/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Progress, at most ten times a second: neither systemd nor a terminal wants to hear of every piece. */
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "basic/parse.h"
#include "image/image-status.h"

#define INTERVAL_USEC (USEC_PER_SEC / 10)
#define MIB           (1024.0 * 1024.0)

static uint64_t now_monotonic(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t) t.tv_sec * USEC_PER_SEC + (uint64_t) t.tv_nsec / 1000;
}

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
        uint64_t now = now_monotonic();
        char amount[64];

        if (s->last_usec != 0 && now - s->last_usec < INTERVAL_USEC && done != total)
                return;
        s->last_usec = now;
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
