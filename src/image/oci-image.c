/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What layouts, archives and registries have in common once their documents are read. */
#include "image/oci-image.h"

#include <stdlib.h>
#include <string.h>

#include "basic/fd.h"

/**
 * oci_image_done() - free
 * @i: is OCI_IMAGE_INIT afterwards
 */
void oci_image_done(OciImage *i) {
        FOREACH_ARRAY (l, i->layers, i->n_layers) {
                free(l->digest);
                (void) fd_close(l->fd);
                pull_request_done(&l->request);
        }
        FOREACH_ARRAY (s, i->signatures, i->n_signatures) {
                free(s->fingerprint);
                free(s->identity);
                free(s->key_file);
        }
        free(i->layers);
        free(i->signatures);
        free(i->manifest);
        free(i->config);
        free(i->manifest_digest);
        free(i->index_digest);
        free(i->config_digest);
        oci_config_free(i->parsed);
        store_archive_close(i->archive);
        oci_name_free(i->saved_as);
        *i = OCI_IMAGE_INIT;
}

/**
 * oci_image_set_layers() - the layers that a manifest lists
 * @i:        without layers
 * @manifest: of an image
 * @e:        sentence on failure; may be NULL
 *
 * Where they are is not known yet.
 *
 * Return: 0, -ENOMEM.
 */
int oci_image_set_layers(OciImage *i, const OciDocument *manifest, Error *e) {
        i->layers = new0(OciLayer, manifest->n_layers);
        if (!i->layers)
                return error_oom(e);
        FOREACH_ARRAY (d, manifest->layers, manifest->n_layers) {
                OciLayer *l = i->layers + i->n_layers++;

                l->fd = -EBADF;
                l->size = d->size;
                l->digest = strdup(d->digest);
                if (!l->digest)
                        return error_oom(e);
        }
        return 0;
}

/**
 * oci_image_set_config() - read the config, and say to each layer what it must unpack to
 * @i: with config and layers
 * @e: sentence on failure; may be NULL
 *
 * Return: 0, what oci_config_parse() and oci_config_check_layers() return.
 */
int oci_image_set_config(OciImage *i, Error *e) {
        int r;

        r = oci_config_parse(i->config, i->config_size, &i->parsed, e);
        if (r >= 0)
                r = oci_config_check_layers(i->parsed, i->n_layers, e);
        for (size_t n = 0; r >= 0 && n < i->n_layers; n++)
                i->layers[n].diff_id = i->parsed->diff_ids[n];
        return r;
}
