/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Both directions: the worker reads a request, rkt reads lines of a worker that may be under somebody else's control. */
#include <stdint.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "net/pull-protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(pull_request_done) PullRequest q = {};
        _cleanup_(pull_head_done) PullHead h = PULL_HEAD_INIT;
        _cleanup_free_ char *s = strndup((const char *) data, size);
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_strv_free_ char **lines = NULL;
        uint64_t n;

        if (!s)
                return 0;
        (void) pull_request_parse((const char *) data, size, &q, &e);
        if (strv_split(s, "\n", &lines) < 0)
                return 0;
        STRV_FOREACH (l, lines)
                if (pull_meta_parse_line(*l, &h, &n, &e) >= 0)
                        assert(h.max_age <= PULL_MAX_AGE_MAX);
        (void) pull_parse_max_age(s);
        return 0;
}
