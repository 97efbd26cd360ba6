/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How far a fetch is: told to systemd as STATUS= when a service does it, drawn on a terminal when a person does. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The userdata of image_status_progress(). */
typedef struct ImageStatus {
        bool terminal; /* draw on standard error */
        bool drawn;
} ImageStatus;

void image_status_init(ImageStatus *s);
void image_status_progress(void *userdata, const char *what, uint64_t done, uint64_t total);
void image_status_done(ImageStatus *s);
