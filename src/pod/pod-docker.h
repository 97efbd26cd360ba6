/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is done differently for images that were Docker's or OCI's once, as rkt did, and Docker does: arguments replace the
 * command but not the entrypoint, volumes begin with what the image has there. They are known by an annotation. */
#pragma once

#include "basic/error.h"
#include "basic/str.h"
#include "manifest/image-manifest.h"
#include "manifest/pod-manifest.h"
#include "podfile/pod-spec.h"

bool docker_is_image(const ImageManifest *m);
int docker_entrypoint(const ImageManifest *m, char ***ret, Error *e);
int docker_annotate(PodApp *a, const ImageManifest *m, const AppSpec *s);
void docker_add_settings(StrBuf *b, const ImageManifest *m, const AppSpec *s);
