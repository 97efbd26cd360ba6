/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The headers of an answer, line by line, as http.c hands them over. */
#include <stdint.h>

#include "basic/alloc.h"
#include "net/http-head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(http_head_done) HttpHead h = HTTP_HEAD_INIT;
        const char *tag;

        while (size > 0) {
                const uint8_t *end = memchr(data, '\n', size);
                size_t n = end ? (size_t) (end - data) : size;
                _cleanup_free_ char *line = strndup((const char *) data, n);

                if (!line || http_head_line(&h, line, NULL) < 0)
                        return 0;
                n += end ? 1 : 0;
                data += n;
                size -= n;
        }
        (void) http_head_retry_after(&h);
        tag = http_head_resume_tag(&h);
        assert(!tag || *tag);
        if (h.has_range)
                assert(h.range_start <= h.range_end &&
                       (h.range_total == UINT64_MAX || h.range_end < h.range_total));
        return 0;
}
