/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The head of a spool: ours, but it lay on a disk. */
#include <stdint.h>

#include "basic/alloc.h"
#include "store/store-spool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *tag = NULL;
        uint64_t total = 0;

        if (store_spool_head_parse((const char *) data, size, "b", &tag, &total) >= 0)
                assert(*tag && total > 0);
        return 0;
}
