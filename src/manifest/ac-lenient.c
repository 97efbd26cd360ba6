/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The second, lenient reading of a manifest: names, IDs and labels as they are written, whatever the rest says. */
#include "manifest/ac-lenient.h"

#include "basic/str.h"

static const JsonField image_fields[] = {
        JSON_ROW("name", json_kind_string, LenientImage, name, 0),
        JSON_ROW("id", json_kind_string, LenientImage, id, 0),
        JSON_LIST_ROW("labels", LenientImage, labels, ac_pair_type, 0),
        {},
};

static void image_done(void *p) {
        lenient_image_done(p);
}

static const JsonStruct image_type = {
        .size = sizeof(LenientImage),
        .fields = image_fields,
        .flags = JSON_OPEN | JSON_ANY_CASE,
        .done = image_done,
};

static const JsonField app_fields[] = {
        JSON_ROW("name", json_kind_string, LenientApp, name, 0),
        JSON_STRUCT_ROW("image", LenientApp, image, image_type, 0),
        {},
};

static void app_done(void *p) {
        LenientApp *a = p;

        free(a->name);
        lenient_image_done(&a->image);
}

static const JsonStruct app_type = {
        .size = sizeof(LenientApp),
        .fields = app_fields,
        .flags = JSON_OPEN | JSON_ANY_CASE,
        .done = app_done,
};

static const JsonField pod_fields[] = { JSON_LIST_ROW("apps", LenientPod, apps, app_type, 0), {} };

static void pod_done(void *p) {
        lenient_pod_done(p);
}

static const JsonStruct pod_type = {
        .size = sizeof(LenientPod),
        .fields = pod_fields,
        .flags = JSON_OPEN | JSON_ANY_CASE,
        .done = pod_done,
};

typedef struct Kind {
        char *kind;
} Kind;

static const JsonField kind_fields[] = { JSON_ROW("acKind", json_kind_string, Kind, kind, JSON_MANDATORY),
                                         {} };

/* It must at least be JSON, and say of itself that it is of this kind. */
static int parse(const char *data, size_t size, const char *kind, const JsonStruct *type, void *ret) {
        _cleanup_(json_freep) JsonValue *v = NULL;
        Kind k = {};
        int r = json_parse(data, size, &v, NULL);

        if (r >= 0)
                r = json_map(v, kind_fields, JSON_OPEN | JSON_ANY_CASE, &k, NULL);
        if (r >= 0 && !streq(k.kind, kind))
                r = -EINVAL;
        free(k.kind);
        return r < 0 ? r : json_map_struct(v, type, ret, NULL);
}

/**
 * lenient_image_parse() - what an image manifest calls itself
 * @data: @size bytes
 * @size: bytes
 * @ret:  lenient_image_done() it, also on failure; zeroed before
 *
 * Return: 0; those of json_parse(), -ENODATA, -EINVAL (no image manifest, or wrong types), -ENOMEM.
 */
int lenient_image_parse(const char *data, size_t size, LenientImage *ret) {
        return parse(data, size, "ImageManifest", &image_type, ret);
}

/**
 * lenient_image_done() - free the members
 * @m: may be half-filled
 */
void lenient_image_done(LenientImage *m) {
        free(m->name);
        free(m->id);
        ac_pairs_free(m->labels, m->n_labels);
}

/**
 * lenient_pod_parse() - what a pod manifest calls its apps and their images
 * @data: @size bytes
 * @size: bytes
 * @ret:  lenient_pod_done() it, also on failure; zeroed before
 *
 * Return: 0; those of json_parse(), -ENODATA, -EINVAL (no pod manifest, or wrong types), -ENOMEM.
 */
int lenient_pod_parse(const char *data, size_t size, LenientPod *ret) {
        return parse(data, size, "PodManifest", &pod_type, ret);
}

/**
 * lenient_pod_done() - free the members
 * @m: may be half-filled
 */
void lenient_pod_done(LenientPod *m) {
        json_list_free(&app_type, m->apps, m->n_apps);
}
