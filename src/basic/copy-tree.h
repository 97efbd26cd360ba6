/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A directory tree, copied object by object. */
#pragma once

#include "basic/error.h"

#define COPY_TREE_DEPTH_MAX 256 /* directories in one another: two descriptors for each */

int copy_tree(int from_fd, int to_fd, Error *e);
