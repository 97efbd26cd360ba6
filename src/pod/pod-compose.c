/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was asked for and what the images say become what will run. An app's "app" object is always written out in full: the
 * pod manifest stands for itself, whatever becomes of the image's. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/alloc.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "pod/app-check.h"
#include "pod/pod-compose.h"
#include "pod/pod-docker.h"
#include "pod/pod-health.h"
#include "pod/pod-network.h"
#include "pod/pod-sysctl.h"
#include "podfile/pod-credential.h"
#include "podfile/users-check.h"

#define IMAGE_ANNOTATION_NOTIFY "appc.io/executor/supports-systemd-notify"

typedef struct Compose {
        const PodSpec *spec;
        const ComposeOptions *options;
        PodManifest *m;
        char **warnings;
} Compose;

static int set_strv(char ***p, char *const *v) {
        char **copy;
        int r = strv_copy(v, &copy);

        if (r < 0)
                return r;
        strv_free(*p);
        *p = copy;
        return 0;
}

static int append_strv(char ***p, char *const *v) {
        int r = 0;

        for (; v && *v && r >= 0; v++)
                r = strv_extend(p, *v);
        return r;
}

/* Entrypoint= and Exec= replace what the image runs, Args= are added; of an image of Docker's they replace its CMD. */
/* Exec= and Args= stand for docker's CMD; of an ACI, Exec= is all. */
static int set_exec(AcApp *app, const ImageManifest *im, const AppSpec *s, Error *e) {
        _cleanup_strv_free_ char **exec = NULL;
        int r;

        if (s->entrypoint)
                r = append_strv(&exec, s->entrypoint);
        else if ((s->exec || s->has_args) && docker_is_image(im)) {
                r = docker_entrypoint(im, &exec, e);
                if (r < 0)
                        return r;
        } else
                r = s->exec ? 0 : append_strv(&exec, app->exec);
        if (r >= 0)
                r = append_strv(&exec, s->exec);
        if (r >= 0)
                r = append_strv(&exec, s->args);
        if (r >= 0)
                r = set_strv(&app->exec, exec);
        if (r < 0)
                return error_oom(e);
        if (strv_length(app->exec) == 0 || !*app->exec[0])
                return error_setf(e, -ENODATA,
                                  "image '%s' does not say what to run: give it with Exec=", s->image);
        return 0;
}

static int set_variables(AcApp *app, char *const *environment) {
        int r = 0;

        for (; environment && *environment && r >= 0; environment++) {
                const char *eq = strchr(*environment, '=');
                _cleanup_free_ char *name = eq ? strndup(*environment, (size_t) (eq - *environment)) : NULL;

                if (!name)
                        return eq ? -ENOMEM : -EINVAL;
                r = ac_pairs_set(&app->environment, &app->n_environment, name, eq + 1);
        }
        return r;
}

static int set_app(const Compose *c, AcApp *app, const AppSpec *s, const ComposeImage *image, Error *e) {
        int r = set_exec(app, image->manifest, s, e);

        if (r >= 0)
                r = app_check_isolators(app, e);
        if (r >= 0)
                r = app_check_settings(&s->settings, e);
        if (r >= 0 && c->options->profile)
                r = app_check_settings(c->options->profile, e);
        if (r < 0)
                return r;
        r = set_variables(app, c->spec->environment);
        if (r >= 0)
                r = set_variables(app, c->options->environment);
        if (r >= 0)
                r = set_variables(app, s->environment);
        if (r >= 0)
                r = set_variables(app, image->environment);
        if (r >= 0 && s->user)
                r = str_replace(&app->user, s->user);
        if (r >= 0 && s->group)
                r = str_replace(&app->group, s->group);
        if (r >= 0 && !app->user)
                r = str_replace(&app->user, "0");
        if (r >= 0 && !app->group)
                r = str_replace(&app->group, "0");
        if (r >= 0 && s->working_directory)
                r = str_replace(&app->working_directory, s->working_directory);
        return r < 0 ? error_oom(e) : 0;
}

static int set_list(PodApp *a, const char *annotation, char *const *names) {
        _cleanup_free_ char *joined = NULL;
        int r;

        if (!names || !*names)
                return 0;
        r = strv_join(names, " ", &joined);
        return r < 0 ? r : pod_app_set_annotation(a, annotation, joined);
}

static int set_lines(PodApp *a, const char *annotation, char *const *lines) {
        _cleanup_free_ char *joined = NULL;
        int r = lines && *lines ? strv_join(lines, "\n", &joined) : 0;

        return r < 0 || !joined ? r : pod_app_set_annotation(a, annotation, joined);
}

static bool has_setting(const AppSpec *s, const char *key) {
        return unit_settings_last(&s->settings, key) != NULL;
}

static void add_stream(StrBuf *b, const AppSpec *s, const char *key, const char *value) {
        if (value && !has_setting(s, key))
                strbuf_addf(b, "%s=%s\n", key, value);
}

/* An image says that its app tells when it is ready, which may take as long as whoever waits for the pod allows. */
static void add_notify(StrBuf *b, const ImageManifest *im, const AppSpec *s) {
        if (!streq_ptr(image_manifest_annotation(im, IMAGE_ANNOTATION_NOTIFY), "true") ||
            has_setting(s, "Type"))
                return;
        strbuf_add(b, "Type=notify\n");
        if (!has_setting(s, "TimeoutStartSec"))
                strbuf_add(b, "TimeoutStartSec=infinity\n");
}

/* Keys that go into the app's unit as they are. */
static int set_unit(PodApp *a, const ImageManifest *im, const AppSpec *s) {
        _cleanup_(strbuf_done) StrBuf b = STRBUF_INIT;
        _cleanup_free_ char *text = NULL;
        int r;

        add_stream(&b, s, "StandardInput", s->standard_input);
        add_stream(&b, s, "StandardOutput", s->standard_output);
        add_stream(&b, s, "StandardError", s->standard_error);
        docker_add_settings(&b, im, s);
        add_notify(&b, im, s);
        FOREACH_ARRAY (u, s->settings.items, s->settings.n)
                strbuf_addf(&b, "%s=%s\n", u->key, u->value);
        r = strbuf_steal(&b, &text);
        return r < 0 || !*text ? r : pod_app_set_annotation(a, APP_ANNOTATION_UNIT, text);
}

static int set_profile(const Compose *c, PodApp *a) {
        const UnitSettings *profile = c->options->profile;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        _cleanup_free_ char *text = NULL;
        int r;

        if (!profile || profile->n == 0)
                return 0;
        FOREACH_ARRAY (u, profile->items, profile->n)
                strbuf_addf(&b, "%s=%s\n", u->key, u->value);
        r = strbuf_steal(&b, &text);
        return r < 0 ? r : pod_app_set_annotation(a, APP_ANNOTATION_PROFILE, text);
}

static int set_sockets(const Compose *c, PodApp *a) {
        _cleanup_(strbuf_done) StrBuf b = STRBUF_INIT;
        _cleanup_free_ char *text = NULL;
        int r;

        FOREACH_ARRAY (s, c->spec->sockets, c->spec->n_sockets) {
                if (!streq_ptr(s->app, a->name))
                        continue;
                strbuf_addf(&b, "[%s]\n", str_or(s->name, ""));
                if (s->proxy)
                        strbuf_addf(&b, "Proxy=%s\n", s->proxy);
                if (s->idle_exit)
                        strbuf_addf(&b, "IdleExit=%s\n", s->idle_exit);
                FOREACH_ARRAY (u, s->settings.items, s->settings.n)
                        strbuf_addf(&b, "%s=%s\n", u->key, u->value);
        }
        r = strbuf_steal(&b, &text);
        return r < 0 || !*text ? r : pod_app_set_annotation(a, APP_ANNOTATION_SOCKETS, text);
}

static int set_pairs(char *const *assignments, AcPair **pairs, size_t *n) {
        int r = 0;

        for (; assignments && *assignments && r >= 0; assignments++) {
                const char *eq = strchr(*assignments, '=');
                _cleanup_free_ char *name = eq ? strndup(*assignments, (size_t) (eq - *assignments)) : NULL;

                if (!name)
                        return -ENOMEM;
                r = ac_pairs_set(pairs, n, name, eq + 1);
        }
        return r;
}

/* Their names; what they are is nobody's business. */
static int set_credentials(PodApp *a, const AppSpec *s) {
        _cleanup_strv_free_ char **names = NULL;
        int r = 0;

        FOREACH_ARRAY (c, s->credentials.items, s->credentials.n) {
                char *id = pod_credential_id(c);

                if (id)
                        r = strv_consume(&names, id);
                if (r < 0)
                        return r;
        }
        return set_list(a, APP_ANNOTATION_CREDENTIALS, names);
}

static int annotate_app(const Compose *c, PodApp *a, const ImageManifest *im, const AppSpec *s, Error *e) {
        int r = set_pairs(s->annotations, &a->annotations, &a->n_annotations);

        if (r >= 0)
                r = docker_annotate(a, im, s);
        if (r >= 0 && !(c->options->manifest && pod_app_annotation(a, APP_ANNOTATION_UNIT)))
                r = set_unit(a, im, s);
        if (r >= 0)
                r = set_profile(c, a);
        if (r >= 0)
                r = set_sockets(c, a);
        if (r >= 0)
                r = set_credentials(a, s);
        if (r >= 0 && (s->user || s->group) && a->app->n_event_handlers > 0)
                r = pod_app_set_annotation(a, APP_ANNOTATION_HANDLERS, "user");
        if (r >= 0)
                r = set_list(a, APP_ANNOTATION_AFTER, s->after);
        if (r >= 0)
                r = set_list(a, APP_ANNOTATION_BEFORE, s->before);
        if (r >= 0)
                r = set_list(a, APP_ANNOTATION_REQUIRES, s->requires);
        if (r >= 0)
                r = set_list(a, APP_ANNOTATION_WANTS, s->wants);
        if (r >= 0)
                r = set_list(a, APP_ANNOTATION_BINDS_TO, s->binds_to);
        if (r >= 0)
                r = set_list(a, APP_ANNOTATION_GROUPS, s->supplementary_groups);
        if (r >= 0)
                r = set_list(a, APP_ANNOTATION_DEVICES, s->devices);
        if (r >= 0)
                r = set_lines(a, APP_ANNOTATION_TMPFS, s->tmpfs);
        if (r >= 0 && s->shm_size)
                r = pod_app_set_annotation(a, APP_ANNOTATION_SHM_SIZE, s->shm_size);
        return r < 0 ? error_oom(e) : 0;
}

/* "dir" and "/dir/" are the same place. */
static bool same_path(const char *a, const char *b) {
        for (;;) {
                a += strspn(a, "/");
                b += strspn(b, "/");
                if (!*a || !*b)
                        return !*a && !*b;
                if (strcspn(a, "/") != strcspn(b, "/") || strncmp(a, b, strcspn(a, "/")) != 0)
                        return false;
                a += strcspn(a, "/");
                b += strcspn(b, "/");
        }
}

static bool is_mounted(const PodApp *a, const char *path) {
        FOREACH_ARRAY (m, a->mounts, a->n_mounts)
                if (same_path(m->path, path))
                        return true;
        return false;
}

static int copy_volume(const AcVolume *v, AcVolume **ret) {
        AcVolume *copy = new0(AcVolume, 1);

        if (!copy)
                return -ENOMEM;
        *copy = *v;
        copy->name = strdup(v->name);
        copy->source = v->source ? strdup(v->source) : NULL;
        copy->mode = v->mode ? strdup(v->mode) : NULL;
        if (!copy->name || (v->source && !copy->source) || (v->mode && !copy->mode)) {
                ac_volume_done(copy);
                free(copy);
                return -ENOMEM;
        }
        *ret = copy;
        return 0;
}

/* An empty volume that nobody described. */
static int add_empty_volume(PodManifest *m, const char *name, AcVolume **ret) {
        AcVolume *v;
        int r = pod_manifest_add_volume(m, name, &v);

        if (r < 0)
                return r;
        v->kind = AC_VOLUME_EMPTY;
        v->uid = v->gid = 0;
        r = str_replace(&v->mode, "0755");
        if (r >= 0 && ret)
                *ret = v;
        return r;
}

/* What the image has there is in the volume, too. */
static int add_copy_up(PodApp *a, const char *volume) {
        const char *before = pod_app_annotation(a, APP_ANNOTATION_COPY_UP);
        _cleanup_free_ char *all = strf("%s%s%s", str_or(before, ""), before ? " " : "", volume);

        return all ? pod_app_set_annotation(a, APP_ANNOTATION_COPY_UP, all) : -ENOMEM;
}

/* CopyUp= says so of the pod's own volumes; without it they are filled for an image of Docker's, as Docker and podman do,
 * unless whose they are is said, too. */
static bool is_filled(const PodApp *a, const VolumeSpec *v) {
        if (v->source || v->copy_up >= 0)
                return v->copy_up > 0;
        return pod_app_annotation(a, APP_ANNOTATION_DOCKER) && v->mode < 0 && v->uid < 0 && v->gid < 0;
}

static int mount_volume(const Compose *c, PodApp *a, const char *volume, const char *target) {
        const VolumeSpec *v = pod_spec_find_volume(c->spec, volume);
        int r = pod_app_add_mount(a, volume, target);

        return r >= 0 && v && is_filled(a, v) ? add_copy_up(a, volume) : r;
}

/* Volume= of an app: a later one for the same place replaces the earlier. */
static int add_mount(Compose *c, PodApp *a, const MountSpec *s) {
        int r = 0;

        if (!pod_manifest_find_volume(c->m, s->volume))
                r = add_empty_volume(c->m, s->volume, NULL);
        if (r < 0 || is_mounted(a, s->target))
                return r;
        r = mount_volume(c, a, s->volume, s->target);
        if (r >= 0 && s->read_only > 0) {
                PodMount *mount = &a->mounts[a->n_mounts - 1];

                r = copy_volume(pod_manifest_find_volume(c->m, s->volume), &mount->app_volume);
                if (r >= 0)
                        mount->app_volume->read_only = 1;
        }
        return r;
}

static bool is_kernel_directory(const char *path) {
        return same_path(path, "/dev") || same_path(path, "/proc") || same_path(path, "/sys");
}

/* Mount points of the image: by the volume of that name, else by an empty one of their own. */
static int add_mount_point(Compose *c, PodApp *a, const AcMountPoint *p) {
        _cleanup_free_ char *name = NULL;
        int r;

        if (is_mounted(a, p->path))
                return 0;
        if (is_kernel_directory(p->path) && !pod_manifest_find_volume(c->m, p->name))
                return strv_extendf(
                        &c->warnings,
                        "no volume specified for mount point \"%s\": %s is the kernel's, as in all apps",
                        p->name, p->path);
        if (pod_manifest_find_volume(c->m, p->name))
                return mount_volume(c, a, p->name, p->path);
        name = strf("%s-%s", a->name, p->name);
        if (!name)
                return -ENOMEM;
        r = pod_manifest_find_volume(c->m, name) ? 0 : add_empty_volume(c->m, name, NULL);
        if (r >= 0)
                r = pod_app_add_mount(a, name, p->path);
        if (r >= 0 && pod_app_annotation(a, APP_ANNOTATION_DOCKER))
                r = add_copy_up(a, name);
        if (r >= 0)
                r = strv_extendf(&c->warnings,
                                 "no volume specified for mount point \"%s\", implicitly creating an "
                                 "\"empty\" volume. "
                                 "This volume will be removed when the pod is garbage-collected.",
                                 p->name);
        return r;
}

static int add_mounts(Compose *c, PodApp *a, const AppSpec *s, Error *e) {
        int r = 0;

        for (size_t i = s->n_mounts; i > 0 && r >= 0; i--)
                r = add_mount(c, a, &s->mounts[i - 1]);
        /* back into the order written: what lies deeper may come later */
        for (size_t i = 0, j = s->n_mounts > 0 ? a->n_mounts : 0; i + 1 < j; i++) {
                PodMount swap = a->mounts[i];

                j--;
                a->mounts[i] = a->mounts[j];
                a->mounts[j] = swap;
        }
        for (size_t i = 0; i < a->app->n_mount_points && r >= 0; i++)
                r = add_mount_point(c, a, &a->app->mount_points[i]);
        return r < 0 ? error_oom(e) : 0;
}

/* A new one, unless the manifest was given. */
static int find_app(Compose *c, const AppSpec *s, PodApp **ret) {
        int r;

        if (c->options->manifest) {
                *ret = pod_manifest_find_app(c->m, s->name);
                return *ret ? 0 : -EINVAL;
        }
        r = pod_manifest_add_app(c->m, s->name, ret);
        if (r >= 0)
                (*ret)->read_only_root = s->read_only > 0;
        return r;
}

/* Who may say so is told from who may not, here, where both have spoken. */
static int annotate_users(PodApp *a, const AppSpec *s, bool is_given) {
        bool above = users_is_above(s->user) || users_is_above(s->group);

        if (is_given) {
                above = above || users_is_above(a->app->user) || users_is_above(a->app->group);
                for (size_t i = 0; i < a->app->n_supplementary_gids; i++)
                        above = above || a->app->supplementary_gids[i] >= USERS_END;
        }
        return above ? pod_app_set_annotation(a, APP_ANNOTATION_USERS, "given") : 0;
}

static int add_app(Compose *c, const AppSpec *s, const ComposeImage *image, Error *e) {
        const ImageManifest *im = image->manifest;
        bool is_given;
        PodApp *a;
        int r;

        if (app_name_is_reserved(s->name))
                return error_setf(e, -EINVAL,
                                  "a unit or a user of the pod itself has this name: choose another "
                                  "(--name=, or [App NAME] in a pod file)");
        r = find_app(c, s, &a);
        if (r < 0)
                return error_oom(e);
        r = str_replace(&a->image.id, image->id);
        if (r >= 0)
                r = str_replace(&a->image.name, im->name);
        if (r >= 0) {
                ac_pairs_free(a->image.labels, a->image.n_labels);
                a->image.labels = NULL;
                a->image.n_labels = 0;
                r = ac_pairs_copy(im->labels, im->n_labels, &a->image.labels, &a->image.n_labels);
        }
        if (r < 0)
                return error_oom(e);
        is_given = a->app;
        r = is_given ? 0 : im->app ? ac_app_copy(im->app, &a->app, e) : ac_app_new(&a->app);
        if (r < 0)
                return error_prefixf(e, r, "image '%s'", im->name);
        r = set_app(c, a->app, s, image, e);
        if (r >= 0)
                r = annotate_app(c, a, im, s, e);
        if (r >= 0 && annotate_users(a, s, is_given) < 0)
                r = error_oom(e);
        if (r >= 0 && !c->options->manifest)
                r = pod_health_annotate(a, im, s, &c->warnings, e);
        if (r >= 0 &&
            (set_pairs(s->user_annotations, &a->app->user_annotations, &a->app->n_user_annotations) < 0 ||
             set_pairs(s->user_labels, &a->app->user_labels, &a->app->n_user_labels) < 0))
                r = error_oom(e);
        if (r >= 0 && app_ignored_isolators(a->app, a->name, &c->warnings) < 0)
                r = error_oom(e);
        return r < 0 ? r : add_mounts(c, a, s, e);
}

/* Persistent= makes a host volume of our own directory; pod_prepare() makes the directory. */
static int add_volume(Compose *c, const VolumeSpec *s, Error *e) {
        const char *pod = c->options->name ? c->options->name : c->spec->name;
        AcVolume *v;
        int r = pod_manifest_add_volume(c->m, s->name, &v);

        if (r < 0)
                return error_oom(e);
        v->read_only = s->read_only;
        if (s->source || s->persistent > 0) {
                v->kind = AC_VOLUME_HOST;
                v->recursive = s->recursive;
                v->source = s->source ? strdup(s->source)
                                      : strf("%s/%s/%s", c->options->volumes_dir, pod, s->name);
                return v->source ? 0 : error_oom(e);
        }
        v->kind = AC_VOLUME_EMPTY;
        v->mode = strf("%04o", s->mode < 0 ? 0755U : (unsigned) s->mode);
        v->uid = s->uid < 0 ? 0 : s->uid;
        v->gid = s->gid < 0 ? 0 : s->gid;
        return v->mode ? 0 : error_oom(e);
}

/* What appc has no word for. */
static int annotate_volumes(const Compose *c) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        _cleanup_free_ char *text = NULL;
        int r;

        FOREACH_ARRAY (v, c->spec->volumes, c->spec->n_volumes)
                STRV_FOREACH (o, v->options)
                        if (o == v->options)
                                strbuf_addf(&b, "%s%s:%s", b.size > 0 ? " " : "", v->name, *o);
                        else
                                strbuf_addf(&b, ",%s", *o);
        r = strbuf_steal(&b, &text);
        return r < 0 || !text || !*text ? r : pod_manifest_set_annotation(c->m, POD_ANNOTATION_VOLUMES, text);
}

static int annotate_pod(const Compose *c, Error *e) {
        const PodSpec *s = c->spec;
        const char *name = c->options->name ? c->options->name : s->name;
        _cleanup_free_ char *insecure = NULL;
        int r = set_pairs(s->annotations, &c->m->annotations, &c->m->n_annotations);

        if (r >= 0)
                r = set_pairs(s->labels, &c->m->user_labels, &c->m->n_user_labels);
        if (r >= 0)
                r = set_pairs(s->user_annotations, &c->m->user_annotations, &c->m->n_user_annotations);
        if (r >= 0 && s->is_mutable)
                r = pod_manifest_set_annotation(c->m, POD_ANNOTATION_MUTABLE, "true");
        if (r >= 0)
                r = pod_manifest_set_annotation(c->m, POD_ANNOTATION_NAME, name);
        if (r >= 0 && (s->source || pod_manifest_annotation(c->m, POD_ANNOTATION_FILE)))
                r = pod_manifest_set_annotation(c->m, POD_ANNOTATION_FILE, str_or(s->source, ""));
        if (r >= 0 && s->hostname)
                r = pod_manifest_set_annotation(c->m, POD_ANNOTATION_HOSTNAME, s->hostname);
        if (r >= 0)
                r = pod_add_network(s, c->m);
        if (r >= 0 && s->exit_policy != POD_EXIT_ON_FAILURE)
                r = pod_manifest_set_annotation(c->m, POD_ANNOTATION_EXIT_POLICY,
                                                pod_exit_policy_to_string(s->exit_policy));
        if (r >= 0 && s->log != POD_LOG_BOTH)
                r = pod_manifest_set_annotation(c->m, POD_ANNOTATION_LOG, pod_log_mode_to_string(s->log));
        if (r >= 0 && s->host_ipc)
                r = pod_manifest_set_annotation(c->m, POD_ANNOTATION_IPC, "parent");
        if (r >= 0 && s->metadata > 0)
                r = pod_manifest_set_annotation(c->m, POD_ANNOTATION_METADATA, "yes");
        if (r >= 0 && s->private_users && !streq(s->private_users, USERS_NO))
                r = pod_manifest_set_annotation(c->m, POD_ANNOTATION_PRIVATE_USERS, s->private_users);
        if (r >= 0)
                r = annotate_volumes(c);
        if (r >= 0 && !s->overlay)
                r = pod_manifest_set_annotation(c->m, POD_ANNOTATION_OVERLAY, "no");
        if (r >= 0 && s->insecure != INSECURE_NONE) {
                r = insecure_flags_to_string(s->insecure, &insecure);
                if (r >= 0)
                        r = pod_manifest_set_annotation(c->m, POD_ANNOTATION_INSECURE, insecure);
        }
        return r < 0 ? error_oom(e) : 0;
}

/* A copy of the manifest that was given; every mount must have its volume. */
static int start_manifest(const Compose *c, PodManifest **ret, Error *e) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        _cleanup_free_ char *text = NULL;
        int r;

        if (!c->options->manifest)
                return pod_manifest_new(ret) < 0 ? error_oom(e) : 0;
        if (pod_manifest_to_string(c->options->manifest, &text) < 0)
                return error_oom(e);
        r = pod_manifest_parse(text, strlen(text), &m, e);
        if (r < 0)
                return r;
        for (size_t i = 0; i < m->n_apps; i++)
                FOREACH_ARRAY (p, m->apps[i].mounts, m->apps[i].n_mounts)
                        if (!p->app_volume && !pod_manifest_find_volume(m, p->volume))
                                return error_setf(e, -ENOENT,
                                                  "dangling mount point \"%s\": volume \"%s\" not found",
                                                  p->path, p->volume);
        *ret = TAKE_PTR(m);
        return 0;
}

/* What will be written must be what can be read, or the pod could never run: each member by its own rules. */
static int check_members(const PodManifest *m, Error *e) {
        _cleanup_(pod_manifest_freep) PodManifest *read = NULL;
        _cleanup_free_ char *text = NULL;

        if (pod_manifest_to_string(m, &text) < 0)
                return error_oom(e);
        return pod_manifest_parse(text, strlen(text), &read, e);
}

/**
 * pod_manifest_is_mutable() - is this a pod whose apps come and go?
 * @m: manifest
 *
 * Return: true for the pods of "rkt app sandbox".
 */
bool pod_manifest_is_mutable(const PodManifest *m) {
        return streq_ptr(pod_manifest_annotation(m, POD_ANNOTATION_MUTABLE), "true");
}

/**
 * pod_compose() - the pod manifest of a PodSpec
 * @spec:         what was asked for; nothing "unsupported" in it
 * @images:       one per app of @spec, in its order
 * @o:            where persistent volumes are, and the machine's name
 * @ret:          free with pod_manifest_free()
 * @ret_warnings: sentences for people; free with strv_free(); may be NULL
 * @e:            sentence on failure; may be NULL
 *
 * Return: 0; -ENODATA: nothing to run; -EINVAL: an app's name is reserved; -ENOENT: a given manifest mounts what it does not have; what pod_manifest_check() and pod_manifest_parse() return; -ENOMEM.
 */
int pod_compose(const PodSpec *spec, const ComposeImage *images, const ComposeOptions *o, PodManifest **ret,
                char ***ret_warnings, Error *e) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        _cleanup_strv_free_ char **warnings = NULL;
        Compose c = { .spec = spec, .options = o };
        int r = start_manifest(&c, &m, e);

        if (r < 0)
                return r;
        c.m = m;
        r = annotate_pod(&c, e);
        for (size_t i = 0; i < spec->n_volumes && r >= 0; i++)
                r = add_volume(&c, &spec->volumes[i], e);
        for (size_t i = 0; i < spec->n_apps && r >= 0; i++) {
                r = add_app(&c, &spec->apps[i], &images[i], e);
                if (r < 0)
                        r = error_prefixf(e, r, "app '%s'", spec->apps[i].name);
        }
        if (r >= 0 && pod_ignored_isolators(m, &c.warnings) < 0)
                r = error_oom(e);
        warnings = c.warnings;
        if (r >= 0)
                r = pod_add_sysctls(spec, m, e);
        if (r >= 0)
                r = pod_check_ports(m, e);
        if (r >= 0)
                r = pod_manifest_check(m, e);
        if (r >= 0)
                r = check_members(m, e);
        if (r < 0)
                return r;
        if (ret_warnings)
                *ret_warnings = TAKE_PTR(warnings);
        *ret = TAKE_PTR(m);
        return 0;
}
