/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is what an app's image and the pod file say about its confinement possible at all? Asked before anything starts. */
#pragma once

#include "basic/error.h"
#include "manifest/ac-app.h"
#include "manifest/pod-manifest.h"
#include "podfile/pod-spec.h"

int app_check_isolators(const AcApp *app, Error *e);
int app_check_settings(const UnitSettings *settings, Error *e);
int pod_ignored_isolators(const PodManifest *m, char ***warnings);
int app_ignored_isolators(const AcApp *app, const char *name, char ***warnings);
