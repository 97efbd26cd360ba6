/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads the config of an image. */
#include "oci/oci-config.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "oci/oci-digest.h"
#include "oci/oci-document.h"

/* {"NAME": {}, ...}: Go's way to write a set */
static int set_names(const JsonField *f, const JsonValue *v, void *p, Error *e) {
        _cleanup_strv_free_ char **names = new0(char *, json_length(v) + 1);
        size_t n = 0;

        if (!names)
                return error_oom(e);
        JSON_FOREACH (m, v) {
                int r = json_type(m) == JSON_NULL ? 0 : json_expect(m, JSON_OBJECT, e);

                if (r < 0)
                        return r;
                names[n] = strdup(json_key(m));
                if (!names[n++])
                        return error_oom(e);
        }
        strv_sort(names);
        memcpy(p, &names, sizeof(void *));
        names = NULL;
        return 0;
}

static const JsonKind kind_names = { .type = JSON_OBJECT, .set = set_names };

static int set_raw(const JsonField *f, const JsonValue *v, void *p, Error *e) {
        char *text;

        if (json_value_to_string(v, &text) < 0)
                return error_oom(e);
        memcpy(p, &text, sizeof(void *));
        return 0;
}

static const JsonKind kind_raw = { .type = JSON_OBJECT, .set = set_raw };

static const JsonField run_fields[] = {
        JSON_ROW("User", json_kind_string, OciConfig, user, 0),
        JSON_ROW("ExposedPorts", kind_names, OciConfig, exposed_ports, 0),
        JSON_ROW("Env", json_kind_strv, OciConfig, environment, 0),
        JSON_ROW("Entrypoint", json_kind_strv, OciConfig, entrypoint, 0),
        JSON_ROW("Cmd", json_kind_strv, OciConfig, cmd, 0),
        JSON_ROW("Volumes", kind_names, OciConfig, volumes, 0),
        JSON_ROW("WorkingDir", json_kind_string, OciConfig, working_directory, 0),
        AC_MAP_ROW("Labels", OciConfig, labels),
        JSON_ROW("StopSignal", json_kind_string, OciConfig, stop_signal, 0),
        JSON_ROW("Healthcheck", kind_raw, OciConfig, healthcheck, 0),
        {},
};

/* The members of "config" and of "rootfs" are members of OciConfig. */
static int set_run(const JsonField *f, const JsonValue *v, void *p, Error *e) {
        return json_map(v, run_fields, JSON_OPEN, p, e);
}

static const JsonKind kind_run = { .type = JSON_OBJECT, .set = set_run };

typedef struct RootFs {
        char *type;
        char **diff_ids;
} RootFs;

static const JsonField rootfs_fields[] = {
        JSON_ROW("type", json_kind_string, RootFs, type, JSON_MANDATORY),
        JSON_ROW("diff_ids", json_kind_strv, RootFs, diff_ids, JSON_MANDATORY),
        {},
};

static int set_rootfs(const JsonField *f, const JsonValue *v, void *p, Error *e) {
        RootFs root = {};
        OciConfig *c = p;
        int r;

        r = json_map(v, rootfs_fields, JSON_OPEN, &root, e);
        if (r >= 0 && !streq(root.type, "layers"))
                r = error_setf(e, -EOPNOTSUPP, "the type '%.50s' is not supported, only 'layers'", root.type);
        for (char **d = root.diff_ids; r >= 0 && *d; d++)
                r = oci_digest_parse(*d, NULL, NULL, e);
        if (r >= 0)
                c->diff_ids = TAKE_PTR(root.diff_ids);
        free(root.type);
        (void) strv_free(root.diff_ids);
        return r;
}

static const JsonKind kind_rootfs = { .type = JSON_OBJECT, .set = set_rootfs };

static void config_done(void *p) {
        OciConfig *c = p;

        free(c->created);
        free(c->author);
        oci_platform_done(&c->platform);
        free(c->user);
        (void) strv_free(c->exposed_ports);
        (void) strv_free(c->environment);
        (void) strv_free(c->entrypoint);
        (void) strv_free(c->cmd);
        (void) strv_free(c->volumes);
        free(c->working_directory);
        ac_pairs_free(c->labels, c->n_labels);
        free(c->stop_signal);
        free(c->healthcheck);
        (void) strv_free(c->diff_ids);
}

static int at_most(const char *what, size_t n, size_t max, Error *e) {
        if (n > max)
                return error_setf(e, -E2BIG, "%zu %s, at most %zu are allowed", n, what, max);
        return 0;
}

static int config_check(void *p, Error *e) {
        OciConfig *c = p;
        int r;

        r = at_most("variables", strv_length(c->environment), OCI_ENVIRONMENT_MAX, e);
        if (r >= 0)
                r = at_most("labels", c->n_labels, OCI_ENVIRONMENT_MAX, e);
        if (r >= 0)
                r = at_most("ports", strv_length(c->exposed_ports), OCI_PORTS_MAX, e);
        if (r >= 0)
                r = at_most("volumes", strv_length(c->volumes), OCI_PORTS_MAX, e);
        if (r >= 0)
                r = at_most("layers", strv_length(c->diff_ids), OCI_LAYERS_MAX, e);
        if (r >= 0)
                r = at_most("bytes of Healthcheck", strlen(str_or(c->healthcheck, "")), OCI_TEXT_MAX, e);
        if (r >= 0 && strv_length(c->diff_ids) == 0)
                r = error_setf(e, -EBADMSG, "rootfs: the image has no layers");
        return r;
}

static const JsonField config_fields[] = {
        JSON_ROW("created", json_kind_string, OciConfig, created, 0),
        JSON_ROW("author", json_kind_string, OciConfig, author, 0),
        JSON_ROW("os", json_kind_string, OciConfig, platform.os, 0),
        JSON_ROW("architecture", json_kind_string, OciConfig, platform.architecture, 0),
        JSON_ROW("variant", json_kind_string, OciConfig, platform.variant, 0),
        { "config", &kind_run, 0, 0, NULL },
        { "rootfs", &kind_rootfs, 0, JSON_MANDATORY, NULL },
        {},
};

static const JsonStruct config_type = {
        .size = sizeof(OciConfig),
        .fields = config_fields,
        .flags = JSON_OPEN,
        .done = config_done,
        .check = config_check,
};

/**
 * oci_config_free() - free a config
 * @c: may be NULL or half-filled
 *
 * Return: NULL.
 */
OciConfig *oci_config_free(OciConfig *c) {
        json_list_free(&config_type, c, c ? 1 : 0);
        return NULL;
}

/**
 * oci_config_parse() - read the config of an image
 * @data: @size bytes; their digest is checked by the caller
 * @size: bytes
 * @ret:  oci_config_free() it
 * @e:    names the member and the byte
 *
 * Return: 0; those of json_parse() and json_map(); -EOPNOTSUPP (rootfs, algorithm of a digest), -EBADMSG (no layers), -E2BIG.
 */
int oci_config_parse(const char *data, size_t size, OciConfig **ret, Error *e) {
        _cleanup_(oci_config_freep) OciConfig *c = NULL;
        _cleanup_(json_freep) JsonValue *v = NULL;
        int r;

        r = json_parse(data, size, &v, e);
        if (r < 0)
                return error_prefixf(e, r, "image config");
        c = new0(OciConfig, 1);
        if (!c)
                return error_oom(e);
        r = json_map_struct(v, &config_type, c, e);
        if (r < 0)
                return error_prefixf(e, r, "image config");
        *ret = TAKE_PTR(c);
        return 0;
}

/**
 * oci_config_check_layers() - does the config speak of the layers of the manifest?
 * @c:        config
 * @n_layers: how many the manifest has
 * @e:        says both numbers
 *
 * Return: 0, -EBADMSG.
 */
int oci_config_check_layers(const OciConfig *c, size_t n_layers, Error *e) {
        if (strv_length(c->diff_ids) != n_layers)
                return error_setf(e, -EBADMSG,
                                  "the manifest has %zu layers, but the image's config has %zu diff_ids",
                                  n_layers, strv_length(c->diff_ids));
        return 0;
}

/**
 * oci_config_check_platform() - is the image for this machine?
 * @c:        config
 * @platform: wanted
 * @e:        says what it is for
 *
 * An image that does not say passes, as with Docker.
 *
 * Return: 0, -ENOEXEC.
 */
int oci_config_check_platform(const OciConfig *c, const OciPlatform *platform, Error *e) {
        _cleanup_free_ char *is = NULL, *wanted = NULL;
        bool os = !c->platform.os || streq(c->platform.os, platform->os);
        bool architecture =
                !c->platform.architecture || streq(c->platform.architecture, platform->architecture);

        if (os && architecture)
                return 0;
        if (oci_platform_to_string(&c->platform, &is) < 0 || oci_platform_to_string(platform, &wanted) < 0)
                return error_oom(e);
        return error_setf(e, -ENOEXEC, "the image is for %s, not for %s", is, wanted);
}
