/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The recipe. What a reference means decides where to look; the pull policy decides whether the store is enough. */
#include "image/image-get.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "image/image-dependencies.h"
#include "image/image-fetch.h"
#include "image/image-oci.h"
#include "image/image-render.h"
#include "image/import-aci.h"
#include "image/oci-remote.h"
#include "store/store-blob.h"

#define GET_ATTEMPTS 3

#define SYSTEM_CONFIG "/usr/lib/rkt"
#define LOCAL_CONFIG  "/etc/rkt"

/**
 * image_find() - look in the store only
 * @store:     a store
 * @reference: an ID or its beginning, or a name with labels
 * @ret:       for store_image_done()
 * @e:         sentence on failure; may be NULL
 *
 * Return: 0, -ENOENT, -ENOTUNIQ, -EINVAL, -ENOMEM.
 */
int image_find(Store *store, const char *reference, StoreImage *ret, Error *e) {
        _cleanup_(image_name_freep) ImageName *name = NULL;
        int r;

        r = image_name_parse(reference, &name, e);
        if (r < 0)
                return r;
        r = image_find_name(store, name, ret, e);
        if (r == -ENOENT && name->type != IMAGE_NAME_ID)
                return error_setf(e, r, "no image named \"%s\" is in the store", reference);
        return r;
}

static int find_id(Store *store, const char *id, StoreImage *ret, Error *e) {
        char key[STORE_KEY_MAX];
        int r;

        r = store_key_find(store, id, key, e);
        if (r == -ENOENT)
                return error_setf(e, r, "no image IDs found: none in the store begins with \"%s\"", id);
        if (r == -ENOTUNIQ)
                return error_prefixf(e, r, "ambiguous image ID");
        if (r < 0)
                return r;
        return store_image_load(store, key, ret, e);
}

/**
 * image_find_name() - look in the store only, by a parsed reference
 * @store: a store
 * @name:  IMAGE_NAME_ID, IMAGE_NAME_APPC; IMAGE_NAME_URL, IMAGE_NAME_DOCKER, IMAGE_NAME_OCI (what that gave last)
 * @ret:   for store_image_done()
 * @e:     sentence on failure; may be NULL
 *
 * Return: 0, -ENOENT, -ENOTUNIQ, -EINVAL (another type), -ENOMEM.
 */
int image_find_name(Store *store, const ImageName *name, StoreImage *ret, Error *e) {
        _cleanup_(store_remote_done) StoreRemote remote = STORE_REMOTE_INIT;
        _cleanup_free_ StoreLabel *labels = NULL;
        int r;

        switch (name->type) {
        case IMAGE_NAME_ID: return find_id(store, name->text, ret, e);
        case IMAGE_NAME_URL:
        case IMAGE_NAME_DOCKER:
        case IMAGE_NAME_OCI:
                r = store_remote_load(store, name->text, &remote, e);
                return r < 0 ? r : store_image_load(store, remote.key, ret, e);
        case IMAGE_NAME_APPC:
                labels = new0(StoreLabel, name->n_labels);
                if (!labels)
                        return error_oom(e);
                for (size_t i = 0; i < name->n_labels; i++)
                        labels[i] = (StoreLabel){ name->labels[i].name, name->labels[i].value };
                return store_image_find(store, name->text, labels, name->n_labels, ret, e);
        default:
                return error_setf(e, -EINVAL, "\"%s\" is neither the name nor the ID of an image",
                                  name->text);
        }
}

/* From the store, when the policy is content with that. 0: not there. */
static int try_store(const ImageFetch *f, const ImageName *name, const char *reference, char **ret_id,
                     Error *e) {
        _cleanup_(store_image_done) StoreImage image = STORE_IMAGE_INIT;
        const ImageGetOptions *o = f->options;
        int r;

        r = image_find_name(f->store, name, &image, e);
        if (r == -ENOENT && name->type != IMAGE_NAME_ID) {
                error_done(e);
                return 0;
        }
        if (r < 0)
                return r;
        if (name->type == IMAGE_NAME_DOCKER) {
                r = image_oci_check_stored(f, name, &image, e);
                if (r == -EKEYREJECTED && o->pull != PULL_NEVER) {
                        error_done(e);
                        return 0;
                }
                if (r < 0)
                        return error_prefixf(e, r, "image '%s' in the store", reference);
        }
        if (name->type == IMAGE_NAME_URL)
                image_message(o, "using image from local store for url %s", reference);
        else
                image_message(o, "using image from local store for image %s %s",
                              name->type == IMAGE_NAME_ID ? "ID" : "name", reference);
        /* OCI knows machines that appc has no word for: such an image was looked at when it came */
        if (!o->any_platform && !(image.layers && !store_image_label(&image, "arch"))) {
                r = import_check_platform(&image, e);
                if (r < 0)
                        return error_prefixf(e, r, "image '%s'", reference);
        }
        (void) store_image_touch(f->store, image.key);
        *ret_id = TAKE_PTR(image.id);
        return 1;
}

static int fetch_one_url(const ImageFetch *f, const char *url, char **ret_id, Error *e) {
        _cleanup_free_ char *asc = strf("%s.asc", url);

        return asc ? image_fetch_url(f, url, asc, ret_id, e) : error_oom(e);
}

/* Not before the network is needed: what is in the store needs no credentials, whatever their files look like. */
static int load_config(ImageFetch *f, Error *e) {
        const ImageGetOptions *o = f->options;
        const ConfigDirs dirs = { .system = o->system_config,
                                  .local = o->local_config,
                                  .user = o->user_config };
        int r;

        r = config_load(&dirs, CONFIG_NETWORK, &f->config, e);
        if (r < 0)
                return r;
        STRV_FOREACH (w, f->config->warnings)
                image_message(o, "warning: %s", *w);
        return 0;
}

static int get(ImageFetch *f, const ImageName *name, const char *reference, Keyring **keyring, char **ret_id,
               Error *e) {
        PullPolicy pull = f->options->pull;
        int r;

        if (name->type == IMAGE_NAME_PATH)
                return image_fetch_file(f, name->text, ret_id, e);
        if (name->type == IMAGE_NAME_OCI)
                return image_get_oci(f, name, reference, ret_id, e);
        if (name->type == IMAGE_NAME_ID || pull == PULL_MISSING || pull == PULL_NEVER) {
                r = try_store(f, name, reference, ret_id, e);
                if (r != 0)
                        return r < 0 ? r : 0;
        }
        if (pull == PULL_NEVER)
                return error_setf(
                        e, -ENOENT,
                        "unable to fetch image from %s \"%s\": it is not in the local store, and the pull "
                        "policy is 'never'",
                        name->type == IMAGE_NAME_URL ? "url" : "image name", reference);
        r = load_config(f, e);
        if (r < 0)
                return r;
        if (name->type == IMAGE_NAME_DOCKER)
                return image_get_oci(f, name, reference, ret_id, e);
        if (name->type == IMAGE_NAME_URL)
                return fetch_one_url(f, name->text, ret_id, e);
        return image_fetch_name(f, name, reference, keyring, ret_id, e);
}

/* dependency: NULL, or what the image is for. */
static int get_image(Store *store, const char *reference, const ImageGetOptions *options,
                     const AcDependency *dependency, const ImageManifest *root, char **ret_id, Error *e) {
        _cleanup_(image_name_freep) ImageName *name = NULL;
        _cleanup_(keyring_freep) Keyring *keyring = NULL;
        ImageGetOptions o = *options;
        ImageFetch f = { .store = store, .options = &o, .dependency = dependency };
        int r;

        r = image_name_parse(reference, &name, e);
        if (r < 0)
                return r;
        /* A dependency is a name, even if it looks like a path or a URL. */
        if (dependency && (name->type != IMAGE_NAME_APPC || !streq(name->text, dependency->image_name)))
                return error_setf(e, -EINVAL, "its name or a label cannot be part of an image reference");
        o.system_config = str_or(o.system_config, SYSTEM_CONFIG);
        o.local_config = str_or(o.local_config, LOCAL_CONFIG);
        f.asked = name->type == IMAGE_NAME_APPC ? name : NULL;
        f.os = root ? image_manifest_label(root, "os") : NULL;
        f.arch = root ? image_manifest_label(root, "arch") : NULL;
        if (!(o.insecure & INSECURE_IMAGE)) {
                r = keyring_load(o.system_config, o.local_config, &keyring, e);
                if (r < 0)
                        return r;
                STRV_FOREACH (w, keyring->warnings)
                        image_message(&o, "warning: %s", *w);
                f.keyring = keyring;
        }
        r = get(&f, name, reference, &keyring, ret_id, e);
        (void) config_free(f.config);
        return r;
}

/**
 * image_changed() - ask whether there is another image now, without getting it
 * @reference: as a user writes it
 * @options:   how
 * @digest:    of the image of before in its registry
 * @e:         sentence on failure; may be NULL
 *
 * Return: 1: there is; 0: there is not; -EOPNOTSUPP: only images of registries can be asked for so; what
 * oci_remote_changed() returns.
 */
int image_changed(const char *reference, const ImageGetOptions *options, const char *digest, Error *e) {
        _cleanup_(image_name_freep) ImageName *name = NULL;
        ImageGetOptions o = *options;
        ImageFetch f = { .options = &o };
        int r;

        r = image_name_parse(reference, &name, e);
        if (r >= 0 && name->type != IMAGE_NAME_DOCKER)
                return error_setf(e, -EOPNOTSUPP, "image '%s' is in no registry", reference);
        o.system_config = str_or(o.system_config, SYSTEM_CONFIG);
        o.local_config = str_or(o.local_config, LOCAL_CONFIG);
        if (r >= 0)
                r = load_config(&f, e);
        if (r >= 0)
                r = oci_remote_changed(name->oci, &f, digest, e);
        (void) config_free(f.config);
        return r < 0 ? error_prefixf(e, r, "image '%s'", reference) : r;
}

/**
 * image_get_dependency() - have a dependency in the store, from where discovery says
 * @store:   opened for writing
 * @d:       what it must be
 * @root:    the image that is wanted in the end: os and arch are looked for as it has them
 * @options: how
 * @ret_id:  for free()
 * @e:       sentence on failure; may be NULL
 *
 * Return: as image_get(); -EBADMSG also for another ID or size.
 */
int image_get_dependency(Store *store, const AcDependency *d, const ImageManifest *root,
                         const ImageGetOptions *options, char **ret_id, Error *e) {
        ImageGetOptions o = *options;
        _cleanup_free_ char *text = NULL;

        if (image_dependency_to_string(d, &text) < 0)
                return error_oom(e);
        /* What of it is in the store was looked at before. */
        if (o.pull == PULL_MISSING)
                o.pull = PULL_NEWER;
        return get_image(store, text, &o, d, root, ret_id, e);
}

/* When the last byte is here, the image can be mounted. */
static int render(Store *store, const char *id, Error *e) {
        _cleanup_strv_free_ char **trees = NULL;
        _cleanup_close_ int lock = -EBADF;
        char key[STORE_KEY_MAX];
        int r;

        r = store_key_from_id(id, key);
        if (r >= 0)
                r = store_lock(store, LOCK_MODE_SHARED, 1, &lock, e);
        return r < 0 ? r : image_tree_ensure(store, key, &trees, e);
}

/* Removed again by another process, before we could look at it. */
static bool is_gone(Store *store, const char *id) {
        _cleanup_free_ char *manifest = NULL;
        char key[STORE_KEY_MAX];

        return store_key_from_id(id, key) >= 0 &&
               store_manifest_read(store, key, &manifest, NULL, NULL) == -ENOENT;
}

/**
 * image_get() - have an image in the store
 * @store:     opened for writing
 * @reference: as a user writes it: name with labels, path, URL, ID
 * @options:   how; NULL members have defaults
 * @ret_id:    "sha512-" and 128 digits, for free()
 * @e:         sentence on failure; may be NULL
 *
 * With all that it depends on, each got by the same policy; what came in before one of them failed stays.
 * A path always means "import this file", whatever the pull policy. An image that fails is not in the store. One that others
 * remove as soon as it is there is got GET_ATTEMPTS times; then it counts as got.
 *
 * Return: 0; -EINVAL (not a reference), -ENOENT (no such image, no signature), -EHOSTUNREACH, -EPERM (plain http),
 * -ENOKEY (signed by a stranger), -EKEYREJECTED, -EKEYEXPIRED, -EKEYREVOKED (signature, certificate), -EBADMSG (damaged, or not what was asked for),
 * -ENOEXEC (another os or arch), -EOPNOTSUPP, -ENOSPC, and what the layers below return.
 */
int image_get(Store *store, const char *reference, const ImageGetOptions *options, char **ret_id, Error *e) {
        for (unsigned attempt = 1;; attempt++) {
                _cleanup_error_ Error error = ERROR_INIT;
                _cleanup_free_ char *id = NULL;
                int r;

                r = get_image(store, reference, options, NULL, NULL, &id, e);
                if (r < 0)
                        return r;
                r = image_get_dependencies(store, id, options, &error);
                if (r >= 0)
                        r = render(store, id, &error);
                if (r == -ENOENT && is_gone(store, id)) {
                        if (attempt < GET_ATTEMPTS)
                                continue;
                        r = 0; /* it was there, and somebody does not want it */
                }
                if (r < 0) {
                        if (e) {
                                error_done(e);
                                *e = error;
                                error = ERROR_INIT;
                        }
                        return r;
                }
                *ret_id = TAKE_PTR(id);
                return 0;
        }
}
