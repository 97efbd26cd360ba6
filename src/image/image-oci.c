/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The recipe for Docker and OCI images: documents from where the name says, their verification, everything that can be said
 * against them, the layers that are not here yet, and in the end the record that makes the image exist. A layer that has
 * come stays, so a pull that is broken off or refused by a full disk goes on where it was. */
#include "image/image-oci.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "basic/clock.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "image/oci-image.h"
#include "image/oci-layers.h"
#include "image/oci-remote.h"
#include "image/oci-trust.h"
#include "manifest/image-manifest.h"
#include "oci/oci-write.h"
#include "store/store-layer.h"

#define COMMITS_MAX 3 /* somebody may remove a layer meanwhile, but not for ever */

/* One image on its way. */
typedef struct Pull {
        const ImageFetch *f;
        const ImageName *name;
        const char *reference; /* as typed */
        OciPlatform platform;
        ImageLimits limits;
        OciTrust *trust;
        const OciTrustPolicy *policy; /* NULL: there is none */
        OciTrustDemand demand;
        OciImage image;
        StoreImage record;
        char *appc;   /* text of the image manifest */
        char *digest; /* what the name leads to; NULL: a file */
} Pull;

static void pull_done(Pull *p) {
        oci_platform_done(&p->platform);
        oci_image_done(&p->image);
        store_image_done(&p->record);
        oci_trust_free(p->trust);
        free(p->appc);
        free(p->digest);
}

/* What the name leads to now; a file is looked into every time, and its name means little to anybody else. */
static int save_remote(const Pull *p, const char *key, Error *e) {
        _cleanup_(store_remote_done) StoreRemote r = STORE_REMOTE_INIT;

        if (p->name->type == IMAGE_NAME_OCI && p->name->oci->path[0] != '/')
                return 0;
        r.url = strdup(p->name->text);
        r.key = strdup(key);
        r.etag = p->digest ? strdup(p->digest) : NULL;
        if (!r.url || !r.key || (p->digest && !r.etag))
                return error_oom(e);
        r.download_usec = clock_usec(CLOCK_REALTIME);
        return store_remote_write(p->f->store, &r, e);
}

static int check_platform(const Pull *p, Error *e) {
        _cleanup_error_ Error sub = ERROR_INIT;
        int r = oci_config_check_platform(p->image.parsed, &p->platform, &sub);

        if (r < 0 && !p->f->options->any_platform)
                return error_setf(e, r, "%s", error_text(&sub, r));
        if (r < 0)
                image_message(p->f->options, "warning: this image will not run here: %s",
                              error_text(&sub, r));
        return 0;
}

static int copy_text(char **to, const char *from) {
        return from ? str_replace(to, from) : 0;
}

/* What the record says; its layers and sizes come later. */
static int describe(Pull *p, const ImageManifest *m) {
        StoreImage *i = &p->record;
        int r = 0;

        RET_GATHER(r, str_replace(&i->name, m->name));
        RET_GATHER(r, str_replace(&i->source, p->name->text));
        RET_GATHER(r, copy_text(&i->manifest_digest, p->image.manifest_digest));
        RET_GATHER(r, copy_text(&i->index_digest, p->image.index_digest));
        RET_GATHER(r, copy_text(&i->config_digest, p->image.config_digest));
        RET_GATHER(r, str_replace(&i->reference, p->name->text));
        i->labels = new0(StoreLabel, m->n_labels);
        if (!i->labels)
                return -ENOMEM;
        FOREACH_ARRAY (l, m->labels, m->n_labels) {
                StoreLabel *to = i->labels + i->n_labels++;

                *to = (StoreLabel){ strdup(l->name), strdup(l->value) };
                if (!to->name || !to->value)
                        return -ENOMEM;
        }
        i->signatures = TAKE_PTR(p->image.signatures);
        i->n_signatures = p->image.n_signatures;
        p->image.n_signatures = 0;
        FOREACH_ARRAY (s, i->signatures, i->n_signatures)
                RET_GATHER(r, strv_extend(&i->signed_by, s->fingerprint));
        return r;
}

/* Before a layer is got: is this an image that can be described at all? */
static int convert(Pull *p, Error *e) {
        const OciOrigin origin = { .name = p->image.saved_as ? p->image.saved_as : p->name->oci,
                                   .config_digest = p->image.config_digest,
                                   .manifest_digest = p->image.manifest_digest };
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL;
        int r;

        r = check_platform(p, e);
        if (r >= 0)
                r = oci_config_to_manifest(p->image.parsed, &origin, &m, e);
        if (r < 0)
                return r;
        return image_manifest_to_string(m, &p->appc) < 0 || describe(p, m) < 0 ? error_oom(e) : 0;
}

static int layer_size(Store *s, const char *key, uint64_t *ret, Error *e) {
        int fd, r = store_layer_blob_open(s, key, &fd, ret, e);

        if (r >= 0)
                (void) fd_close(fd);
        return r;
}

/* "docker save" has no manifest: one is made that says the same of the same image. Layers are in it as tars. */
static int make_manifest(Pull *p, Error *e) {
        _cleanup_free_ OciBlob *layers = new0(OciBlob, p->image.n_layers);
        OciImageParts parts = { .config = { p->image.config_digest, p->image.config_size },
                                .layers = layers,
                                .n_layers = p->image.n_layers };
        int r;

        if (!layers)
                return error_oom(e);
        for (size_t i = 0; i < p->image.n_layers; i++) {
                layers[i].digest = p->image.layers[i].diff_id;
                r = layer_size(p->f->store, p->image.layers[i].key, &layers[i].size, e);
                if (r < 0)
                        return r == -ENOENT ? -EAGAIN : r;
        }
        if (oci_manifest_write(&parts, &p->image.manifest) < 0)
                return error_oom(e);
        p->image.manifest_size = strlen(p->image.manifest);
        return 0;
}

static int commit_once(Pull *p, Error *e) {
        StoreImage *i = &p->record;
        const StoreOciParts *parts;
        int r;

        r = oci_layers_fetch(p->f, p->reference, &p->image, e);
        if (r >= 0 && !p->image.manifest)
                r = make_manifest(p, e);
        if (r < 0)
                return r;
        parts = &(StoreOciParts){ .manifest = p->image.manifest,
                                  .manifest_size = p->image.manifest_size,
                                  .config = p->image.config,
                                  .config_size = p->image.config_size,
                                  .appc_manifest = p->appc };
        i->layers = strv_free(i->layers);
        i->archive_size = 0;
        FOREACH_ARRAY (l, p->image.layers, p->image.n_layers) {
                if (strv_extend(&i->layers, l->key) < 0)
                        return error_oom(e);
                i->archive_size += l->size != UINT64_MAX ? l->size : 0;
        }
        return store_oci_commit(p->f->store, parts, i, e);
}

static size_t n_missing(const Pull *p) {
        size_t n = 0;

        FOREACH_ARRAY (l, p->image.layers, p->image.n_layers)
                n += !*l->key;
        return n;
}

/* They point into @p. */
static OciLoadOptions load_options(Pull *p) {
        const ImageLimits *limits = p->f->options->limits;

        p->limits = limits ? *limits : IMAGE_LIMITS_DEFAULT;
        return (OciLoadOptions){ .platform = &p->platform, .limits = &p->limits };
}

/* The token is too old: another one, for the same documents, which whoever must was content with. */
static int renew(Pull *p, Error *e) {
        const OciLoadOptions load = load_options(p);
        const OciRemoteOptions o = { .fetch = p->f, .load = &load, .policy = p->policy };
        _cleanup_(oci_image_done) OciImage again = OCI_IMAGE_INIT;
        _cleanup_free_ char *digest = NULL;
        OciName name = *p->name->oci; /* borrows */
        int r;

        name.digest = p->digest;
        r = oci_remote_load(&name, &o, &again, &digest, e);
        if (r < 0)
                return r;
        if (!streq(again.manifest_digest, p->image.manifest_digest) || again.n_layers != p->image.n_layers)
                return error_setf(e, -EBADMSG, "manifest %s has become %s", p->image.manifest_digest,
                                  again.manifest_digest);
        for (size_t i = 0; i < again.n_layers; i++) {
                PullRequest request = p->image.layers[i].request;

                p->image.layers[i].request = again.layers[i].request;
                again.layers[i].request = request;
        }
        return 0;
}

/* Again where others removed a layer; and where a token expired, as long as that brings layers. */
static int commit(Pull *p, Error *e) {
        size_t n_before = SIZE_MAX;

        for (unsigned n = 1;;) {
                _cleanup_error_ Error sub = ERROR_INIT;
                int r = commit_once(p, &sub);

                if (r == -EACCES && p->name->type == IMAGE_NAME_DOCKER && n_missing(p) < n_before) {
                        n_before = n_missing(p);
                        r = renew(p, &sub);
                        if (r >= 0)
                                continue;
                }
                if (r != -EAGAIN || n++ == COMMITS_MAX)
                        return r < 0 ? error_setf(e, r, "%s", error_text(&sub, r)) : 0;
                FOREACH_ARRAY (l, p->image.layers, p->image.n_layers)
                        *l->key = '\0';
        }
}

/* The documents are here, and whoever must was content with them. */
static int finish(Pull *p, char **ret_id, Error *e) {
        int r;

        r = convert(p, e);
        if (r >= 0)
                r = commit(p, e);
        if (r >= 0)
                r = save_remote(p, p->record.key, e);
        if (r >= 0)
                *ret_id = TAKE_PTR(p->record.id);
        return r;
}

/* Before anything is asked or opened. */
static int load_trust(Pull *p, Error *e) {
        const ImageGetOptions *o = p->f->options;
        int r;

        r = oci_trust_load(o->system_config, o->local_config, o->user_config, &p->trust, e);
        if (r < 0)
                return r;
        p->policy = oci_trust_policy(p->trust, p->name->oci);
        return oci_trust_demand(p->policy, p->name->oci, o->insecure & INSECURE_IMAGE, &p->demand, e);
}

static int pull_local(Pull *p, char **ret_id, Error *e) {
        const OciLoadOptions o = load_options(p);
        int r;

        image_message(p->f->options, "using image from %s", p->reference);
        r = oci_local_load(p->f->store, p->name->oci, &o, &p->image, e);
        return r < 0 ? r : finish(p, ret_id, e);
}

/* What the name led to last time, if the store still has it and it may be used. */
static bool load_known(const Pull *p, StoreRemote *remote, StoreImage *image) {
        Store *s = p->f->store;

        if (p->f->options->pull == PULL_ALWAYS || store_remote_load(s, p->name->text, remote, NULL) < 0 ||
            !remote->etag || store_image_load(s, remote->key, image, NULL) < 0)
                return false;
        STRV_FOREACH (l, image->layers) /* one that was lost has to be fetched */
                if (store_layer_touch(s, *l) < 0)
                        return false;
        return p->demand != OCI_TRUST_VERIFY ||
               oci_trust_still_vouches(p->policy, p->name->oci, image, NULL) >= 0;
}

static int use_known(const Pull *p, const StoreImage *image, char **ret_id, Error *e) {
        image_message(p->f->options, "image for %s has not changed, not fetching.", p->reference);
        (void) store_image_touch(p->f->store, image->key);
        *ret_id = strdup(image->id);
        return *ret_id ? save_remote(p, image->key, e) : error_oom(e);
}

static int pull_remote(Pull *p, char **ret_id, Error *e) {
        _cleanup_(store_remote_done) StoreRemote remote = STORE_REMOTE_INIT;
        _cleanup_(store_image_done) StoreImage known = STORE_IMAGE_INIT;
        bool has_known = load_known(p, &remote, &known);
        const OciLoadOptions load = load_options(p);
        const OciRemoteOptions o = {
                .fetch = p->f,
                .load = &load,
                .policy = p->policy,
                .verify = p->demand == OCI_TRUST_VERIFY,
                .known_digest = has_known ? remote.etag : NULL,
        };
        int r;

        /* what a digest leads to never changes */
        if (has_known && p->name->oci->digest) {
                if (str_replace(&p->digest, remote.etag) < 0)
                        return error_oom(e);
                return use_known(p, &known, ret_id, e);
        }
        image_message(p->f->options, "remote fetching from URL \"%s\"", p->reference);
        r = oci_remote_load(p->name->oci, &o, &p->image, &p->digest, e);
        if (r < 0)
                return r;
        return r == 0 ? use_known(p, &known, ret_id, e) : finish(p, ret_id, e);
}

/**
 * image_get_oci() - have a Docker or OCI image in the store
 * @f:         how
 * @name:      IMAGE_NAME_DOCKER or IMAGE_NAME_OCI
 * @reference: the same as the user wrote it
 * @ret_id:    the image's ID, for free()
 * @e:         sentence on failure; may be NULL
 *
 * A layout or an archive is read every time; its layers that are in the store are not.
 *
 * Return: 0; -ENOKEY (nobody said how to verify it), -EPERM (rejected), -EBADMSG (size, digest), -ENOEXEC (another platform),
 * what oci_local_load(), oci_remote_load(), oci_config_to_manifest(), oci_layers_fetch() and store_oci_commit() return.
 */
int image_get_oci(const ImageFetch *f, const ImageName *name, const char *reference, char **ret_id,
                  Error *e) {
        _cleanup_(pull_done) Pull p = { .f = f, .name = name, .reference = reference };
        int r;

        r = load_trust(&p, e);
        if (r >= 0 && oci_platform_host(&p.platform) < 0)
                r = error_oom(e);
        if (r >= 0)
                r = name->type == IMAGE_NAME_OCI ? pull_local(&p, ret_id, e) : pull_remote(&p, ret_id, e);
        return r < 0 ? error_prefixf(e, r, "image '%s'", reference) : 0;
}

/**
 * image_oci_check_stored() - may an image that the store has be used for a name, unasked
 * @f:     how
 * @name:  IMAGE_NAME_DOCKER
 * @image: what that name led to last
 * @e:     says why not; may be NULL
 *
 * Where nothing is said about the name, it may: whoever fetched it has said then that it is good enough.
 *
 * Return: 0, -EKEYREJECTED (verification is demanded, and was not made), -EPERM (rejected), what oci_trust_load() returns.
 */
int image_oci_check_stored(const ImageFetch *f, const ImageName *name, const StoreImage *image, Error *e) {
        const ImageGetOptions *o = f->options;
        _cleanup_(oci_trust_freep) OciTrust *trust = NULL;
        OciTrustDemand demand = OCI_TRUST_NOTHING;
        const OciTrustPolicy *policy;
        int r;

        r = oci_trust_load(o->system_config, o->local_config, o->user_config, &trust, e);
        if (r < 0)
                return r;
        policy = oci_trust_policy(trust, name->oci);
        if (!policy)
                return 0;
        r = oci_trust_demand(policy, name->oci, o->insecure & INSECURE_IMAGE, &demand, e);
        if (r < 0 || demand != OCI_TRUST_VERIFY)
                return r;
        return oci_trust_still_vouches(policy, name->oci, image, e);
}
