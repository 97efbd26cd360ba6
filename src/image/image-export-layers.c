/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One ACI for each layer, as docker2aci --nosquash makes them: the topmost depends on all others, the lowest first. An appc
 * image has no whiteouts. Where a layer hides something of those below, the topmost has a pathWhitelist of all that is to be
 * seen in the end; else it needs none. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "basic/digest.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "image/image-export-internal.h"
#include "image/image-export.h"
#include "image/output-file.h"
#include "manifest/image-manifest.h"
#include "oci/aci-name.h"
#include "store/gzip.h"
#include "store/store-blob.h"
#include "store/tar-entry.h"

/* A layer on its way out. */
typedef struct LayerAci {
        Store *store;
        char *const *layer;   /* key */
        const char *manifest; /* text */
        bool gzip;
        Digest *digest; /* of the archive before it is compressed: the image's ID */
        char hex[DIGEST_HEX_MAX];
        TarSink next;
        void *next_userdata;
} LayerAci;

/* All of them. */
typedef struct Layers {
        Store *store;
        const StoreImage *image;
        ImageManifest *manifest; /* of the whole image; the caller's */
        char **whitelist;        /* NULL: none is needed */
        char **ids;              /* of those that are written */
        char **names;            /* likewise */
        char **files;            /* that were made, for their removal */
} Layers;

static void layers_done(Layers *l) {
        (void) strv_free(l->whitelist);
        (void) strv_free(l->ids);
        (void) strv_free(l->names);
        (void) strv_free(l->files);
}

static int keep_path(void *userdata, const TarEntry *t, int blob_fd, Error *e) {
        char ***list = userdata;

        return *t->path && strv_extendf(list, "/%s", t->path) < 0 ? error_oom(e) : 0;
}

typedef struct Search {
        char *const *paths; /* sorted */
        size_t n;
        bool is_missing;
} Search;

static int compare_text(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static int look_for(void *userdata, const TarEntry *t, int blob_fd, Error *e) {
        Search *s = userdata;
        _cleanup_free_ char *path = strf("/%s", t->path);

        if (!path)
                return error_oom(e);
        if (*t->path && !bsearch(&path, s->paths, s->n, sizeof(*s->paths), compare_text))
                s->is_missing = true;
        return 0;
}

static int walk(Store *s, char *const *keys, size_t n, StoreTreeVisit visit, void *userdata, Error *e) {
        _cleanup_(store_tree_reader_freep) StoreTreeReader *x = NULL;
        int r;

        r = export_layers_reader(s, keys, n, &x, e);
        return r < 0 ? r : store_tree_reader_walk(x, visit, userdata, e);
}

/* Is there something in a layer that is not there in the end? */
static int find_whitelist(Layers *l, Error *e) {
        size_t n = strv_length(l->image->layers);
        _cleanup_strv_free_ char **paths = NULL;
        Search s = {};
        int r;

        r = walk(l->store, l->image->layers, n, keep_path, &paths, e);
        if (r < 0)
                return r;
        strv_sort(paths);
        s.paths = paths;
        s.n = strv_length(paths);
        for (size_t i = 0; r >= 0 && i + 1 < n && !s.is_missing; i++)
                r = walk(l->store, l->image->layers + i, 1, look_for, &s, e);
        if (r >= 0 && s.is_missing)
                l->whitelist = TAKE_PTR(paths);
        return r;
}

static const char *hex_of(const char *key) {
        return strchr(key, '-') + 1;
}

static int set_label(ImageManifest *m, const char *name, const char *value) {
        return value ? ac_pairs_set(&m->labels, &m->n_labels, name, value) : 0;
}

static int set_labels(const Layers *l, const char *key, ImageManifest *m) {
        int r = set_label(m, "layer", hex_of(key));

        RET_GATHER(r, set_label(m, "version", image_manifest_label(l->manifest, "version")));
        RET_GATHER(r, set_label(m, "os", image_manifest_label(l->manifest, "os")));
        RET_GATHER(r, set_label(m, "arch", image_manifest_label(l->manifest, "arch")));
        return r;
}

static int add_dependency(const Layers *l, size_t i, ImageManifest *m) {
        AcDependency d = { .size = UINT64_MAX };

        assert(l->names && l->ids);
        d.image_name = strdup(l->names[i]);
        d.image_id = strdup(l->ids[i]);
        if (!d.image_name || !d.image_id || !GREEDY_GROW(m->dependencies, m->n_dependencies)) {
                free(d.image_name);
                free(d.image_id);
                return -ENOMEM;
        }
        m->dependencies[m->n_dependencies++] = d;
        return 0;
}

static char *layer_name(const Layers *l, const char *key) {
        return strf("%s-%s", l->manifest->name, hex_of(key));
}

/* What can be said of a layer alone: for which machine it is, and of what it is a part. */
static int lower_manifest(const Layers *l, const char *key, char **ret) {
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL;
        _cleanup_free_ char *name = layer_name(l, key);
        int r;

        if (!name)
                return -ENOMEM;
        r = image_manifest_new(name, &m);
        if (r >= 0)
                r = set_labels(l, key, m);
        return r < 0 ? r : image_manifest_to_string(m, ret);
}

/* The whole image's, and whom it depends on. Changes that manifest: it is the last one. */
static int top_manifest(Layers *l, const char *key, char **ret) {
        ImageManifest *m = l->manifest;
        _cleanup_free_ char *name = layer_name(l, key);
        int r;

        if (!name)
                return -ENOMEM;
        r = set_labels(l, key, m);
        for (size_t i = 0; r >= 0 && i < strv_length(l->ids); i++)
                r = add_dependency(l, i, m);
        if (r < 0 || str_replace(&m->name, name) < 0)
                return -ENOMEM;
        m->path_whitelist = TAKE_PTR(l->whitelist);
        return image_manifest_to_string(m, ret);
}

static int hash_and_pass(void *userdata, const void *data, size_t size, Error *e) {
        const LayerAci *a = userdata;
        int r = digest_update(a->digest, data, size);

        return r < 0 ? error_oom(e) : a->next(a->next_userdata, data, size, e);
}

static int write_layer(void *userdata, int fd, Error *e) {
        _cleanup_(digest_freep) Digest *d = NULL;
        _cleanup_(gzip_freep) Gzip *g = NULL;
        LayerAci *a = userdata;
        int r = 0;

        if (digest_new(DIGEST_SHA512, &d) < 0)
                return error_oom(e);
        a->digest = d;
        a->next = output_sink;
        a->next_userdata = &fd;
        if (a->gzip) {
                r = gzip_new(output_sink, &fd, &g, e);
                a->next = gzip_push;
                a->next_userdata = g;
        }
        if (r >= 0)
                r = export_layers_aci(a->store, a->manifest, a->layer, 1, hash_and_pass, a, e);
        if (r >= 0 && g)
                r = gzip_finish(g, e);
        return r < 0 ? r : digest_final_hex(d, a->hex);
}

/* The topmost has the number 0. */
static char *file_name(const Layers *l, const char *base, size_t i) {
        _cleanup_free_ char *suffix = NULL;

        if (aci_file_suffix(l->manifest, true, &suffix) < 0)
                return NULL;
        return strf("%s-%s%s-%zu.aci", base, hex_of(l->image->layers[i]), suffix,
                    strv_length(l->image->layers) - 1 - i);
}

static int export_layer(Layers *l, const char *base, size_t i, ImageExportFlags flags, Error *e) {
        const char *key = l->image->layers[i];
        bool is_top = !l->image->layers[i + 1];
        _cleanup_free_ char *path = file_name(l, base, i), *name = layer_name(l, key), *text = NULL;
        LayerAci a = { .store = l->store, .layer = l->image->layers + i, .gzip = flags & IMAGE_EXPORT_GZIP };
        int r;

        r = is_top ? top_manifest(l, key, &text) : lower_manifest(l, key, &text);
        if (r < 0 || !path || !name)
                return error_oom(e);
        if (strlen(text) > STORE_MANIFEST_MAX)
                return error_setf(
                        e, -E2BIG,
                        "a layer takes away what others have, and the list of all that is left has more than "
                        "%u bytes; convert it without --nosquash",
                        STORE_MANIFEST_MAX);
        a.manifest = text;
        r = output_file_write(path, "output ACI file", flags & IMAGE_EXPORT_OVERWRITE, write_layer, &a, e);
        if (r < 0)
                return r;
        if (strv_extend(&l->files, path) < 0 || strv_extend(&l->names, name) < 0 ||
            strv_extendf(&l->ids, "sha512-%s", a.hex) < 0)
                return error_oom(e);
        return 0;
}

/**
 * image_export_layers() - an image of layers as one ACI for each
 * @s:         store, open for writing
 * @image:     what; has layers
 * @manifest:  of the whole image; becomes the topmost layer's
 * @base:      path that the names of the files begin with
 * @flags:     see there
 * @ret_files: paths of the files, the lowest layer first, for strv_free()
 * @e:         sentence on failure; may be NULL
 *
 * On failure the files that were made are removed again.
 *
 * Return: as image_export(); -E2BIG (the manifest of the topmost).
 */
int image_export_layers(Store *s, const StoreImage *image, ImageManifest *manifest, const char *base,
                        ImageExportFlags flags, char ***ret_files, Error *e) {
        _cleanup_(layers_done) Layers l = { .store = s, .image = image, .manifest = manifest };
        _cleanup_close_ int lock = -EBADF;
        int r;

        r = store_lock(s, LOCK_MODE_SHARED, 1, &lock, e);
        if (r >= 0)
                r = find_whitelist(&l, e);
        for (size_t i = 0; r >= 0 && image->layers[i]; i++)
                r = export_layer(&l, base, i, flags, e);
        if (r < 0) {
                STRV_FOREACH (f, l.files)
                        (void) unlink(*f);
                return r;
        }
        *ret_files = TAKE_PTR(l.files);
        return 0;
}
