/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --compression of what writes images. */
#pragma once

#include <stdbool.h>

#include "basic/error.h"

int image_compression_parse(const char *s, bool *ret_gzip, Error *e);
