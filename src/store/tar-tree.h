/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A directory tree as the entries of an archive: with owners, modes, times, attributes, holes and hard links. */
#pragma once

#include "store/tar-write.h"

#define TAR_TREE_DEPTH_MAX 256 /* as TAR_DEPTH_MAX */

int tar_writer_tree(TarWriter *w, int root_fd, Error *e);
