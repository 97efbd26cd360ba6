/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* First line: a proxy. Second line: a URL. The rest: what goes past the proxy. */
#include <stdint.h>

#include "basic/str.h"
#include "net/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *s = strndup((const char *) data, size);
        _cleanup_(proxy_done) Proxy p = {};
        _cleanup_(url_freep) Url *u = NULL;
        char *url, *rest = NULL;

        url = s ? strchr(s, '\n') : NULL;
        if (!url)
                return 0;
        *url++ = 0;
        rest = strchr(url, '\n');
        if (rest)
                *rest++ = 0;
        if (proxy_parse(s, &p, NULL) >= 0)
                assert(p.url && !strchr(p.url, '@'));
        if (url_parse(url, &u, NULL) >= 0)
                (void) proxy_is_bypassed(rest, u);
        return 0;
}
