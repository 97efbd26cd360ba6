/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdint.h>

#include "basic/str.h"
#include "net/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(url_freep) Url *u = NULL, *again = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *s = strndup((const char *) data, size), *text = NULL;

        if (!s || url_parse(s, &u, &e) < 0 || url_to_string(u, &text) < 0)
                return 0;
        /* Whatever is accepted reads back as the same place; what is written may be a little longer. */
        if (strlen(text) > URL_LENGTH_MAX)
                return 0;
        assert(url_parse(text, &again, NULL) == 0);
        assert(url_same_origin(u, again) && streq(u->target, again->target));
        return 0;
}
