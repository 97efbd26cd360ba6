/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A page from anybody: parsed, handed over as text, matched against a name. */
#include <stdint.h>

#include "basic/str.h"
#include "image/discovery.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(discovery_page_done) DiscoveryPage page = {}, back = {};
        _cleanup_(discovery_result_done) DiscoveryResult result = {};
        _cleanup_(image_name_freep) ImageName *name = NULL;
        _cleanup_free_ char *text = NULL;

        if (discovery_html_parse((const char *) data, size, &page) < 0 ||
            discovery_page_write(&page, &text) < 0 ||
            discovery_page_read(text, strlen(text), &back, NULL) < 0)
                return 0;
        assert(back.n_endpoints == page.n_endpoints && back.n_pubkeys == page.n_pubkeys);
        assert(page.n_endpoints <= DISCOVERY_ENTRIES_MAX && page.n_pubkeys <= DISCOVERY_ENTRIES_MAX);
        if (image_name_parse("example.com/app:1,os=linux,arch=amd64,x=..", &name, NULL) < 0)
                return 0;
        (void) discovery_match(&back, name, &result);
        return 0;
}
