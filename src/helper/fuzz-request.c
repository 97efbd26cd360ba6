/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whatever is asked for, what is let through has no path and no flag that root would open or obey. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "helper/request-check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char *const bad[] = {
                "--dir", "--uuid-file", "--local-config", "--system-config", "--user-config", "--signature",
                "/",     "oci:"
        };
        _cleanup_strv_free_ char **words = NULL;

        if (size > 4096 || request_split((const char *) data, size, &words, NULL) < 0 ||
            request_check(words, 2, false, NULL) < 0)
                return 0;
        for (char **w = words; *w; w++)
                FOREACH_ARRAY (b, bad, ELEMENTSOF(bad))
                        if (startswith(*w, *b))
                                abort();
        return 0;
}
