/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes: a manifest or an error; what was written is read again and written the same. */
#include <stdlib.h>
#include <string.h>

#include "basic/alloc.h"
#include "manifest/pod-manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL, *again = NULL;
        _cleanup_free_ char *first = NULL, *second = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        if (pod_manifest_parse((const char *) data, size, &m, &e) < 0)
                return 0;
        if (pod_manifest_to_string(m, &first) < 0 || strlen(first) > JSON_SIZE_MAX)
                return 0;
        if (pod_manifest_parse(first, strlen(first), &again, &e) < 0)
                abort();
        if (pod_manifest_to_string(again, &second) < 0)
                return 0;
        if (strcmp(first, second) != 0)
                abort();
        return 0;
}
