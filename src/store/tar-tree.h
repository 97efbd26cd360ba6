/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A directory tree as the entries of an archive: with owners, modes, times, attributes, holes and hard links. */
#pragma once

#include "store/tar-write.h"

#define TAR_TREE_DEPTH_MAX 256 /* as TAR_DEPTH_MAX */

/* Whose a file is in the archive; the numbers are changed in place. */
typedef void (*TarTreeOwner)(void *userdata, uint32_t *uid, uint32_t *gid);

int tar_writer_tree(TarWriter *w, int root_fd, TarTreeOwner owner, void *userdata, Error *e);
