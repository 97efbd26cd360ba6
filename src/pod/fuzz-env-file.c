/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes are either an environment, or refused. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "basic/strv.h"
#include "pod/env-file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_strv_free_ char **environment = NULL;

        if (size <= 4096 && env_file_parse((const char *) data, size, &environment, NULL) >= 0)
                for (char **v = environment; v && *v; v++)
                        if (!strchr(*v, '='))
                                abort();
        return 0;
}
