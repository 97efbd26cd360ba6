/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pod's half of an app's credentials: which of those that our unit has loaded are whose. */
#pragma once

#include "basic/error.h"
#include "manifest/pod-manifest.h"
#include "run/app-unit.h"

int app_credentials_find(const char *dir, const PodManifest *m, const PodApp *a, AppFacts *f, Error *e);
int app_credentials_sources(const char *dir, const AppFacts *facts, size_t n, char ***ret);
