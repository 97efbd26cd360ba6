/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The other direction of oci-convert.c: the app of an appc image becomes the config of an OCI image. What the standard has no
 * member for (isolators, event handlers, supplementary groups, names of ports and mount points) stays behind. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "basic/json-write.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "oci/oci-config.h"
#include "oci/oci-write.h"

static void write_unless_empty(JsonWriter *w, const char *key, const char *value) {
        if (!value || !*value)
                return;
        json_write_key(w, key);
        json_write_string(w, value);
}

static void write_list(JsonWriter *w, const char *key, char *const *list) {
        if (strv_length(list) == 0)
                return;
        json_write_key(w, key);
        json_write_begin_array(w);
        for (char *const *s = list; *s; s++)
                json_write_string(w, *s);
        json_write_end_array(w);
}

/* {"NAME": {}, ...}, sorted, each once */
static void write_set(JsonWriter *w, const char *key, char **names) {
        const char *last = NULL;

        if (strv_length(names) == 0)
                return;
        strv_sort(names);
        json_write_key(w, key);
        json_write_begin_object(w);
        STRV_FOREACH (s, names) {
                if (last && streq(last, *s))
                        continue;
                last = *s;
                json_write_key(w, *s);
                json_write_begin_object(w);
                json_write_end_object(w);
        }
        json_write_end_object(w);
}

/* "0:0" is what a config without a user means. */
static int write_user(JsonWriter *w, const AcApp *a, Error *e) {
        _cleanup_free_ char *user = NULL;

        if (*str_or(a->user, "") == '/' || *str_or(a->group, "") == '/')
                return error_setf(
                        e, -EOPNOTSUPP,
                        "the app runs as the owner of a file (user '%.100s', group '%.100s'), which "
                        "an OCI image cannot say",
                        str_or(a->user, ""), str_or(a->group, ""));
        user = strf("%s:%s", str_or(a->user, "0"), str_or(a->group, "0"));
        if (!user)
                return error_oom(e);
        if (!streq(user, "0:0"))
                write_unless_empty(w, "User", user);
        return 0;
}

static int add_ports(const AcPort *p, char ***ports) {
        const char *dash = p->count > 1 ? "-" : "";
        char last[24] = "";

        if (p->count > 1)
                (void) snprintf(last, sizeof(last), "%" PRIu64, p->port + p->count - 1);
        return strv_extendf(ports, "%" PRIu64 "%s%s/%s", p->port, dash, last, p->protocol);
}

static int write_sets(JsonWriter *w, const AcApp *a, Error *e) {
        _cleanup_strv_free_ char **ports = NULL, **volumes = NULL;
        int r = 0;

        FOREACH_ARRAY (p, a->ports, a->n_ports)
                RET_GATHER(r, add_ports(p, &ports));
        FOREACH_ARRAY (m, a->mount_points, a->n_mount_points)
                RET_GATHER(r, strv_extend(&volumes, m->path));
        if (r < 0)
                return error_oom(e);
        write_set(w, "ExposedPorts", ports);
        write_set(w, "Volumes", volumes);
        return 0;
}

static void write_environment(JsonWriter *w, const AcApp *a) {
        _cleanup_free_ char *variable = NULL;

        if (a->n_environment == 0)
                return;
        json_write_key(w, "Env");
        json_write_begin_array(w);
        FOREACH_ARRAY (v, a->environment, a->n_environment) {
                free(variable);
                variable = strf("%s=%s", v->name, v->value);
                if (variable)
                        json_write_string(w, variable);
                else
                        w->buffer.failed = true;
        }
        json_write_end_array(w);
}

static int write_app(JsonWriter *w, const ImageManifest *m, Error *e) {
        const AcApp *a = m->app;
        int r;

        r = write_user(w, a, e);
        if (r >= 0)
                r = write_sets(w, a, e);
        if (r < 0)
                return r;
        write_environment(w, a);
        write_list(w, "Entrypoint", a->exec);
        if (a->n_user_labels > 0) {
                json_write_key(w, "Labels");
                json_write_begin_object(w);
                FOREACH_ARRAY (l, a->user_labels, a->n_user_labels) {
                        json_write_key(w, l->name);
                        json_write_string(w, l->value);
                }
                json_write_end_object(w);
        }
        write_unless_empty(w, "WorkingDir", a->working_directory);
        write_unless_empty(w, "StopSignal", image_manifest_annotation(m, OCI_ANNOTATION_STOP_SIGNAL));
        return 0;
}

static int write_platform(JsonWriter *w, const ImageManifest *m, Error *e) {
        const char *os = str_or(image_manifest_label(m, "os"), "linux"),
                   *arch = image_manifest_label(m, "arch");
        const char *go = NULL, *variant = NULL;
        OciPlatform host = {};

        if (arch && ac_arch_to_go(os, arch, &go, &variant) < 0)
                return error_setf(e, -EOPNOTSUPP, "the image is for %.50s/%.50s, which OCI has no word for",
                                  os, arch);
        if (!arch && oci_platform_host(&host) < 0)
                return error_oom(e);
        write_unless_empty(w, "architecture", go ? go : host.architecture);
        write_unless_empty(w, "variant", variant);
        write_unless_empty(w, "os", os);
        oci_platform_done(&host);
        return 0;
}

/**
 * oci_config_write() - the config of an image that is an ACI
 * @m:        its manifest
 * @diff_ids: of its layers, lowest first
 * @ret:      JSON; free()
 * @e:        says what cannot be said; may be NULL
 *
 * An image that does not say for which machine it is becomes one for this.
 *
 * Return: 0, -EOPNOTSUPP, -ENOMEM.
 */
int oci_config_write(const ImageManifest *m, char *const *diff_ids, char **ret, Error *e) {
        _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;
        int r;

        json_write_begin_object(&w);
        write_unless_empty(&w, "created", image_manifest_annotation(m, "created"));
        write_unless_empty(
                &w, "author",
                str_or(image_manifest_annotation(m, "author"), image_manifest_annotation(m, "authors")));
        r = write_platform(&w, m, e);
        if (r < 0)
                return r;
        json_write_key(&w, "config");
        json_write_begin_object(&w);
        r = m->app ? write_app(&w, m, e) : 0;
        if (r < 0)
                return r;
        json_write_end_object(&w);
        json_write_key(&w, "rootfs");
        json_write_begin_object(&w);
        write_unless_empty(&w, "type", "layers");
        write_list(&w, "diff_ids", diff_ids);
        json_write_end_object(&w);
        json_write_end_object(&w);
        return json_writer_steal(&w, ret) < 0 ? error_oom(e) : 0;
}
