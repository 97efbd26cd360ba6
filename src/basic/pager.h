/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Long texts page by page: which program shows them and how is told by the same variables as systemctl's. */
#pragma once

#include <stdbool.h>

void pager_open(void);
bool pager_is_open(void);
bool pager_is_left(void);
bool pager_close(void);
