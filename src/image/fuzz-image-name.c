/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdint.h>
#include <string.h>

#include "basic/str.h"
#include "image/image-name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(image_name_freep) ImageName *n = NULL, *again = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *s = strndup((const char *) data, size), *text = NULL;

        if (!s || image_name_parse(s, &n, &e) < 0)
                return 0;
        /* Whatever is accepted can be written, and reads back as the same thing. */
        if (image_name_to_string(n, &text) < 0)
                return 0;
        assert(image_name_parse(text, &again, NULL) == 0);
        assert(again->type == n->type && again->n_labels == n->n_labels && streq(again->text, n->text));
        return 0;
}
