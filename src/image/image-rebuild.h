/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is known of an image, from the image itself: for a file of the store that was damaged. */
#pragma once

#include "store/store-ref.h"

int image_rebuild(Store *s, const char *path, StoreImage *ret, Error *e);
