/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pod manifests, both directions. */
#include <arpa/inet.h>
#include <string.h>

#include "basic/alloc.h"
#include "basic/str.h"
#include "manifest/pod-manifest.h"

static const JsonField pod_image_fields[] = {
        JSON_ROW("name", ac_kind_identifier, PodImage, name, 0),
        JSON_ROW("id", ac_kind_image_id, PodImage, id, 0),
        JSON_LIST_ROW("labels", PodImage, labels, ac_pair_type, 0),
        {},
};

static void pod_image_done(void *p) {
        PodImage *i = p;

        free(i->name);
        free(i->id);
        ac_pairs_free(i->labels, i->n_labels);
}

static int pod_image_check(void *p, Error *e) {
        PodImage *i = p;

        return ac_labels_check(i->labels, i->n_labels, e);
}

static const JsonStruct pod_image_type = {
        .size = sizeof(PodImage),
        .fields = pod_image_fields,
        .flags = JSON_OPEN | JSON_ANY_CASE,
        .done = pod_image_done,
        .check = pod_image_check,
};

static const JsonField pod_mount_fields[] = {
        JSON_ROW("volume", ac_kind_name, PodMount, volume, JSON_MANDATORY),
        JSON_ROW("path", ac_kind_path, PodMount, path, JSON_MANDATORY),
        JSON_POINTER_ROW("appVolume", PodMount, app_volume, ac_volume_type, 0),
        {},
};

static void pod_mount_done(void *p) {
        PodMount *m = p;

        free(m->volume);
        free(m->path);
        json_list_free(&ac_volume_type, m->app_volume, m->app_volume ? 1 : 0);
}

static const JsonStruct pod_mount_type = {
        .size = sizeof(PodMount),
        .fields = pod_mount_fields,
        .flags = JSON_OPEN | JSON_ANY_CASE,
        .done = pod_mount_done,
};

static const JsonField pod_app_fields[] = {
        JSON_ROW("name", ac_kind_name, PodApp, name, JSON_MANDATORY),
        { "image", &json_kind_struct, offsetof(PodApp, image), JSON_MANDATORY, &pod_image_type },
        JSON_POINTER_ROW("app", PodApp, app, ac_app_type, 0),
        JSON_ROW("readOnlyRootFS", json_kind_boolean, PodApp, read_only_root, 0),
        JSON_LIST_ROW("mounts", PodApp, mounts, pod_mount_type, 0),
        JSON_LIST_ROW("annotations", PodApp, annotations, ac_pair_type, 0),
        {},
};

static void pod_app_done(void *p) {
        PodApp *a = p;

        free(a->name);
        pod_image_done(&a->image);
        (void) ac_app_free(a->app);
        json_list_free(&pod_mount_type, a->mounts, a->n_mounts);
        ac_pairs_free(a->annotations, a->n_annotations);
}

static int pod_app_check(void *p, Error *e) {
        PodApp *a = p;
        int r;

        if (strlen(a->name) > AC_APP_NAME_MAX)
                return error_setf(e, -EINVAL, "app name '%.20s...' is longer than %u bytes", a->name,
                                  AC_APP_NAME_MAX);
        r = ac_annotations_check(a->annotations, a->n_annotations, e);
        return r < 0 ? error_prefixf(e, r, "app '%s': annotations", a->name) : 0;
}

static const JsonStruct pod_app_type = {
        .size = sizeof(PodApp),
        .fields = pod_app_fields,
        .flags = JSON_OPEN | JSON_ANY_CASE,
        .done = pod_app_done,
        .check = pod_app_check,
};

static const JsonField pod_port_fields[] = {
        JSON_ROW("name", ac_kind_name, PodPort, name, JSON_MANDATORY),
        JSON_ROW("hostPort", json_kind_uint64, PodPort, host_port, 0),
        JSON_ROW("hostIP", json_kind_string, PodPort, host_ip, 0),
        JSON_POINTER_ROW("podPort", PodPort, pod_port, ac_port_type, 0),
        {},
};

static void pod_port_done(void *p) {
        PodPort *port = p;

        free(port->name);
        free(port->host_ip);
        json_list_free(&ac_port_type, port->pod_port, port->pod_port ? 1 : 0);
}

static int pod_port_check(void *p, Error *e) {
        PodPort *port = p;
        unsigned char address[sizeof(struct in6_addr)];

        if (port->host_port > 65535)
                return error_setf(e, -ERANGE, "host port %llu is above 65535",
                                  (unsigned long long) port->host_port);
        if (port->host_ip && *port->host_ip && inet_pton(AF_INET, port->host_ip, address) != 1 &&
            inet_pton(AF_INET6, port->host_ip, address) != 1)
                return error_setf(e, -EINVAL, "host IP '%.100s' is no address", port->host_ip);
        return 0;
}

static const JsonStruct pod_port_type = {
        .size = sizeof(PodPort),
        .fields = pod_port_fields,
        .flags = JSON_OPEN | JSON_ANY_CASE,
        .done = pod_port_done,
        .check = pod_port_check,
};

static const JsonField pod_fields[] = {
        JSON_ROW("acVersion", ac_kind_version, PodManifest, ac_version, JSON_MANDATORY),
        JSON_ROW("acKind", json_kind_string, PodManifest, ac_kind, JSON_MANDATORY),
        JSON_LIST_ROW("apps", PodManifest, apps, pod_app_type, JSON_ALWAYS),
        JSON_LIST_ROW("volumes", PodManifest, volumes, ac_volume_type, JSON_ALWAYS),
        JSON_LIST_ROW("isolators", PodManifest, isolators, ac_isolator_struct, JSON_ALWAYS),
        JSON_LIST_ROW("annotations", PodManifest, annotations, ac_pair_type, JSON_ALWAYS),
        JSON_LIST_ROW("ports", PodManifest, ports, pod_port_type, JSON_ALWAYS),
        AC_MAP_ROW("userAnnotations", PodManifest, user_annotations),
        AC_MAP_ROW("userLabels", PodManifest, user_labels),
        {},
};

static void pod_done(void *p) {
        PodManifest *m = p;

        free(m->ac_version);
        free(m->ac_kind);
        json_list_free(&pod_app_type, m->apps, m->n_apps);
        json_list_free(&ac_volume_type, m->volumes, m->n_volumes);
        json_list_free(&ac_isolator_struct, m->isolators, m->n_isolators);
        ac_pairs_free(m->annotations, m->n_annotations);
        json_list_free(&pod_port_type, m->ports, m->n_ports);
        ac_pairs_free(m->user_annotations, m->n_user_annotations);
        ac_pairs_free(m->user_labels, m->n_user_labels);
}

static int pod_check(void *p, Error *e) {
        return pod_manifest_check(p, e);
}

static const JsonStruct pod_type = {
        .size = sizeof(PodManifest),
        .fields = pod_fields,
        .flags = JSON_OPEN | JSON_ANY_CASE,
        .done = pod_done,
        .check = pod_check,
};

/**
 * pod_manifest_new() - a manifest without apps
 * @ret: pod_manifest_free() it
 *
 * Return: 0, -ENOMEM.
 */
int pod_manifest_new(PodManifest **ret) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;

        m = new0(PodManifest, 1);
        if (!m)
                return -ENOMEM;
        m->ac_kind = strdup("PodManifest");
        m->ac_version = strdup(AC_VERSION);
        if (!m->ac_kind || !m->ac_version)
                return -ENOMEM;
        *ret = TAKE_PTR(m);
        return 0;
}

/**
 * pod_manifest_free() - free a manifest
 * @m: may be NULL or half-filled
 *
 * Return: NULL.
 */
PodManifest *pod_manifest_free(PodManifest *m) {
        json_list_free(&pod_type, m, m ? 1 : 0);
        return NULL;
}

/**
 * pod_manifest_parse() - read a manifest
 * @data: @size bytes, from a user or a pod's directory
 * @size: bytes
 * @ret:  pod_manifest_free() it
 * @e:    names the member and the byte
 *
 * A template passes: images without ID, mount points without volumes. Those who prepare a pod fill them in.
 *
 * Return: 0; those of json_parse(); -ENODATA (member missing), -EINVAL, -ERANGE, -ENOTUNIQ (names).
 */
int pod_manifest_parse(const char *data, size_t size, PodManifest **ret, Error *e) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        _cleanup_(json_freep) JsonValue *v = NULL;
        int r;

        r = json_parse(data, size, &v, e);
        if (r < 0)
                return error_prefixf(e, r, "pod manifest");
        m = new0(PodManifest, 1);
        if (!m)
                return error_oom(e);
        r = json_map_struct(v, &pod_type, m, e);
        if (r < 0)
                return error_prefixf(e, r, "pod manifest");
        *ret = TAKE_PTR(m);
        return 0;
}

static int check_names(const PodManifest *m, Error *e) {
        _cleanup_free_ AcPair *names = NULL;
        const char *name = NULL;
        int r;

        names = new0(AcPair, MAX(m->n_apps, m->n_volumes));
        if (!names)
                return error_oom(e);
        for (size_t i = 0; i < m->n_apps; i++)
                names[i].name = m->apps[i].name;
        r = ac_pairs_find_duplicate(names, m->n_apps, &name);
        if (r > 0)
                return error_setf(e, -ENOTUNIQ, "second app '%s'", name);
        if (r < 0)
                return error_oom(e);
        for (size_t i = 0; i < m->n_volumes; i++)
                names[i].name = m->volumes[i].name;
        r = ac_pairs_find_duplicate(names, m->n_volumes, &name);
        if (r > 0)
                return error_setf(e, -ENOTUNIQ, "second volume '%s'", name);
        return r < 0 ? error_oom(e) : 0;
}

/**
 * pod_manifest_check() - check what the members' own rows do not
 * @m: filled
 * @e: says what is wrong
 *
 * Return: 0, -EINVAL, -ENOTUNIQ (apps, volumes, annotations), -ENOMEM.
 */
int pod_manifest_check(PodManifest *m, Error *e) {
        int r;

        if (!streq(m->ac_kind, "PodManifest"))
                return error_setf(e, -EINVAL, "acKind is '%.50s', not 'PodManifest'", m->ac_kind);
        r = check_names(m, e);
        if (r < 0)
                return r;
        r = ac_annotations_check(m->annotations, m->n_annotations, e);
        return r < 0 ? error_prefixf(e, r, "annotations") : 0;
}

/**
 * pod_manifest_to_string() - write a manifest
 * @m:   valid
 * @ret: compact JSON; the caller frees it
 *
 * Return: 0, -ENOMEM.
 */
int pod_manifest_to_string(const PodManifest *m, char **ret) {
        _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;

        json_write_struct(&w, &pod_type, m);
        return json_writer_steal(&w, ret);
}

/**
 * pod_manifest_add_app() - add an app at the end
 * @m:    manifest; pointers to its apps become invalid
 * @name: copied
 * @ret:  the app, owned by @m; only its name is set
 *
 * Return: 0, -EINVAL (no AC Name, or too long), -EEXIST, -ENOMEM.
 */
int pod_manifest_add_app(PodManifest *m, const char *name, PodApp **ret) {
        char *copy;

        if (!ac_name_is_valid(name) || strlen(name) > AC_APP_NAME_MAX)
                return -EINVAL;
        if (pod_manifest_find_app(m, name))
                return -EEXIST;
        if (!GREEDY_GROW(m->apps, m->n_apps))
                return -ENOMEM;
        copy = strdup(name);
        if (!copy)
                return -ENOMEM;
        m->apps[m->n_apps] = (PodApp){ .name = copy };
        *ret = &m->apps[m->n_apps++];
        return 0;
}

/**
 * pod_manifest_take_app() - add an app of another manifest at the end
 * @m: manifest; pointers to its apps become invalid
 * @a: the app; only a husk of it is left
 *
 * Return: 0, -EEXIST, -ENOMEM.
 */
int pod_manifest_take_app(PodManifest *m, PodApp *a) {
        if (pod_manifest_find_app(m, a->name))
                return -EEXIST;
        if (!GREEDY_GROW(m->apps, m->n_apps))
                return -ENOMEM;
        m->apps[m->n_apps++] = *a;
        *a = (PodApp){};
        return 0;
}

/**
 * pod_manifest_remove_app() - take an app out
 * @m:    manifest; pointers to its apps become invalid
 * @name: AC Name; nothing happens if there is none of that name
 */
void pod_manifest_remove_app(PodManifest *m, const char *name) {
        PodApp *a = pod_manifest_find_app(m, name);
        size_t rest;

        if (!a)
                return;
        pod_app_done(a);
        rest = m->n_apps - (size_t) (a - m->apps) - 1;
        memmove(a, a + 1, rest * sizeof(*a));
        m->n_apps--;
}

/**
 * pod_manifest_take_volume() - add a volume of another manifest at the end
 * @m: manifest; pointers to its volumes become invalid
 * @v: the volume; only a husk of it is left
 *
 * Return: 0, -EEXIST, -ENOMEM.
 */
int pod_manifest_take_volume(PodManifest *m, AcVolume *v) {
        if (pod_manifest_find_volume(m, v->name))
                return -EEXIST;
        if (!GREEDY_GROW(m->volumes, m->n_volumes))
                return -ENOMEM;
        m->volumes[m->n_volumes++] = *v;
        *v = AC_VOLUME_INIT;
        return 0;
}

static bool is_used(const PodManifest *m, const char *volume) {
        FOREACH_ARRAY (a, m->apps, m->n_apps)
                FOREACH_ARRAY (mount, a->mounts, a->n_mounts)
                        if (!mount->app_volume && streq(mount->volume, volume))
                                return true;
        return false;
}

/**
 * pod_manifest_remove_unused_volumes() - take out the volumes that no app mounts
 * @m: manifest; pointers to its volumes become invalid
 */
void pod_manifest_remove_unused_volumes(PodManifest *m) {
        size_t n = 0;

        for (size_t i = 0; i < m->n_volumes; i++)
                if (is_used(m, m->volumes[i].name))
                        m->volumes[n++] = m->volumes[i];
                else
                        ac_volume_done(&m->volumes[i]);
        m->n_volumes = n;
}

/**
 * pod_manifest_add_volume() - add a volume at the end
 * @m:    manifest; pointers to its volumes become invalid
 * @name: copied
 * @ret:  the volume, owned by @m; kind is to be set, then ac_volume_check()
 *
 * Return: 0, -EINVAL (no AC Name), -EEXIST, -ENOMEM.
 */
int pod_manifest_add_volume(PodManifest *m, const char *name, AcVolume **ret) {
        char *copy;

        if (!ac_name_is_valid(name))
                return -EINVAL;
        if (pod_manifest_find_volume(m, name))
                return -EEXIST;
        if (!GREEDY_GROW(m->volumes, m->n_volumes))
                return -ENOMEM;
        copy = strdup(name);
        if (!copy)
                return -ENOMEM;
        m->volumes[m->n_volumes] = AC_VOLUME_INIT;
        m->volumes[m->n_volumes].name = copy;
        *ret = &m->volumes[m->n_volumes++];
        return 0;
}

/**
 * pod_app_add_mount() - mount a volume of the pod in an app
 * @a:      app
 * @volume: AC Name, copied
 * @path:   absolute, copied
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int pod_app_add_mount(PodApp *a, const char *volume, const char *path) {
        PodMount m = {};

        if (!ac_name_is_valid(volume) || !ac_path_is_valid(path))
                return -EINVAL;
        m = (PodMount){ .volume = strdup(volume), .path = strdup(path) };
        if (!m.volume || !m.path || !GREEDY_GROW(a->mounts, a->n_mounts)) {
                pod_mount_done(&m);
                return -ENOMEM;
        }
        a->mounts[a->n_mounts++] = m;
        return 0;
}

/**
 * pod_manifest_find_app() - an app by name
 * @m:    manifest
 * @name: AC Name
 *
 * Return: NULL if there is none.
 */
PodApp *pod_manifest_find_app(const PodManifest *m, const char *name) {
        FOREACH_ARRAY (a, m->apps, m->n_apps)
                if (streq(a->name, name))
                        return a;
        return NULL;
}

/**
 * pod_manifest_find_volume() - a volume by name
 * @m:    manifest
 * @name: AC Name
 *
 * Return: NULL if there is none.
 */
const AcVolume *pod_manifest_find_volume(const PodManifest *m, const char *name) {
        FOREACH_ARRAY (v, m->volumes, m->n_volumes)
                if (streq(v->name, name))
                        return v;
        return NULL;
}

/**
 * pod_manifest_annotation() - an annotation of the pod
 * @m:    manifest
 * @name: as "rkt.systemd/exit-policy"
 *
 * Return: NULL if there is none.
 */
const char *pod_manifest_annotation(const PodManifest *m, const char *name) {
        return ac_pairs_get(m->annotations, m->n_annotations, name);
}

/**
 * pod_manifest_set_annotation() - set an annotation of the pod
 * @m:     manifest
 * @name:  AC Identifier, copied
 * @value: copied
 *
 * Return: 0, -EINVAL (name), -ENOMEM.
 */
int pod_manifest_set_annotation(PodManifest *m, const char *name, const char *value) {
        if (!ac_identifier_is_valid(name))
                return -EINVAL;
        return ac_pairs_set(&m->annotations, &m->n_annotations, name, value);
}

/**
 * pod_manifest_clear_ports() - publish no ports
 * @m: manifest
 */
void pod_manifest_clear_ports(PodManifest *m) {
        json_list_free(&pod_port_type, m->ports, m->n_ports);
        m->ports = NULL;
        m->n_ports = 0;
}

/**
 * pod_manifest_remove_port() - do not publish a port
 * @m:    manifest
 * @name: of the port
 */
void pod_manifest_remove_port(PodManifest *m, const char *name) {
        size_t n = 0;

        for (size_t i = 0; i < m->n_ports; i++)
                if (streq(m->ports[i].name, name))
                        pod_port_done(&m->ports[i]);
                else
                        m->ports[n++] = m->ports[i];
        m->n_ports = n;
}

/**
 * pod_app_annotation() - an annotation of an app
 * @a:    app
 * @name: as "rkt.systemd/unit"
 *
 * Return: NULL if there is none.
 */
const char *pod_app_annotation(const PodApp *a, const char *name) {
        return ac_pairs_get(a->annotations, a->n_annotations, name);
}

/**
 * pod_app_set_annotation() - set an annotation of an app
 * @a:     app
 * @name:  AC Identifier, copied
 * @value: copied
 *
 * Return: 0, -EINVAL (name), -ENOMEM.
 */
int pod_app_set_annotation(PodApp *a, const char *name, const char *value) {
        if (!ac_identifier_is_valid(name))
                return -EINVAL;
        return ac_pairs_set(&a->annotations, &a->n_annotations, name, value);
}
