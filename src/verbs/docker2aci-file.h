/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that docker2aci converts: which image, and what it is called there. */
#pragma once

#include "basic/error.h"
#include "store/store.h"

int docker2aci_file(Store *s, const char *arg, const char *image, char **ret_reference, char **ret_tag,
                    Error *e);
