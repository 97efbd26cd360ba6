/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An entry or a path as a worker that was taken over may send it. What decodes must encode to the same bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "basic/alloc.h"
#include "basic/error.h"
#include "store/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(tar_entry_done) TarEntry t = TAR_ENTRY_INIT;
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *path = NULL;
        uint8_t *again;
        size_t n;

        (void) frame_decode_error(data, size, &e);
        if (frame_decode_path(data, size, &path) >= 0 &&
            (strlen(path) != size || memcmp(path, data, size) != 0))
                abort();
        if (frame_decode_entry(data, size, &t) < 0)
                return 0;
        if (frame_encode_entry(&t, &again, &n) < 0)
                abort();
        if (n > size)
                abort();
        free(again);
        return 0;
}
