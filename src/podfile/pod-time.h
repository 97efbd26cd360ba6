/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long a pod may take to start and to stop, from the times of its apps. */
#pragma once

#include "basic/str.h"
#include "podfile/pod-spec.h"

int pod_time_add_lines(const PodSpec *s, StrBuf *b);
