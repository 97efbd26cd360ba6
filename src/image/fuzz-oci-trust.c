/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file of trust.d: taken or refused with a sentence. What was taken says clearly what to do, and for which prefix. */
#include "basic/str.h"
#include "basic/strv.h"
#include "image/oci-trust-file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A prefix that was accepted is written in the one way there is. */
static void check_prefix(const char *prefix) {
        _cleanup_free_ char *again = NULL;

        assert(oci_trust_prefix_normalize(prefix, &again, NULL) == 0);
        assert(streq(prefix, again));
        assert(!strchr(prefix, '@') && !strstr(prefix, "//"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(oci_trust_sections_done) OciTrustSections sections = {};
        _cleanup_error_ Error e = ERROR_INIT;

        if (oci_trust_file_parse((const char *) data, size, "x.conf", &sections, &e) < 0) {
                assert(e.message && startswith(e.message, "x.conf:"));
                return 0;
        }
        FOREACH_ARRAY (s, sections.sections, sections.n_sections) {
                bool keyed = s->cosign_keys || s->openpgp_keys;

                assert(s->prefixes && keyed + s->insecure + s->reject == 1);
                STRV_FOREACH (p, s->prefixes)
                        check_prefix(*p);
        }
        return 0;
}
