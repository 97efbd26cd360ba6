/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The recipe that makes a pod. Images first: nothing is left in the pods' directories when one cannot be got. Then a
 * directory in embryo/, filled and renamed; whatever moment the power goes, gc finds either nothing, or something that it
 * may remove. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "image/image-render.h"
#include "pod/env-file.h"
#include "pod/pod-compose.h"
#include "pod/pod-credentials.h"
#include "pod/pod-gc.h"
#include "pod/pod-prepare.h"
#include "pod/profile.h"
#include "store/store-blob.h"
#include "store/store-ref.h"
#include "store/store-tree.h"

typedef struct Prepare {
        Pods *pods;
        Store *store;
        const PodSpec *spec;
        const PodPrepareOptions *options;
        char **ids;
        ImageManifest **manifests; /* one per app */
        char **manifest_texts;
        char ***trees; /* per app: keys, the weakest first */
        ComposeImage *images;
        char ***environments;
        char **pod_environment;
        int store_lock;
} Prepare;

static void prepare_done(Prepare *x) {
        for (size_t i = 0; i < x->spec->n_apps; i++) {
                if (x->manifests)
                        image_manifest_free(x->manifests[i]);
                if (x->manifest_texts)
                        free(x->manifest_texts[i]);
                if (x->environments)
                        strv_free(x->environments[i]);
                if (x->trees)
                        strv_free(x->trees[i]);
        }
        free(x->manifests);
        free(x->manifest_texts);
        free(x->environments);
        free(x->trees);
        free(x->images);
        strv_free(x->ids);
        strv_free(x->pod_environment);
        (void) fd_close(x->store_lock);
}

/**
 * pod_prepare_images() - have every image of a pod in the store
 * @s:       store, opened for writing
 * @spec:    pod; its Pull= and InsecureOptions= count
 * @options: signature, directories and callbacks of getting; NULL: from the store only
 * @ret_ids: IDs in the order of the apps; free with strv_free()
 * @e:       sentence on failure; may be NULL
 *
 * Return: 0; what image_get() returns.
 */
int pod_prepare_images(Store *s, const PodSpec *spec, const ImageGetOptions *options, char ***ret_ids,
                       Error *e) {
        ImageGetOptions o = options ? *options : (ImageGetOptions){};
        _cleanup_strv_free_ char **ids = NULL;

        o.pull = options ? spec->pull : PULL_NEVER;
        o.insecure = spec->insecure;
        FOREACH_ARRAY (a, spec->apps, spec->n_apps) {
                char *id;
                int r = image_get(s, a->image, &o, &id, e);

                if (r < 0)
                        return error_prefixf(e, r, "app '%s'", a->name);
                if (strv_consume(&ids, id) < 0)
                        return error_oom(e);
        }
        *ret_ids = TAKE_PTR(ids);
        return 0;
}

static int check_supported(const PodSpec *spec, Error *e) {
        _cleanup_free_ char *joined = NULL;

        if (spec->n_apps == 0 && !spec->is_mutable)
                return error_setf(e, -EINVAL, "pod must contain at least one application");
        if (strv_length(spec->unsupported) == 0)
                return 0;
        if (strv_join(spec->unsupported, "\n", &joined) < 0)
                return error_oom(e);
        return error_setf(e, -EOPNOTSUPP, "%s", joined);
}

static int load_image(Prepare *x, size_t n, Error *e) {
        char key[STORE_KEY_MAX];
        size_t size;
        int r = store_key_from_id(x->ids[n], key);

        if (r < 0)
                return error_setf(e, r, "'%s' is no image ID", x->ids[n]);
        r = store_manifest_read(x->store, key, &x->manifest_texts[n], &size, e);
        if (r == -ENOENT)
                return error_setf(e, r, "image '%s' was removed from the store meanwhile; try again", key);
        if (r >= 0)
                r = image_manifest_parse(x->manifest_texts[n], size, &x->manifests[n], e);
        if (r < 0)
                return r;
        r = image_tree_ensure(x->store, key, &x->trees[n], e);
        if (r < 0)
                return error_prefixf(e, r, "image '%s'", x->manifests[n]->name);
        x->images[n].id = x->ids[n];
        x->images[n].manifest = x->manifests[n];
        return 0;
}

static int load_images(Prepare *x, Error *e) {
        size_t n = x->spec->n_apps;
        int r;

        x->manifests = new0(ImageManifest *, n);
        x->manifest_texts = new0(char *, n);
        x->environments = new0(char **, n);
        x->images = new0(ComposeImage, n);
        x->trees = new0(char **, n);
        if (!x->manifests || !x->manifest_texts || !x->environments || !x->images || !x->trees)
                return error_oom(e);
        r = store_lock(x->store, LOCK_MODE_SHARED, 1, &x->store_lock, e);
        if (r >= 0)
                r = env_file_load_all(x->spec->environment_files, &x->pod_environment, e);
        for (size_t i = 0; i < n && r >= 0; i++) {
                r = load_image(x, i, e);
                if (r >= 0)
                        r = env_file_load_all(x->spec->apps[i].environment_files, &x->environments[i], e);
                if (r < 0)
                        return error_prefixf(e, r, "app '%s'", x->spec->apps[i].name);
                x->images[i].environment = x->environments[i];
        }
        return r;
}

static int make_persistent(const char *dir, const VolumeSpec *v, Error *e) {
        _cleanup_free_ char *path = path_join(dir, v->name);
        _cleanup_close_ int fd = -EBADF;

        if (!path)
                return error_oom(e);
        if (mkdir(path, 0700) < 0)
                return errno == EEXIST ? 0
                                       : error_setf(e, -errno, "cannot make %s: %s", path, strerror(errno));
        fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fchown(fd, v->uid < 0 ? 0 : (uid_t) v->uid, v->gid < 0 ? 0 : (gid_t) v->gid) < 0 ||
            fchmod(fd, v->mode < 0 ? 0755U : (mode_t) v->mode) < 0)
                return error_setf(e, -errno, "cannot set mode and owner of %s: %s", path, strerror(errno));
        return 0;
}

/* What an app writes there must not be within reach of the host's users: a file that it made setuid would be root's. */
static int make_private(const char *volumes_dir, const char *dir, Error *e) {
        int r = mkdir_parents_at(AT_FDCWD, dir, 0700);

        if (r >= 0 && (chmod(volumes_dir, 0700) < 0 || chmod(dir, 0700) < 0))
                r = -errno;
        return r < 0 ? error_setf(e, r, "cannot make %s: %s", dir, strerror(-r)) : 0;
}

static int make_persistent_volumes(const Prepare *x, const char *volumes_dir, const char *name, Error *e) {
        _cleanup_free_ char *dir = path_join(volumes_dir, name);
        int r = dir ? 0 : error_oom(e);

        FOREACH_ARRAY (v, x->spec->volumes, x->spec->n_volumes)
                if (r >= 0 && !v->source && v->persistent > 0) {
                        r = make_private(volumes_dir, dir, e);
                        if (r >= 0)
                                r = make_persistent(dir, v, e);
                        if (r < 0)
                                r = error_prefixf(e, r, "volume '%s'", v->name);
                }
        return r;
}

/* appsinfo/APP: what a reader of the pod needs when the image is gone from the store. */
static int write_app_info(const Prepare *x, Pod *p, size_t n, Error *e) {
        const char *app = x->spec->apps[n].name;
        _cleanup_free_ char *dir = strf("appsinfo/%s", app), *manifest = strf("appsinfo/%s/manifest", app),
                            *tree = strf("appsinfo/%s/treeStoreID", app), *keys = NULL;
        const char *text = x->manifest_texts[n];
        int r;

        if (!dir || !manifest || !tree || strv_join(x->trees[n], "\n", &keys) < 0)
                return error_oom(e);
        r = mkdir_parents_at(pod_fd(p), dir, 0755);
        if (r >= 0)
                r = file_write_at(pod_fd(p), manifest, text, strlen(text), 0644, FILE_WRITE_NO_SYNC);
        if (r >= 0)
                r = file_write_at(pod_fd(p), tree, keys, strlen(keys), 0644, FILE_WRITE_NO_SYNC);
        return r < 0 ? error_setf(e, r, "cannot write %s: %s", dir, strerror(-r)) : 0;
}

static int write_uuid_file(const PodPrepareOptions *o, const char *uuid, Error *e) {
        _cleanup_close_ int fd = -EBADF;
        int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, r;

        if (!o->uuid_file)
                return 0;
        if (!startswith(o->uuid_file, "/dev/") &&
            !startswith(o->uuid_file, "/proc/")) /* /dev/stdout is a link */
                flags |= O_NOFOLLOW;
        fd = open(o->uuid_file, flags, 0644);
        r = fd < 0 ? -errno : fd_write_all(fd, uuid, strlen(uuid));
        return r < 0 ? error_setf(e, r, "cannot write the UUID to '%s': %s", o->uuid_file, strerror(-r)) : 0;
}

static void warn_all(const PodPrepareOptions *o, char *const *warnings) {
        for (; o->warning && warnings && *warnings; warnings++)
                o->warning(o->userdata, *warnings);
}

/* With the profiles that the spec names. */
static int compose(const Prepare *x, ComposeOptions *o, PodManifest **ret, char ***ret_warnings, Error *e) {
        UnitSettings profile = {};
        int r = profile_load(PROFILE_DIRS, x->spec->profiles, &profile, e);

        o->profile = &profile;
        if (r >= 0)
                r = pod_compose(x->spec, x->images, o, ret, ret_warnings, e);
        o->profile = NULL;
        unit_settings_done(&profile);
        return r;
}

/* Fills the directory of a new pod. */
static int fill(Prepare *x, Pod *p, Error *e) {
        _cleanup_free_ char *machine = strf("rkt-%s", pod_uuid(p)), *volumes = NULL;
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        _cleanup_strv_free_ char **warnings = NULL;
        ComposeOptions o = { .environment = x->pod_environment, .manifest = x->options->manifest };
        int r;

        volumes = path_join(store_dir(x->store), "volumes");
        if (!machine || !volumes)
                return error_oom(e);
        o.volumes_dir = volumes;
        o.name = x->options->name_from_uuid ? machine : NULL;
        r = compose(x, &o, &m, &warnings, e);
        if (r < 0)
                return r;
        warn_all(x->options, warnings);
        r = make_persistent_volumes(x, volumes, o.name ? o.name : x->spec->name, e);
        for (size_t i = 0; i < x->spec->n_apps && r >= 0; i++)
                r = write_app_info(x, p, i, e);
        if (r >= 0 && x->options->keep_credentials)
                r = pod_credentials_write(p, x->spec, e);
        if (r >= 0)
                r = pod_write_manifest(p, m, e);
        if (r >= 0)
                r = pod_set_name(p, o.name ? o.name : x->spec->name, e);
        return r;
}

static int move_on(Pod *p, PodDirectory to, Error *e) {
        int r = pod_move(p, POD_DIRECTORY_PREPARE, e);

        return r < 0 ? r : pod_move(p, to, e);
}

/* Those that somebody got already, or else those that the spec names. */
static int find_images(Prepare *x, Error *e) {
        const PodPrepareOptions *o = x->options;
        int r = !o->ids ? pod_prepare_images(x->store, x->spec, o->image, &x->ids, e)
                        : (strv_copy(o->ids, &x->ids) < 0 ? error_oom(e) : 0);

        return r < 0 ? r : load_images(x, e);
}

/**
 * pod_prepare() - make a pod of a PodSpec
 * @pods:    all pods
 * @s:       store of the same data directory, opened for writing
 * @spec:    what was asked for
 * @options: how
 * @ret:     the pod, locked, in the directory asked for; free with pod_close()
 * @e:       sentence on failure; may be NULL
 *
 * On failure nothing is left of the pod, but the UUID file and the images that were got stay.
 *
 * Return: 0; -EOPNOTSUPP: something is not supported yet; -EINVAL, -ENODATA: the pod makes no sense with these images;
 * what image_get() returns; errors of the file system.
 */
int pod_prepare(Pods *pods, Store *s, const PodSpec *spec, const PodPrepareOptions *options, Pod **ret,
                Error *e) {
        _cleanup_(prepare_done) Prepare x = {
                .pods = pods,
                .store = s,
                .spec = spec,
                .options = options,
                .store_lock = -EBADF,
        };
        _cleanup_(pod_closep) Pod *p = NULL;
        int r = check_supported(spec, e);

        if (r >= 0)
                r = find_images(&x, e);
        if (r >= 0)
                r = pod_new(pods, &p, e);
        if (r < 0)
                return r;
        r = write_uuid_file(options, pod_uuid(p), e);
        if (r >= 0)
                r = fill(&x, p, e);
        if (r >= 0)
                r = move_on(p, options->to, e);
        if (r < 0) {
                (void) pod_remove(p, &(PodGcOptions){ .expire_prepared_usec = USEC_INFINITY }, NULL);
                return r;
        }
        *ret = TAKE_PTR(p);
        return 0;
}

static int copy_host_volume(const AcVolume *v, AcVolume **ret) {
        AcVolume *copy = new0(AcVolume, 1);

        if (!copy)
                return -ENOMEM;
        *copy = *v;
        copy->mode = NULL;
        copy->name = strdup(v->name);
        copy->source = strdup(v->source);
        *ret = copy;
        return copy->name && copy->source ? 0 : -ENOMEM;
}

/* Volumes of the host are the app's own; what was made for the pod is the pod's. */
static int take_volumes(PodManifest *m, PodManifest *from, PodApp *a, Error *e) {
        FOREACH_ARRAY (mount, a->mounts, a->n_mounts) {
                AcVolume *v = NULL;

                FOREACH_ARRAY (i, from->volumes, from->n_volumes)
                        if (i->name && streq(i->name, mount->volume))
                                v = i;
                if (!v || mount->app_volume)
                        continue;
                if (v->kind == AC_VOLUME_HOST) {
                        if (copy_host_volume(v, &mount->app_volume) < 0)
                                return error_oom(e);
                } else if (pod_manifest_take_volume(m, v) < 0)
                        return error_setf(e, -EEXIST, "duplicate volume name \"%s\"", mount->volume);
        }
        return 0;
}

/**
 * pod_prepare_app() - what pod_prepare() does, for one app more of a pod that runs
 * @p:       pod
 * @s:       store of the same data directory, opened for writing
 * @spec:    one app
 * @options: images and warnings count
 * @m:       the pod's manifest; gets the app at its end, and its volumes; not written
 * @e:       sentence on failure; may be NULL
 *
 * The files of the app in the pod's directory stay when something fails later: pod_app_forget() removes them.
 *
 * Return: 0; -EEXIST: the pod has an app, or a volume, of that name; what pod_prepare() returns.
 */
int pod_prepare_app(Pod *p, Store *s, const PodSpec *spec, const PodPrepareOptions *options, PodManifest *m,
                    Error *e) {
        _cleanup_(prepare_done) Prepare x = {
                .store = s,
                .spec = spec,
                .options = options,
                .store_lock = -EBADF,
        };
        _cleanup_(pod_manifest_freep) PodManifest *one = NULL;
        _cleanup_strv_free_ char **warnings = NULL;
        ComposeOptions o = { .name = "rkt", .volumes_dir = "/" };
        int r = check_supported(spec, e);

        if (r >= 0 && pod_manifest_find_app(m, spec->apps[0].name))
                r = error_setf(e, -EEXIST, "app \"%s\" already exists in pod \"%s\"", spec->apps[0].name,
                               pod_uuid(p));
        if (r >= 0)
                r = find_images(&x, e);
        if (r >= 0)
                r = compose(&x, &o, &one, &warnings, e);
        if (r < 0)
                return r;
        warn_all(options, warnings);
        r = write_app_info(&x, p, 0, e);
        if (r >= 0)
                r = take_volumes(m, one, &one->apps[0], e);
        if (r >= 0)
                r = pod_manifest_take_app(m, &one->apps[0]) < 0 ? error_oom(e) : 0;
        return r;
}
