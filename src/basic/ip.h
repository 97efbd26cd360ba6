/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses of the host at which something is listened to, as text. */
#pragma once

#include <stdbool.h>

bool ip_overlap(const char *a, const char *b);
bool ip_is_unpublishable(const char *s);
