/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks of what is mounted in an app. Text only. */
#pragma once

#include <stdbool.h>

#define PLACE_DEVICE_WRONG "not a device (/dev/NAME[:/dev/TARGET][:rw], with - before an optional one)"
#define PLACE_TMPFS_WRONG                                                                                    \
        "not a place for a file system in memory (/path[:size=64M,mode=1777,...], not in /dev, /proc or "    \
        "/sys; for /dev/shm there is ShmSize=)"
#define PLACE_USERS_WRONG "unknown word (auto, no, yes, pick, identity or START:LENGTH)"

bool place_is_device(const char *s);
bool place_is_private_users(const char *s);
bool place_is_tmpfs(const char *s);
