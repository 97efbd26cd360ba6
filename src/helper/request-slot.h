/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How many requests one member of group rkt may have under way. */
#pragma once

#include <sys/types.h>

#include "basic/error.h"

#define REQUEST_SLOTS_MAX 8U

int request_slot_take(const char *dir, uid_t uid, int *ret_fd, Error *e);
