/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "basic/base64.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <string.h>

#include "basic/unconst.h"

/**
 * base64_encode() - bytes as one line of base64
 * @data: @size bytes
 * @size: bytes
 * @ret:  for free(); padded, without line ends
 *
 * Return: 0, -ENOMEM.
 */
int base64_encode(const void *data, size_t size, char **ret) {
        const gnutls_datum_t in = { unconst(data), (unsigned) size };
        gnutls_datum_t out = {};
        char *text;

        if (gnutls_base64_encode2(&in, &out) < 0)
                return -ENOMEM;
        text = strndup((const char *) out.data, out.size);
        gnutls_memset(out.data, 0, out.size);
        gnutls_free(out.data);
        if (!text)
                return -ENOMEM;
        *ret = text;
        return 0;
}
