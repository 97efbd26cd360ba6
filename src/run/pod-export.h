/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an app left in its root, as an image. */
#pragma once

#include <stdbool.h>

#include "basic/error.h"
#include "pod/pod.h"
#include "store/store.h"

int pod_export(Pod *p, Store *s, const PodManifest *m, const PodApp *a, const char *path, bool overwrite,
               Error *e);
