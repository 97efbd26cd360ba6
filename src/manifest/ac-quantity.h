/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Amounts with a suffix, as "500m" or "1.5Gi", in multiples of 10^-9. Facts: appc, section 11. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "basic/macro.h"

typedef enum AcQuantityFormat {
        AC_QUANTITY_DECIMAL,  /* n u m k M G T P E */
        AC_QUANTITY_BINARY,   /* Ki Mi Gi Ti Pi Ei */
        AC_QUANTITY_EXPONENT, /* 1e3 */
        _AC_QUANTITY_FORMAT_MAX,
        _AC_QUANTITY_FORMAT_INVALID = -EINVAL,
} AcQuantityFormat;

typedef struct AcQuantity {
        __int128 nano; /* 10^-9 */
        AcQuantityFormat format;
} AcQuantity;

int ac_quantity_parse(const char *s, AcQuantity *ret);
bool ac_quantity_round_up(AcQuantity *q, int exponent);
int ac_quantity_integer(const AcQuantity *q, int64_t *ret);
int ac_quantity_milli(const AcQuantity *q, int64_t *ret);
int ac_quantity_compare(const AcQuantity *a, const AcQuantity *b);
int ac_quantity_to_string(const AcQuantity *q, char **ret);
