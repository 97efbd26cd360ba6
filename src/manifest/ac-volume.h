/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Volumes of a pod. Facts: appc, sections 8 and 16. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "basic/json.h"

typedef enum AcVolumeKind {
        AC_VOLUME_HOST,  /* a file or directory of the host */
        AC_VOLUME_EMPTY, /* a directory made for the pod */
        _AC_VOLUME_KIND_MAX,
        _AC_VOLUME_KIND_INVALID = -EINVAL,
} AcVolumeKind;

typedef struct AcVolume {
        char *name;
        AcVolumeKind kind;
        char *source;  /* host: absolute path; empty: NULL */
        int read_only; /* -1 unset, 0, 1 */
        int recursive; /* -1 unset: as 1 */
        char *mode;    /* empty: octal, "0755" at least; host: NULL */
        int64_t uid;   /* empty: 0...; host: INT64_MIN */
        int64_t gid;
} AcVolume;

#define AC_VOLUME_INIT                                                                                       \
        ((AcVolume){ .kind = _AC_VOLUME_KIND_INVALID,                                                        \
                     .read_only = -1,                                                                        \
                     .recursive = -1,                                                                        \
                     .uid = INT64_MIN,                                                                       \
                     .gid = INT64_MIN })

void ac_volume_done(AcVolume *v);
int ac_volume_check(AcVolume *v, Error *e);
int ac_volume_from_string(const char *s, AcVolume *ret, Error *e);
int ac_volume_to_string(const AcVolume *v, char **ret);

extern const JsonStruct ac_volume_type;
