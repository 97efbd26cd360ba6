/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How far a fetch is: told to systemd as STATUS= when a service does it, drawn on a terminal when a person does; neither,
 * nothing. One line per download, as many as there are at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "basic/parse.h"

#define IMAGE_STATUS_BARS_MAX 8U /* more at a time are not drawn */
#define IMAGE_STATUS_TEXT_MAX 256U

/* One download. */
typedef struct ImageStatusBar {
        char what[128]; /* where from, as it may be shown */
        uint64_t done;
        uint64_t total;   /* 0: not known */
        uint64_t rate;    /* bytes per second, of late; 0: not known yet */
        usec_t seen_usec; /* CLOCK_MONOTONIC, of done */
} ImageStatusBar;

/* The userdata of image_status_progress(). */
typedef struct ImageStatus {
        bool terminal;    /* draw on standard error */
        unsigned n_drawn; /* lines on the screen */
        unsigned n_bars;
        ImageStatusBar bars[IMAGE_STATUS_BARS_MAX];
} ImageStatus;

void image_status_init(ImageStatus *s);
void image_status_progress(void *userdata, const char *what, uint64_t done, uint64_t total);
void image_status_done(ImageStatus *s);
void image_status_update(ImageStatusBar *b, uint64_t done, uint64_t total, usec_t now);
void image_status_format(const ImageStatusBar *b, unsigned columns, char ret[IMAGE_STATUS_TEXT_MAX]);
