/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an ACI's manifest says of itself, judged before the image becomes visible, and again when it is used: is it what was asked for, and can this machine run it. */
#pragma once

#include <stdbool.h>

#include "image/image-name.h"
#include "store/store-ref.h"

int import_check_asked(const StoreImage *i, const ImageName *asked, Error *e);
int import_check_platform(const StoreImage *i, Error *e);
