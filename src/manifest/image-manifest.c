/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Image manifests, both directions. */
#include <string.h>

#include "basic/alloc.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "manifest/image-manifest.h"

static const JsonField dependency_fields[] = {
        JSON_ROW("imageName", ac_kind_identifier, AcDependency, image_name, JSON_MANDATORY),
        JSON_ROW("imageID", ac_kind_image_id, AcDependency, image_id, 0),
        JSON_LIST_ROW("labels", AcDependency, labels, ac_pair_type, 0),
        JSON_ROW("size", json_kind_uint64, AcDependency, size, 0),
        {},
};

static void dependency_init(void *p) {
        ((AcDependency *) p)->size = UINT64_MAX;
}

static void dependency_done(void *p) {
        AcDependency *d = p;

        free(d->image_name);
        free(d->image_id);
        ac_pairs_free(d->labels, d->n_labels);
}

static int dependency_check(void *p, Error *e) {
        AcDependency *d = p;

        return ac_labels_check(d->labels, d->n_labels, e);
}

static const JsonStruct dependency_type = {
        .size = sizeof(AcDependency),
        .fields = dependency_fields,
        .flags = JSON_OPEN | JSON_ANY_CASE,
        .init = dependency_init,
        .done = dependency_done,
        .check = dependency_check,
};

static const JsonField image_fields[] = {
        JSON_ROW("acKind", json_kind_string, ImageManifest, ac_kind, JSON_MANDATORY),
        JSON_ROW("acVersion", ac_kind_version, ImageManifest, ac_version, JSON_MANDATORY),
        JSON_ROW("name", ac_kind_identifier, ImageManifest, name, JSON_MANDATORY),
        JSON_LIST_ROW("labels", ImageManifest, labels, ac_pair_type, 0),
        JSON_POINTER_ROW("app", ImageManifest, app, ac_app_type, 0),
        JSON_LIST_ROW("dependencies", ImageManifest, dependencies, dependency_type, 0),
        JSON_ROW("pathWhitelist", json_kind_strv, ImageManifest, path_whitelist, 0),
        JSON_LIST_ROW("annotations", ImageManifest, annotations, ac_pair_type, 0),
        {},
};

static void image_done(void *p) {
        ImageManifest *m = p;

        free(m->ac_kind);
        free(m->ac_version);
        free(m->name);
        ac_pairs_free(m->labels, m->n_labels);
        (void) ac_app_free(m->app);
        json_list_free(&dependency_type, m->dependencies, m->n_dependencies);
        (void) strv_free(m->path_whitelist);
        ac_pairs_free(m->annotations, m->n_annotations);
}

static int image_check(void *p, Error *e) {
        return image_manifest_check(p, e);
}

static const JsonStruct image_type = {
        .size = sizeof(ImageManifest),
        .fields = image_fields,
        .flags = JSON_OPEN | JSON_ANY_CASE,
        .done = image_done,
        .check = image_check,
};

/**
 * image_manifest_new() - the smallest valid manifest
 * @name: AC Identifier, copied
 * @ret:  image_manifest_free() it
 *
 * Return: 0, -EINVAL (name), -ENOMEM.
 */
int image_manifest_new(const char *name, ImageManifest **ret) {
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL;

        if (!ac_identifier_is_valid(name))
                return -EINVAL;
        m = new0(ImageManifest, 1);
        if (!m)
                return -ENOMEM;
        m->ac_kind = strdup("ImageManifest");
        m->ac_version = strdup(AC_VERSION);
        m->name = strdup(name);
        if (!m->ac_kind || !m->ac_version || !m->name)
                return -ENOMEM;
        *ret = TAKE_PTR(m);
        return 0;
}

/**
 * image_manifest_free() - free a manifest
 * @m: may be NULL or half-filled
 *
 * Return: NULL.
 */
ImageManifest *image_manifest_free(ImageManifest *m) {
        json_list_free(&image_type, m, m ? 1 : 0);
        return NULL;
}

/**
 * image_manifest_parse() - read a manifest
 * @data: @size bytes, from an image
 * @size: bytes
 * @ret:  image_manifest_free() it
 * @e:    names the member and the byte
 *
 * Return: 0; those of json_parse(); -ENODATA (member missing), -EINVAL, -ERANGE, -ENOTUNIQ (names).
 */
int image_manifest_parse(const char *data, size_t size, ImageManifest **ret, Error *e) {
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL;
        _cleanup_(json_freep) JsonValue *v = NULL;
        int r;

        r = json_parse(data, size, &v, e);
        if (r < 0)
                return error_prefixf(e, r, "image manifest");
        m = new0(ImageManifest, 1);
        if (!m)
                return error_oom(e);
        r = json_map_struct(v, &image_type, m, e);
        if (r < 0)
                return error_prefixf(e, r, "image manifest");
        *ret = TAKE_PTR(m);
        return 0;
}

/**
 * image_manifest_check() - check what the members' own rows do not
 * @m: filled
 * @e: says what is wrong
 *
 * Return: 0, -EINVAL, -ENOTUNIQ (labels, annotations), -ENOMEM.
 */
int image_manifest_check(ImageManifest *m, Error *e) {
        int r;

        if (!streq(m->ac_kind, "ImageManifest"))
                return error_setf(e, -EINVAL, "acKind is '%.50s', not 'ImageManifest'", m->ac_kind);
        r = ac_labels_check(m->labels, m->n_labels, e);
        if (r < 0)
                return error_prefixf(e, r, "labels");
        r = ac_annotations_check(m->annotations, m->n_annotations, e);
        return r < 0 ? error_prefixf(e, r, "annotations") : 0;
}

/**
 * image_manifest_flatten() - forget what stands for files of other images
 * @m: manifest
 *
 * For one whose root has been put together: neither dependencies nor a whitelist are left.
 */
void image_manifest_flatten(ImageManifest *m) {
        json_list_free(&dependency_type, m->dependencies, m->n_dependencies);
        m->dependencies = NULL;
        m->n_dependencies = 0;
        m->path_whitelist = strv_free(m->path_whitelist);
}

/**
 * image_manifest_to_string() - write a manifest
 * @m:   valid
 * @ret: compact JSON; the caller frees it
 *
 * Return: 0, -ENOMEM.
 */
int image_manifest_to_string(const ImageManifest *m, char **ret) {
        _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;

        json_write_struct(&w, &image_type, m);
        return json_writer_steal(&w, ret);
}

/**
 * image_manifest_label() - a label by name
 * @m:    manifest
 * @name: as "version"
 *
 * Return: NULL if there is none.
 */
const char *image_manifest_label(const ImageManifest *m, const char *name) {
        return ac_pairs_get(m->labels, m->n_labels, name);
}

/**
 * image_manifest_annotation() - an annotation by name
 * @m:    manifest
 * @name: as "created"
 *
 * Return: NULL if there is none.
 */
const char *image_manifest_annotation(const ImageManifest *m, const char *name) {
        return ac_pairs_get(m->annotations, m->n_annotations, name);
}
