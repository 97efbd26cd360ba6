/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All parsers of src/oci. The first byte chooses: n name, g digest, m manifest or index, y oci-layout, a manifest.json of a
 * docker-archive, c config, p platform, s signal. */
#include <stdint.h>
#include <string.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "oci/docker-archive.h"
#include "oci/oci-config.h"
#include "oci/oci-digest.h"
#include "oci/oci-document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever is accepted can be written, and reads back as the same thing. */
static void fuzz_name(const char *s) {
        _cleanup_(oci_name_freep) OciName *n = NULL, *again = NULL;
        _cleanup_free_ char *text = NULL, *twice = NULL, *appc = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        if (oci_name_parse(s, &n, &e) < 0) {
                assert(e.message && *e.message);
                return;
        }
        if (oci_name_to_string(n, &text) < 0)
                return;
        assert(oci_name_parse(text, &again, NULL) == 0);
        assert(again->transport == n->transport);
        assert(oci_name_to_string(again, &twice) == 0 && streq(text, twice));
        assert(n->transport != OCI_TRANSPORT_REGISTRY || !strstr(n->repository, ".."));
        (void) oci_name_to_appc(n, &appc);
}

static void fuzz_document(const char *s, size_t size) {
        _cleanup_(oci_document_freep) OciDocument *d = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        const OciDescriptor *chosen;
        OciPlatform host = {};

        if (oci_document_parse(s, size, NULL, NULL, &d, &e) < 0 || oci_platform_host(&host) < 0)
                return;
        if (oci_document_check_image(d, &e) >= 0)
                assert(d->config && d->n_layers > 0 && d->n_layers <= OCI_LAYERS_MAX);
        if (d->is_index && oci_index_choose(d, &host, 0, &chosen, &e) >= 0)
                assert(oci_digest_is_valid(chosen->digest));
        if (oci_layout_choose(d, NULL, &host, &chosen, &e) >= 0)
                assert(oci_digest_is_valid(chosen->digest));
        (void) oci_layout_choose(d, "@0", &host, &chosen, &e);
        oci_platform_done(&host);
}

/* oci_config_to_manifest() asserts by itself that what it makes is a manifest: it reads it. */
static void fuzz_config(const char *s, size_t size) {
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL;
        _cleanup_(oci_config_freep) OciConfig *c = NULL;
        _cleanup_(oci_name_freep) OciName *n = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        char chain[OCI_DIGEST_MAX];

        if (oci_config_parse(s, size, &c, &e) < 0 || oci_name_parse("docker://example.com/a:1", &n, NULL) < 0)
                return;
        assert(oci_chain_id(c->diff_ids, strv_length(c->diff_ids), chain, NULL) == 0);
        if (oci_config_to_manifest(c, &(OciOrigin){ .name = n }, &m, &e) >= 0)
                assert(m->app && m->app->user && *m->app->user);
        else
                assert(e.message);
}

static void fuzz_archive(const char *s, size_t size) {
        _cleanup_(docker_archive_freep) DockerArchive *a = NULL;
        const DockerArchiveImage *i;
        _cleanup_error_ Error e = ERROR_INIT;

        if (docker_archive_parse(s, size, &a, &e) < 0)
                return;
        if (docker_archive_choose(a, NULL, &i, &e) >= 0)
                assert(i->config && i->layers && *i->layers);
        (void) docker_archive_choose(a, "redis", &i, &e);
}

static void fuzz_words(char what, const char *s) {
        _cleanup_free_ char *text = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        OciPlatform p = {};
        char path[OCI_BLOB_PATH_MAX];

        if (what == 'g')
                assert((oci_digest_to_path(s, path) == 0) == oci_digest_is_valid(s));
        else if (what == 's')
                (void) oci_stop_signal_normalize(s, &text, &e);
        else if (oci_platform_from_string(s, &p, &e) >= 0) {
                assert(oci_platform_rank(&p, &p) > 0);
                oci_platform_done(&p);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *s = size > 0 ? strndup((const char *) data + 1, size - 1) : NULL;
        const char *bytes = (const char *) data + 1;

        if (!s)
                return 0;
        switch (*data) {
        case 'n': fuzz_name(s); break;
        case 'm': fuzz_document(bytes, size - 1); break;
        case 'y': (void) oci_layout_check(bytes, size - 1, NULL); break;
        case 'a': fuzz_archive(bytes, size - 1); break;
        case 'c': fuzz_config(bytes, size - 1); break;
        case 'g':
        case 's':
        case 'p': fuzz_words((char) *data, s); break;
        default: break;
        }
        return 0;
}
