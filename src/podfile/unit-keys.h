/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every key of systemd that a pod file may contain: where it belongs, and what its value looks like. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "podfile/value-check.h"

typedef enum UnitKeyPlaces {
        UNIT_KEY_UNIT = 1 << 0,
        UNIT_KEY_SERVICE = 1 << 1,
        UNIT_KEY_SOCKET = 1 << 2,
        UNIT_KEY_TIMER = 1 << 3,
        UNIT_KEY_INSTALL = 1 << 4,
        UNIT_KEY_APP = 1 << 5, /* passed to an app's unit */
} UnitKeyPlaces;

typedef struct UnitKey {
        const char *name;
        unsigned places; /* UNIT_KEY_* */
        ValueCheck check;
        const char *instead; /* what to use in [App], where this key is refused */
} UnitKey;

const UnitKey *unit_key_find(const char *name);
bool unit_key_is_list(const UnitKey *key);
const char *unit_key_in_app(const UnitKey *key);
unsigned unit_key_since(const UnitKey *key, const char *value);
const UnitKey *unit_key_table(size_t *ret_n);
