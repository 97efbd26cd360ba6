/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a member of group rkt cannot do, rkt-request@.service does for them. */
#pragma once

#include "basic/error.h"

int request_run(char **words, int *ret_status, Error *e);
