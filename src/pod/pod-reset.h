/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pod that has ended is made ready for another start. */
#pragma once

#include "pod/pod.h"

int pod_set_app_copied(Pod *p, const char *app);
bool pod_app_is_copied(Pod *p, const char *app);
int pod_reset(Pod *p, Error *e);
