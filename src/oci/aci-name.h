/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What docker2aci calls the images that it makes, and their files. Text to text, no I/O. Facts: appc, section 17.1. */
#pragma once

#include "basic/error.h"
#include "manifest/image-manifest.h"

int aci_name_from_tag(const char *tag, ImageManifest *m, Error *e);
int aci_file_base(const ImageManifest *m, char **ret);
int aci_file_suffix(const ImageManifest *m, bool platform, char **ret);
