/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether two trees on disk are the same: names, types, modes, owners, times, links, devices, attributes, content. */
#pragma once

#include "basic/error.h"

int tree_compare(int a_fd, int b_fd, char **ret_difference, Error *e);
