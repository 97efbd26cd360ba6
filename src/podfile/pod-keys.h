/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The keys that are ours, one row each; systemd's are in unit-keys.h. */
#pragma once

#include <stddef.h>

#include "podfile/value-check.h"

typedef enum PodSection {
        POD_SECTION_UNIT,
        POD_SECTION_POD,
        POD_SECTION_APP,
        POD_SECTION_VOLUME,
        POD_SECTION_SOCKET,
        POD_SECTION_SERVICE,
        POD_SECTION_TIMER,
        POD_SECTION_INSTALL,
        _POD_SECTION_MAX,
        _POD_SECTION_INVALID = -22,
} PodSection;

struct PodLoader;
struct PodPart;
struct PodLine;

typedef enum PodKeyFlags {
        POD_KEY_LIST = 1 << 0,      /* lines add up; an empty one forgets those before */
        POD_KEY_NOT_EMPTY = 1 << 1, /* an empty value is a mistake, not a reset */
        POD_KEY_EMPTY = 1 << 2,     /* an empty value is one, too */
} PodKeyFlags;

typedef struct PodKey {
        const char *name;
        /* Stores one line in the target: PodSpec, AppSpec, VolumeSpec or SocketSpec, by section. A wrong value goes to the
         * loader's errors and is no failure. Returns 0 or -ENOMEM. */
        int (*set)(struct PodLoader *l, const struct PodPart *part, const struct PodLine *line, void *target);
        size_t offset; /* in the target, for setters of plain types */
        ValueCheck check;
        unsigned flags; /* POD_KEY_* */
} PodKey;

const char *pod_section_to_string(PodSection section);
PodSection pod_section_from_string(const char *s);
const PodKey *pod_keys(PodSection section, size_t *ret_n);
const PodKey *pod_key_find(PodSection section, const char *name);
unsigned pod_section_unit_keys(PodSection section);
