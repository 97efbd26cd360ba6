/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What plugins print, and what lies in net.d: as a result, as an error, as a list of versions, as a configuration. */
#include <string.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "run/cni-conf.h"
#include "run/cni-result.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_conf(const char *data, size_t size) {
        _cleanup_(cni_conf_freep) CniConf *c = NULL;

        if (cni_conf_parse(data, size, &c, NULL) < 0)
                return;
        for (size_t i = 0; i < cni_conf_n_plugins(c); i++) {
                const CniRequest q = { .version = "1.0.0", .runtime = c->doc, .result = "{}" };
                _cleanup_free_ char *text = NULL;

                assert(cni_conf_type(c, i));
                assert(cni_conf_request(c, i, &q, &text, NULL) >= 0);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const char *text = (const char *) data;
        _cleanup_strv_free_ char **versions = NULL;
        _cleanup_net_state_ NetState *s = NULL;
        NetAttachment a = {};
        CniError error = {};

        if (size > 65536)
                return 0;
        (void) cni_result_parse(text, size, &a, NULL);
        net_attachment_done(&a);
        (void) cni_error_parse(text, size, &error);
        cni_error_done(&error);
        (void) cni_versions_parse(text, size, &versions, NULL);
        try_conf(text, size);
        (void) net_state_parse(text, size, &s, NULL);
        return 0;
}
