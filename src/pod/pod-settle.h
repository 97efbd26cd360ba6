/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting for those who tidy up after a pod that has ended. */
#pragma once

#include "pod/pod.h"

void pod_settle(Pod *p);
void pod_settle_now(Pod *p);
int pod_settle_lock(Pod *p, Error *e);
