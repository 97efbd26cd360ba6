/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* OCI layouts in a tar, and what "docker load" reads. An ACI becomes an image of one layer: what a pod would see of it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "basic/digest.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "image/image-export-internal.h"
#include "image/image-render.h"
#include "oci/oci-digest.h"
#include "oci/oci-name.h"
#include "oci/oci-write.h"
#include "store/store-blob.h"
#include "store/store-layer.h"

typedef struct Layer {
        char digest[OCI_DIGEST_MAX];
        uint64_t size;   /* bytes of the tar */
        const char *key; /* in the store; NULL: it is made of the tree */
} Layer;

typedef struct Archive {
        Store *store;
        StoreTreeReader *tree; /* NULL: all layers are in the store */
        Layer *layers;         /* lowest first; one may come twice */
        size_t n_layers;
        char *config;
        size_t config_size;
        char config_digest[OCI_DIGEST_MAX];
        char *manifest; /* of OCI */
        size_t manifest_size;
        char manifest_digest[OCI_DIGEST_MAX];
        char *reference; /* as "docker.io/library/redis:7"; NULL: none */
} Archive;

/* A file of the archive. */
typedef struct Member {
        char path[OCI_BLOB_PATH_MAX];
        const char *text; /* NULL: the layer, or a directory */
        uint64_t size;
        const Layer *layer;
} Member;

static void archive_done(Archive *a) {
        (void) store_tree_reader_free(a->tree);
        free(a->layers);
        free(a->config);
        free(a->manifest);
        free(a->reference);
}

typedef struct Measure {
        Digest *digest;
        uint64_t size;
} Measure;

static int measure(void *userdata, const void *data, size_t size, Error *e) {
        Measure *m = userdata;

        m->size += size;
        return digest_update(m->digest, data, size) < 0 ? error_oom(e) : 0;
}

static int write_tree(StoreTreeReader *tree, TarSink sink, void *userdata, Error *e) {
        _cleanup_(tar_writer_freep) TarWriter *w = NULL;
        int r;

        r = tar_writer_new("", sink, userdata, &w, e);
        if (r >= 0)
                r = export_tree(tree, w, e);
        return r < 0 ? r : tar_writer_finish(w, e);
}

/* Its name is its digest, which stands in front of it: the tar is made twice. */
static int measure_tree(StoreTreeReader *tree, Layer *ret, Error *e) {
        _cleanup_(digest_freep) Digest *d = NULL;
        char hex[DIGEST_HEX_MAX];
        Measure m = {};
        int r;

        if (digest_new(DIGEST_SHA256, &d) < 0)
                return error_oom(e);
        m.digest = d;
        r = write_tree(tree, measure, &m, e);
        if (r < 0)
                return r;
        if (digest_final_hex(d, hex) < 0)
                return error_oom(e);
        (void) snprintf(ret->digest, sizeof(ret->digest), "sha256:%s", hex);
        ret->size = m.size;
        return 0;
}

/* NAME:VERSION, where Docker can say that. */
static int name_of_aci(const ImageManifest *m, char **ret) {
        const char *version = image_manifest_label(m, "version");
        _cleanup_free_ char *text = strf("docker://%s%s%s", m->name, version ? ":" : "", str_or(version, ""));
        _cleanup_(oci_name_freep) OciName *n = NULL;

        if (!text)
                return -ENOMEM;
        if (oci_name_parse(text, &n, NULL) < 0 || !n->tag)
                return 0;
        return oci_name_tagged(n, ret);
}

static int add_layer(Archive *a, const char *key, Error *e) {
        Layer *l = &a->layers[a->n_layers++];
        int fd, r = store_layer_blob_open(a->store, key, &fd, &l->size, e);

        if (r < 0)
                return r;
        (void) fd_close(fd);
        l->key = key;
        (void) snprintf(l->digest, sizeof(l->digest), "sha256:%s", strchr(key, '-') + 1);
        return 0;
}

/* The name that others gave it: NAME:TAG in a registry, or what an entry of a layout was called by. */
static int name_of_oci(const StoreImage *image, char **ret) {
        _cleanup_(oci_name_freep) OciName *n = NULL;

        if (!image->reference || oci_name_parse(image->reference, &n, NULL) < 0)
                return 0;
        if (n->transport == OCI_TRANSPORT_REGISTRY)
                return n->tag ? oci_name_tagged(n, ret) : 0;
        if (!n->reference || *n->reference == '@')
                return 0;
        *ret = strdup(n->reference);
        return *ret ? 0 : -ENOMEM;
}

static int to_buffer(void *userdata, const void *data, size_t size, Error *e) {
        strbuf_add_n(userdata, data, size);
        return 0;
}

static int read_manifest(Store *s, const char *key, char **ret, size_t *ret_size, Error *e) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        uint64_t size = 0;
        int fd, r;

        r = store_blob_open(s, key, &fd, &size, e);
        if (r < 0)
                return r;
        (void) fd_close(fd);
        if (size > STORE_OCI_DOCUMENT_MAX)
                return error_setf(e, -EBADMSG, "image '%s' is damaged: its manifest has %" PRIu64 " bytes",
                                  key, size);
        r = store_blob_copy(s, key, to_buffer, &b, e);
        if (r < 0)
                return r;
        *ret_size = b.size;
        return strbuf_steal(&b, ret) < 0 ? error_oom(e) : 0;
}

static int digest_manifest(Archive *a, Error *e) {
        return oci_digest_of(DIGEST_SHA256, a->manifest, a->manifest_size, a->manifest_digest) < 0
                       ? error_oom(e)
                       : 0;
}

static int make_manifest(Archive *a, const OciDocument *original, Error *e) {
        _cleanup_free_ OciBlob *blobs = new0(OciBlob, a->n_layers);
        OciImageParts p = { .config = { a->config_digest, a->config_size },
                            .layers = blobs,
                            .n_layers = a->n_layers };

        if (!blobs)
                return error_oom(e);
        for (size_t i = 0; i < a->n_layers; i++)
                blobs[i] = (OciBlob){ a->layers[i].digest, a->layers[i].size };
        if (original && oci_manifest_is_plain(original, &p))
                return digest_manifest(a, e);
        if (original) {
                p.annotations = original->annotations;
                p.n_annotations = original->n_annotations;
        }
        free(a->manifest);
        a->manifest = NULL;
        if (oci_manifest_write(&p, &a->manifest) < 0)
                return error_oom(e);
        a->manifest_size = strlen(a->manifest);
        return digest_manifest(a, e);
}

/* The one that came goes on if it says what we have, so that its digest stays; else its annotations do. */
static int keep_manifest(Archive *a, const char *key, Error *e) {
        _cleanup_(oci_document_freep) OciDocument *d = NULL;
        int r;

        r = read_manifest(a->store, key, &a->manifest, &a->manifest_size, e);
        if (r < 0)
                return r;
        r = oci_document_parse(a->manifest, a->manifest_size, NULL, NULL, &d, e);
        return r < 0 ? error_prefixf(e, r, "image '%s'", key) : make_manifest(a, d, e);
}

static int load_aci(Archive *a, const StoreImage *image, Error *e) {
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL;
        _cleanup_(image_render_done) ImageRender x = IMAGE_RENDER_INIT;
        _cleanup_free_ char *text = NULL;
        char *diff_ids[2] = {};
        size_t size;
        int r;

        r = store_manifest_read(a->store, image->key, &text, &size, e);
        if (r >= 0)
                r = image_manifest_parse(text, size, &m, e);
        if (r >= 0)
                r = image_render_list(a->store, image->key, &x, e);
        if (r >= 0)
                r = store_tree_reader_new(a->store, x.parts, x.n_parts, &a->tree, e);
        if (r < 0)
                return r;
        a->layers = new0(Layer, 1);
        if (!a->layers || name_of_aci(m, &a->reference) < 0)
                return error_oom(e);
        a->n_layers = 1;
        r = measure_tree(a->tree, a->layers, e);
        if (r < 0)
                return r;
        diff_ids[0] = a->layers[0].digest;
        r = oci_config_write(m, diff_ids, &a->config, e);
        if (r < 0)
                return error_prefixf(e, r, "image '%s'", image->name);
        a->config_size = strlen(a->config);
        if (oci_digest_of(DIGEST_SHA256, a->config, a->config_size, a->config_digest) < 0)
                return error_oom(e);
        return make_manifest(a, NULL, e);
}

static int load_oci(Archive *a, const StoreImage *image, Error *e) {
        int r;

        a->layers = new0(Layer, strv_length(image->layers));
        if (!a->layers || name_of_oci(image, &a->reference) < 0)
                return error_oom(e);
        r = store_oci_config_read(a->store, image->key, &a->config, &a->config_size, e);
        if (r < 0)
                return r;
        if (oci_digest_of(DIGEST_SHA256, a->config, a->config_size, a->config_digest) < 0)
                return error_oom(e);
        if (image->config_digest && startswith(image->config_digest, "sha256:") &&
            !streq(image->config_digest, a->config_digest))
                return error_setf(e, -EBADMSG,
                                  "image '%s' is damaged: its config is %s, not %s; " STORE_BLOB_REMEDY,
                                  image->key, a->config_digest, image->config_digest);
        STRV_FOREACH (key, image->layers) {
                r = add_layer(a, *key, e);
                if (r < 0)
                        return r;
        }
        return keep_manifest(a, image->key, e);
}

typedef struct Content {
        TarWriter *w;
        uint64_t left;
} Content;

static int to_member(void *userdata, const void *data, size_t size, Error *e) {
        Content *c = userdata;

        if (size > c->left)
                return error_setf(e, -EBADMSG, "a layer has changed while it was read");
        c->left -= size;
        return tar_writer_content(c->w, data, size, e);
}

static int write_layer(const Archive *a, const Member *m, char *path, TarWriter *w, Error *e) {
        const TarEntry t = { .type = TAR_FILE, .path = path, .mode = 0644, .size = m->size };
        Content c = { w, m->size };
        int r;

        r = tar_writer_entry(w, &t, e);
        if (r >= 0)
                r = m->layer->key ? store_blob_copy(a->store, m->layer->key, to_member, &c, e)
                                  : write_tree(a->tree, to_member, &c, e);
        if (r >= 0 && c.left > 0)
                r = error_setf(e, -EBADMSG, "a layer has changed while it was read");
        return r;
}

static int write_member(const Archive *a, const Member *m, TarWriter *w, Error *e) {
        _cleanup_free_ char *path = strdup(m->path);
        const TarEntry t = { .type = TAR_DIRECTORY, .path = path, .mode = 0755 };

        if (!path)
                return error_oom(e);
        if (m->layer)
                return write_layer(a, m, path, w, e);
        return m->text ? tar_writer_text(w, m->path, m->text, (size_t) m->size, e)
                       : tar_writer_entry(w, &t, e);
}

static int compare_members(const void *a, const void *b) {
        return strcmp(((const Member *) a)->path, ((const Member *) b)->path);
}

/* Sorted; what comes twice, once. */
static int write_members(const Archive *a, Member *members, size_t n, TarSink sink, void *userdata,
                         Error *e) {
        _cleanup_(tar_writer_freep) TarWriter *w = NULL;
        int r;

        qsort(members, n, sizeof(*members), compare_members);
        r = tar_writer_new("", sink, userdata, &w, e);
        for (size_t i = 0; r >= 0 && i < n; i++)
                if (i == 0 || !streq(members[i].path, members[i - 1].path))
                        r = write_member(a, &members[i], w, e);
        return r < 0 ? r : tar_writer_finish(w, e);
}

static Member member_text(const char *path, const char *text, size_t size) {
        Member m = { .text = text, .size = size };

        (void) snprintf(m.path, sizeof(m.path), "%s", path);
        return m;
}

static Member member_blob(const char *digest, const char *text, uint64_t size, const Layer *layer) {
        Member m = { .text = text, .size = size, .layer = layer };

        (void) oci_digest_to_path(digest, m.path);
        return m;
}

static int write_oci(Archive *a, TarSink sink, void *userdata, Error *e) {
        _cleanup_free_ Member *members = new0(Member, a->n_layers + 6);
        _cleanup_free_ char *index = NULL;
        OciBlob manifest;
        size_t n = 0;

        manifest = (OciBlob){ a->manifest_digest, a->manifest_size };
        if (!members || oci_index_write(&manifest, a->reference, &index) < 0)
                return error_oom(e);
        members[n++] = member_text("blobs", NULL, 0);
        members[n++] = member_text("blobs/sha256", NULL, 0);
        members[n++] = member_text("index.json", index, strlen(index));
        members[n++] = member_text("oci-layout", OCI_LAYOUT_TEXT, strlen(OCI_LAYOUT_TEXT));
        members[n++] = member_blob(a->config_digest, a->config, a->config_size, NULL);
        members[n++] = member_blob(a->manifest_digest, a->manifest, a->manifest_size, NULL);
        FOREACH_ARRAY (l, a->layers, a->n_layers)
                members[n++] = member_blob(l->digest, NULL, l->size, l);
        return write_members(a, members, n, sink, userdata, e);
}

static Member member_docker(const char *digest, const char *suffix, const char *text, uint64_t size,
                            const Layer *layer) {
        Member m = { .text = text, .size = size, .layer = layer };

        (void) snprintf(m.path, sizeof(m.path), "%s%s", strchr(digest, ':') + 1, suffix);
        return m;
}

static int write_docker(Archive *a, TarSink sink, void *userdata, Error *e) {
        _cleanup_free_ Member *members = new0(Member, a->n_layers + 2);
        _cleanup_free_ char **layers = new0(char *, a->n_layers + 1);
        _cleanup_free_ char *list = NULL;
        const char *tag = a->reference && strchr(a->reference, ':') ? a->reference : NULL;
        size_t n = 1;

        if (!members || !layers)
                return error_oom(e);
        members[0] = member_docker(a->config_digest, ".json", a->config, a->config_size, NULL);
        FOREACH_ARRAY (l, a->layers, a->n_layers) {
                members[n] = member_docker(l->digest, ".tar", NULL, l->size, l);
                layers[n - 1] = members[n].path;
                n++;
        }
        if (docker_archive_write(members[0].path, tag, layers, &list) < 0)
                return error_oom(e);
        members[n++] = member_text("manifest.json", list, strlen(list));
        return write_members(a, members, n, sink, userdata, e);
}

/**
 * export_archive() - an image with its layers
 * @s:        store, locked shared
 * @image:    what
 * @docker:   as "docker load" reads it; else an OCI layout
 * @sink:     gets the bytes
 * @userdata: for it
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0, -EBADMSG (damaged), -EOPNOTSUPP (what the format cannot say), -ENOENT (a part is not there), -EIO, -ENOMEM, what
 * @sink returned.
 */
int export_archive(Store *s, const StoreImage *image, bool docker, TarSink sink, void *userdata, Error *e) {
        _cleanup_(archive_done) Archive a = { .store = s };
        int r;

        r = image->layers ? load_oci(&a, image, e) : load_aci(&a, image, e);
        if (r < 0)
                return r;
        return docker ? write_docker(&a, sink, userdata, e) : write_oci(&a, sink, userdata, e);
}
