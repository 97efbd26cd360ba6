/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which health check an app has: the pod file's keys over the image's own. */
#pragma once

#include "basic/error.h"
#include "manifest/image-manifest.h"
#include "manifest/pod-manifest.h"
#include "podfile/pod-spec.h"

int pod_health_annotate(PodApp *a, const ImageManifest *im, const AppSpec *s, char ***warnings, Error *e);
