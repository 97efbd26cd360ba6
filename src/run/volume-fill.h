/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an image has where a volume will be goes into the volume, if there is nothing in it yet. */
#pragma once

#include "run/volume.h"

int volume_fill_all(const VolumeContext *c, const PodApp *a, int root_fd, Error *e);
