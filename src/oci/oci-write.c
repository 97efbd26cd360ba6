/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Manifests, indexes, and the list of a docker-archive. Members stand in the order of the standard, annotations by name. */
#include "oci/oci-write.h"

#include <stdlib.h>
#include <string.h>

#include "basic/alloc.h"
#include "basic/json-write.h"
#include "basic/str.h"

static void write_text(JsonWriter *w, const char *key, const char *value) {
        json_write_key(w, key);
        json_write_string(w, value);
}

static void write_descriptor(JsonWriter *w, const char *media_type, const OciBlob *b) {
        write_text(w, "mediaType", media_type);
        write_text(w, "digest", b->digest);
        json_write_key(w, "size");
        json_write_uint(w, b->size);
}

static int compare_pairs(const void *a, const void *b) {
        return strcmp(((const AcPair *) a)->name, ((const AcPair *) b)->name);
}

static int write_annotations(JsonWriter *w, const AcPair *pairs, size_t n) {
        _cleanup_free_ AcPair *sorted = new0(AcPair, n);

        if (!sorted)
                return -ENOMEM;
        if (n == 0)
                return 0;
        memcpy(sorted, pairs, n * sizeof(*sorted));
        qsort(sorted, n, sizeof(*sorted), compare_pairs);
        json_write_key(w, "annotations");
        json_write_begin_object(w);
        FOREACH_ARRAY (p, sorted, n)
                write_text(w, p->name, p->value);
        json_write_end_object(w);
        return 0;
}

/**
 * oci_manifest_write() - the manifest of an image whose layers are not compressed
 * @p:   what it is made of
 * @ret: JSON; free()
 *
 * Return: 0, -ENOMEM.
 */
int oci_manifest_write(const OciImageParts *p, char **ret) {
        _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;

        json_write_begin_object(&w);
        json_write_key(&w, "schemaVersion");
        json_write_uint(&w, 2);
        write_text(&w, "mediaType", OCI_TYPE_MANIFEST);
        json_write_key(&w, "config");
        json_write_begin_object(&w);
        write_descriptor(&w, OCI_TYPE_CONFIG, &p->config);
        json_write_end_object(&w);
        json_write_key(&w, "layers");
        json_write_begin_array(&w);
        FOREACH_ARRAY (l, p->layers, p->n_layers) {
                json_write_begin_object(&w);
                write_descriptor(&w, OCI_TYPE_LAYER, l);
                json_write_end_object(&w);
        }
        json_write_end_array(&w);
        if (write_annotations(&w, p->annotations, p->n_annotations) < 0)
                return -ENOMEM;
        json_write_end_object(&w);
        return json_writer_steal(&w, ret);
}

/**
 * oci_manifest_is_plain() - does a manifest list just these bytes?
 * @manifest: as the image came
 * @p:        what we have of it
 *
 * Return: true if it can leave with this very manifest, so that the digest stays the same.
 */
bool oci_manifest_is_plain(const OciDocument *manifest, const OciImageParts *p) {
        if (manifest->is_index || !streq(str_or(manifest->media_type, ""), OCI_TYPE_MANIFEST) ||
            manifest->n_layers != p->n_layers || !manifest->config ||
            !streq(manifest->config->digest, p->config.digest))
                return false;
        for (size_t i = 0; i < p->n_layers; i++)
                if (!streq(manifest->layers[i].digest, p->layers[i].digest))
                        return false;
        return true;
}

/**
 * oci_index_write() - the index of a layout that has one image
 * @manifest:  of the image
 * @reference: its name; NULL: none
 * @ret:       JSON; free()
 *
 * The name stands in both annotations that readers look for.
 *
 * Return: 0, -ENOMEM.
 */
int oci_index_write(const OciBlob *manifest, const char *reference, char **ret) {
        _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;

        json_write_begin_object(&w);
        json_write_key(&w, "schemaVersion");
        json_write_uint(&w, 2);
        write_text(&w, "mediaType", OCI_TYPE_INDEX);
        json_write_key(&w, "manifests");
        json_write_begin_array(&w);
        json_write_begin_object(&w);
        write_descriptor(&w, OCI_TYPE_MANIFEST, manifest);
        if (reference) {
                json_write_key(&w, "annotations");
                json_write_begin_object(&w);
                if (strchr(reference, '/'))
                        write_text(&w, OCI_ANNOTATION_CONTAINERD, reference);
                write_text(&w, OCI_ANNOTATION_REFERENCE, reference);
                json_write_end_object(&w);
        }
        json_write_end_object(&w);
        json_write_end_array(&w);
        json_write_end_object(&w);
        return json_writer_steal(&w, ret);
}

/**
 * docker_archive_write() - manifest.json
 * @config: file in the archive
 * @tag:    NAME:TAG; NULL: none
 * @layers: files in the archive, lowest first
 * @ret:    JSON; free()
 *
 * Return: 0, -ENOMEM.
 */
int docker_archive_write(const char *config, const char *tag, char *const *layers, char **ret) {
        _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;

        json_write_begin_array(&w);
        json_write_begin_object(&w);
        write_text(&w, "Config", config);
        json_write_key(&w, "RepoTags");
        json_write_begin_array(&w);
        if (tag)
                json_write_string(&w, tag);
        json_write_end_array(&w);
        json_write_key(&w, "Layers");
        json_write_begin_array(&w);
        for (char *const *l = layers; *l; l++)
                json_write_string(&w, *l);
        json_write_end_array(&w);
        json_write_end_object(&w);
        json_write_end_array(&w);
        return json_writer_steal(&w, ret);
}
