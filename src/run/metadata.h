/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pod that is known to the metadata service (rkt-metadata-service(8)). */
#pragma once

#include "basic/error.h"
#include "manifest/pod-manifest.h"
#include "pod/pod.h"
#include "store/store.h"

int metadata_register(Pod *p, const PodManifest *m, Store *s, char **ret_url, Error *e);
int metadata_url(Pod *p, char **ret);
int metadata_update(Pod *p, const PodManifest *m, Store *s, Error *e);
void metadata_clean(void);
