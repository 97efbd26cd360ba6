/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verbs/image-compression.h"

#include "basic/str.h"

/**
 * image_compression_parse() - the value of --compression
 * @s:        value
 * @ret_gzip: whether to compress
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL.
 */
int image_compression_parse(const char *s, bool *ret_gzip, Error *e) {
        if (!streq(s, "gzip") && !streq(s, "none"))
                return error_setf(e, -EINVAL, "--compression=%s: it is gzip or none", s);
        *ret_gzip = streq(s, "gzip");
        return 0;
}
