/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes: parsed or refused; what was written is parsed again and written the same. */
#include <stdlib.h>
#include <string.h>

#include "basic/alloc.h"
#include "basic/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(json_freep) JsonValue *v = NULL, *again = NULL;
        _cleanup_free_ char *first = NULL, *second = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        if (json_parse((const char *) data, size, &v, &e) < 0)
                return 0;
        if (json_value_to_string(v, &first) < 0)
                return 0;
        if (strlen(first) > JSON_SIZE_MAX)
                return 0;
        if (json_parse(first, strlen(first), &again, &e) < 0)
                abort();
        if (json_value_to_string(again, &second) < 0)
                return 0;
        if (strcmp(first, second) != 0)
                abort();
        return 0;
}
