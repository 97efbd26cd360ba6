/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A line with a request's path, then a document, both of any bytes: an answer that lies in the document, or an error. */
#include <stdlib.h>
#include <string.h>

#include "basic/alloc.h"
#include "manifest/metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const uint8_t *nl = memchr(data, '\n', size);
        _cleanup_free_ char *url = NULL;
        char token[METADATA_NAME_MAX], uuid[37];
        const char *path, *document;
        MetadataAnswer a;
        size_t n, rest;

        if (!nl)
                return 0;
        url = strndup((const char *) data, (size_t) (nl - data));
        if (!url || metadata_parse_url(url, token, &path) < 0 || !path)
                return 0;
        if (strlen(token) != METADATA_TOKEN_DIGITS || *path != '/')
                abort();
        document = (const char *) nl + 1;
        rest = size - (size_t) (nl + 1 - data);
        if (metadata_parse_header(document, rest, uuid, &n) < 0 || n > rest - METADATA_HEADER_SIZE)
                return 0;
        if (metadata_find(document + METADATA_HEADER_SIZE, n, path, &a) >= 0 &&
            !metadata_content_type(a.type))
                abort();
        return 0;
}
