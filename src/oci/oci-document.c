/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads indexes and manifests. A document says what it is in up to three places (itself, the Content-Type, the descriptor
 * that led to it), which must agree, and by its members: a document with both "layers" and "manifests" is whatever the
 * reader wants it to be, so it is refused. Which entry is chosen is the business of oci-choose.c. */
#include <strings.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "oci/oci-digest.h"
#include "oci/oci-document.h"

static int descriptor_check(void *p, Error *e) {
        OciDescriptor *d = p;

        if (d->size > INT64_MAX)
                return error_setf(e, -ERANGE, "blob %s: a size of %llu bytes is not possible", d->digest,
                                  (unsigned long long) d->size);
        return 0;
}

static void descriptor_done(void *p) {
        OciDescriptor *d = p;

        free(d->media_type);
        free(d->digest);
        (void) strv_free(d->urls);
        ac_pairs_free(d->annotations, d->n_annotations);
        oci_platform_done(&d->platform);
}

static const JsonField descriptor_fields[] = {
        JSON_ROW("mediaType", json_kind_string, OciDescriptor, media_type, JSON_MANDATORY),
        JSON_ROW("digest", oci_kind_digest, OciDescriptor, digest, JSON_MANDATORY),
        JSON_ROW("size", json_kind_uint64, OciDescriptor, size, JSON_MANDATORY),
        JSON_ROW("urls", json_kind_strv, OciDescriptor, urls, 0),
        AC_MAP_ROW("annotations", OciDescriptor, annotations),
        JSON_STRUCT_ROW("platform", OciDescriptor, platform, oci_platform_type, 0),
        {},
};

static const JsonStruct descriptor_struct = {
        .size = sizeof(OciDescriptor),
        .fields = descriptor_fields,
        .flags = JSON_OPEN,
        .done = descriptor_done,
        .check = descriptor_check,
};

static void document_done(void *p) {
        OciDocument *d = p;

        free(d->media_type);
        free(d->artifact_type);
        json_list_free(&descriptor_struct, d->config, d->config ? 1 : 0);
        json_list_free(&descriptor_struct, d->layers, d->n_layers);
        json_list_free(&descriptor_struct, d->manifests, d->n_manifests);
        json_list_free(&descriptor_struct, d->subject, d->subject ? 1 : 0);
        ac_pairs_free(d->annotations, d->n_annotations);
}

static const JsonField document_fields[] = {
        JSON_ROW("schemaVersion", json_kind_int64, OciDocument, schema_version, JSON_MANDATORY),
        JSON_ROW("mediaType", json_kind_string, OciDocument, media_type, 0),
        JSON_ROW("artifactType", json_kind_string, OciDocument, artifact_type, 0),
        JSON_POINTER_ROW("config", OciDocument, config, descriptor_struct, 0),
        JSON_LIST_ROW("layers", OciDocument, layers, descriptor_struct, 0),
        JSON_LIST_ROW("manifests", OciDocument, manifests, descriptor_struct, 0),
        JSON_POINTER_ROW("subject", OciDocument, subject, descriptor_struct, 0),
        AC_MAP_ROW("annotations", OciDocument, annotations),
        {},
};

static const JsonStruct document_type = {
        .size = sizeof(OciDocument),
        .fields = document_fields,
        .flags = JSON_OPEN,
        .done = document_done,
};

/**
 * oci_document_free() - free an index or a manifest
 * @d: may be NULL or half-filled
 *
 * Return: NULL.
 */
OciDocument *oci_document_free(OciDocument *d) {
        json_list_free(&document_type, d, d ? 1 : 0);
        return NULL;
}

/**
 * oci_type_is_index() - is this the type of an index?
 * @media_type: may be NULL
 *
 * Return: true for OCI's index and Docker's manifest list.
 */
bool oci_type_is_index(const char *media_type) {
        return streq_ptr(media_type, OCI_TYPE_INDEX) || streq_ptr(media_type, OCI_TYPE_DOCKER_LIST);
}

/**
 * oci_type_is_manifest() - is this the type of an image manifest?
 * @media_type: may be NULL
 *
 * Return: true for OCI's, and for Docker's of schema 2.
 */
bool oci_type_is_manifest(const char *media_type) {
        return streq_ptr(media_type, OCI_TYPE_MANIFEST) || streq_ptr(media_type, OCI_TYPE_DOCKER_MANIFEST);
}

/**
 * oci_type_is_layer() - is this the type of a layer that we unpack?
 * @media_type: not NULL
 *
 * How it is compressed is told by its first bytes, not by its type.
 *
 * Return: false also for foreign and encrypted layers.
 */
bool oci_type_is_layer(const char *media_type) {
        static const char *const types[] = {
                "application/vnd.oci.image.layer.v1.tar",
                "application/vnd.oci.image.layer.v1.tar+gzip",
                "application/vnd.oci.image.layer.v1.tar+zstd",
                "application/vnd.docker.image.rootfs.diff.tar",
                "application/vnd.docker.image.rootfs.diff.tar.gzip",
                "application/vnd.docker.image.rootfs.diff.tar.zstd",
        };

        FOREACH_ARRAY (t, types, ELEMENTSOF(types))
                if (streq(media_type, *t))
                        return true;
        return false;
}

static bool is_foreign_layer(const char *media_type) {
        return startswith(media_type, "application/vnd.oci.image.layer.nondistributable.v1.tar") ||
               startswith(media_type, "application/vnd.docker.image.rootfs.foreign.diff.tar");
}

static int refuse_schema_1(Error *e) {
        return error_setf(
                e, -EOPNOTSUPP,
                "the image has a manifest of Docker's schema 1, which is not supported; push the image again "
                "with a current tool");
}

/* A Content-Type without its parameters; NULL for those that servers send for anything. */
static int clean_content_type(const char *s, char **ret, Error *e) {
        static const char *const anything[] = { "", "application/json", "application/octet-stream",
                                                "text/plain" };
        _cleanup_free_ char *type = NULL;

        *ret = NULL;
        if (!s)
                return 0;
        type = strndup(s, strcspn(s, ";"));
        if (!type)
                return error_oom(e);
        (void) str_strip(type);
        FOREACH_ARRAY (a, anything, ELEMENTSOF(anything))
                if (strcasecmp(type, *a) == 0)
                        return 0;
        *ret = TAKE_PTR(type);
        return 0;
}

static int agree(const char *a, const char *what_a, const char *b, const char *what_b, Error *e) {
        if (!a || !b || streq(a, b))
                return 0;
        return error_setf(e, -EBADMSG, "%s says '%.100s', but %s says '%.100s'", what_a, a, what_b, b);
}

/* What the document claims to be, by the three who may say so. */
static int settle_type(OciDocument *d, const char *content, const char *descriptor, Error *e) {
        const char *type;
        int r;

        r = agree(d->media_type, "the document", content, "its Content-Type", e);
        if (r < 0)
                return r;
        r = agree(d->media_type, "the document", descriptor, "its descriptor", e);
        if (r < 0)
                return r;
        r = agree(content, "the Content-Type", descriptor, "the descriptor", e);
        if (r < 0)
                return r;
        type = d->media_type ? d->media_type : content ? content : descriptor;
        if (!type)
                type = d->is_index ? OCI_TYPE_INDEX : OCI_TYPE_MANIFEST;
        if (d->is_index ? !oci_type_is_index(type) : !oci_type_is_manifest(type))
                return error_setf(e, -EBADMSG, "the document is %s by its members, but '%.100s' by its type",
                                  d->is_index ? "an index" : "a manifest", type);
        return type != d->media_type && str_replace(&d->media_type, type) < 0 ? error_oom(e) : 0;
}

static bool is_list(const JsonValue *v, const char *key) {
        const JsonValue *m = json_get(v, key);

        return m && json_type(m) != JSON_NULL;
}

/* Before anything is read: which of the two, and not too much of it. */
static int check_shape(const JsonValue *v, const char *content, bool *ret_is_index, Error *e) {
        bool layers = is_list(v, "layers"), manifests = is_list(v, "manifests");
        const JsonValue *version = json_get(v, "schemaVersion");
        int64_t number;

        if ((content && startswith(content, "application/vnd.docker.distribution.manifest.v1+")) ||
            is_list(v, "fsLayers") || (version && json_integer(version, &number) == 0 && number == 1))
                return refuse_schema_1(e);
        if (layers && manifests)
                return error_setf(e, -EBADMSG, "the document has both 'layers' and 'manifests'");
        if (!layers && !manifests)
                return error_setf(e, -EBADMSG, "the document has neither 'layers' nor 'manifests'");
        if (manifests && is_list(v, "config"))
                return error_setf(e, -EBADMSG, "the document has both 'config' and 'manifests'");
        if (json_length(json_get(v, "layers")) > OCI_LAYERS_MAX)
                return error_setf(e, -E2BIG, "the image has %zu layers, at most %u are possible",
                                  json_length(json_get(v, "layers")), OCI_LAYERS_MAX);
        *ret_is_index = manifests;
        return 0;
}

/**
 * oci_document_parse() - read an index or a manifest
 * @data:            @size bytes, from a registry, a layout or an archive; their digest is checked by the caller
 * @size:            bytes
 * @content_type:    header of the answer, or NULL
 * @descriptor_type: media type of the descriptor that led here, or NULL
 * @ret:             oci_document_free() it
 * @e:               says what is wrong
 *
 * A manifest that is read need not be an image: oci_document_check_image().
 *
 * Return: 0; those of json_parse() and json_map(); -EOPNOTSUPP (schema 1, algorithm of a digest), -EBADMSG (types or
 * members disagree), -E2BIG (bytes, layers).
 */
int oci_document_parse(const char *data, size_t size, const char *content_type, const char *descriptor_type,
                       OciDocument **ret, Error *e) {
        _cleanup_(oci_document_freep) OciDocument *d = NULL;
        _cleanup_(json_freep) JsonValue *v = NULL;
        _cleanup_free_ char *content = NULL;
        bool is_index = false;
        int r;

        r = clean_content_type(content_type, &content, e);
        if (r < 0)
                return r;
        r = json_parse(data, size, &v, e);
        if (r < 0)
                return error_prefixf(e, r, "image manifest");
        r = check_shape(v, content, &is_index, e);
        if (r < 0)
                return error_prefixf(e, r, "image manifest");
        d = new0(OciDocument, 1);
        if (!d)
                return error_oom(e);
        r = json_map_struct(v, &document_type, d, e);
        if (r < 0)
                return error_prefixf(e, r, "image manifest");
        if (d->schema_version != 2)
                return error_setf(e, -EOPNOTSUPP,
                                  "image manifest: schema version %lld is not supported, only 2",
                                  (long long) d->schema_version);
        d->is_index = is_index;
        r = settle_type(d, content, descriptor_type, e);
        if (r < 0)
                return error_prefixf(e, r, "image manifest");
        if (!is_index && !d->config)
                return error_setf(e, -ENODATA, "image manifest: 'config' is missing");
        *ret = TAKE_PTR(d);
        return 0;
}

static int check_layer(const OciDescriptor *l, Error *e) {
        if (strstr(l->media_type, "+encrypted"))
                return error_setf(e, -EOPNOTSUPP, "layer %s is encrypted, which is not supported", l->digest);
        if (is_foreign_layer(l->media_type))
                return error_setf(e, -EOPNOTSUPP,
                                  "layer %s is not in the registry but elsewhere (%.100s); foreign layers "
                                  "are not fetched",
                                  l->digest, l->urls && *l->urls ? *l->urls : l->media_type);
        if (!oci_type_is_layer(l->media_type))
                return error_setf(e, -EOPNOTSUPP, "layer %s is of the unknown type '%.100s'", l->digest,
                                  l->media_type);
        return 0;
}

/**
 * oci_document_check_image() - is this a manifest of an image that we can run?
 * @d: manifest or index
 * @e: names the layer by its digest
 *
 * Return: 0; -EBADMSG (an index, no layers), -EOPNOTSUPP (an artifact; a foreign, encrypted or unknown layer), -E2BIG.
 */
int oci_document_check_image(const OciDocument *d, Error *e) {
        if (d->is_index)
                return error_setf(e, -EBADMSG, "an index was found where the manifest of an image must be");
        if (!streq(d->config->media_type, OCI_TYPE_CONFIG) &&
            !streq(d->config->media_type, OCI_TYPE_DOCKER_CONFIG))
                return error_setf(e, -EOPNOTSUPP, "this is no image but an artifact of the type '%.100s'",
                                  d->artifact_type ? d->artifact_type : d->config->media_type);
        if (d->config->size > OCI_DOCUMENT_MAX)
                return error_setf(e, -E2BIG, "the image's config %s has %llu bytes, at most %u are allowed",
                                  d->config->digest, (unsigned long long) d->config->size, OCI_DOCUMENT_MAX);
        if (d->n_layers == 0)
                return error_setf(e, -EBADMSG, "the image has no layers");
        FOREACH_ARRAY (l, d->layers, d->n_layers) {
                int r;

                r = check_layer(l, e);
                if (r < 0)
                        return r;
        }
        return 0;
}
