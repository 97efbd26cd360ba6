/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is this what the appc standard calls an image, a layout, a manifest? Nothing is stored. */
#pragma once

#include "basic/error.h"

typedef enum ValidateType {
        VALIDATE_ANY,      /* told from the content */
        VALIDATE_IMAGE,    /* an ACI, compressed or not */
        VALIDATE_LAYOUT,   /* a directory with manifest and rootfs */
        VALIDATE_MANIFEST, /* of an image or of a pod */
        _VALIDATE_TYPE_MAX,
        _VALIDATE_TYPE_INVALID = -EINVAL,
} ValidateType;

ValidateType validate_type_from_string(const char *s);
int image_validate(const char *path, ValidateType type, const char **ret_kind, char ***ret_warnings,
                   Error *e);
