/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Export: which form, and where to. Bytes go from the store through a chain of sinks into the file, in pieces, so the size of
 * an image does not matter. Equal images make equal files: entries are sorted, and what is ours has the time 0. */
#include "image/image-export.h"

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "image/image-export-internal.h"
#include "image/output-file.h"
#include "store/gzip.h"
#include "store/store-blob.h"

static const char *const formats[_IMAGE_FORMAT_MAX] = {
        [IMAGE_FORMAT_DEFAULT] = "default",
        [IMAGE_FORMAT_ACI] = "aci",
        [IMAGE_FORMAT_OCI_ARCHIVE] = "oci-archive",
        [IMAGE_FORMAT_DOCKER_ARCHIVE] = "docker-archive",
};

/**
 * image_format_from_string() - by name
 * @s: as "oci-archive"
 *
 * Return: a format, -EINVAL.
 */
ImageFormat image_format_from_string(const char *s) {
        for (int i = 0; i < _IMAGE_FORMAT_MAX; i++)
                if (streq(formats[i], s))
                        return (ImageFormat) i;
        return _IMAGE_FORMAT_INVALID;
}

/**
 * image_format_to_string() - its name
 * @f: a format
 *
 * Return: text.
 */
const char *image_format_to_string(ImageFormat f) {
        return formats[f];
}

typedef struct Export {
        Store *store;
        const StoreImage *image;
        const char *manifest; /* that goes into the ACI; NULL: the image's own */
        ImageFormat format;
        ImageExportFlags flags;
} Export;

static int tree_entry(void *userdata, const TarEntry *t, int blob_fd, Error *e) {
        return tar_writer_file(userdata, t, blob_fd, e);
}

/**
 * export_tree() - files into an archive
 * @tree: what there is
 * @w:    archive
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, what tar_writer_file() returns.
 */
int export_tree(StoreTreeReader *tree, TarWriter *w, Error *e) {
        return store_tree_reader_walk(tree, tree_entry, w, e);
}

/**
 * export_layers_reader() - look at layers as one file system
 * @s:      store, locked shared
 * @layers: keys, the lowest first
 * @n:      how many of them
 * @ret:    for store_tree_reader_free()
 * @e:      sentence on failure; may be NULL
 *
 * Return: as store_tree_reader_new().
 */
int export_layers_reader(Store *s, char *const *layers, size_t n, StoreTreeReader **ret, Error *e) {
        _cleanup_free_ StoreTreePart *parts = new0(StoreTreePart, n);

        if (!parts)
                return error_oom(e);
        for (size_t i = 0; i < n; i++)
                parts[i].key = layers[i];
        return store_tree_reader_new(s, parts, n, ret, e);
}

/**
 * export_layers_aci() - layers of an OCI image as the rootfs of an ACI
 * @s:        store, locked shared
 * @manifest: text
 * @layers:   keys, the lowest first
 * @n:        how many of them
 * @sink:     gets the bytes
 * @userdata: for it
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0, what store_tree_reader_new() and @sink return.
 */
int export_layers_aci(Store *s, const char *manifest, char *const *layers, size_t n, TarSink sink,
                      void *userdata, Error *e) {
        _cleanup_(store_tree_reader_freep) StoreTreeReader *tree = NULL;
        _cleanup_(tar_writer_freep) TarWriter *w = NULL;
        int r;

        r = export_layers_reader(s, layers, n, &tree, e);
        if (r >= 0)
                r = tar_writer_new("rootfs", sink, userdata, &w, e);
        if (r >= 0)
                r = tar_writer_text(w, "manifest", manifest, strlen(manifest), e);
        if (r >= 0)
                r = export_tree(tree, w, e);
        return r < 0 ? r : tar_writer_finish(w, e);
}

/* An ACI's archive is hashed on the way: one that is damaged is not exported. */
static int write_aci(const Export *x, TarSink sink, void *userdata, Error *e) {
        const StoreImage *i = x->image;
        _cleanup_free_ char *text = NULL;
        int r = 0;

        if (!i->layers)
                return store_blob_copy(x->store, i->key, sink, userdata, e);
        if (!x->manifest)
                r = store_manifest_read(x->store, i->key, &text, NULL, e);
        return r < 0 ? r
                     : export_layers_aci(x->store, x->manifest ? x->manifest : text, i->layers,
                                         strv_length(i->layers), sink, userdata, e);
}

static int write_format(const Export *x, TarSink sink, void *userdata, Error *e) {
        if (x->format == IMAGE_FORMAT_ACI)
                return write_aci(x, sink, userdata, e);
        return export_archive(x->store, x->image, x->format == IMAGE_FORMAT_DOCKER_ARCHIVE, sink, userdata,
                              e);
}

static int write_all(void *userdata, int fd, Error *e) {
        const Export *x = userdata;
        _cleanup_(gzip_freep) Gzip *g = NULL;
        _cleanup_close_ int lock = -EBADF;
        int r;

        r = store_lock(x->store, LOCK_MODE_SHARED, 1, &lock, e);
        if (r < 0)
                return r;
        if (!(x->flags & IMAGE_EXPORT_GZIP))
                return write_format(x, output_sink, &fd, e);
        r = gzip_new(output_sink, &fd, &g, e);
        if (r >= 0)
                r = write_format(x, gzip_push, g, e);
        return r < 0 ? r : gzip_finish(g, e);
}

static ImageFormat choose_format(const StoreImage *image, ImageFormat format) {
        if (format != IMAGE_FORMAT_DEFAULT)
                return format;
        return image->layers ? IMAGE_FORMAT_OCI_ARCHIVE : IMAGE_FORMAT_ACI;
}

/**
 * image_export_converts() - is an archive to be taken apart for this?
 * @image:  what
 * @format: how
 *
 * Return: true if image_export() needs a store that is open for writing.
 */
bool image_export_converts(const StoreImage *image, ImageFormat format) {
        return (choose_format(image, format) == IMAGE_FORMAT_ACI) == (image->layers != NULL);
}

static int export_to(Export *x, const char *path, Error *e) {
        x->format = choose_format(x->image, x->format);
        return output_file_write(path, x->format == IMAGE_FORMAT_ACI ? "output ACI file" : "output file",
                                 x->flags & IMAGE_EXPORT_OVERWRITE, write_all, x, e);
}

/**
 * image_export() - an image as a file
 * @s:      store; open for writing if image_export_converts()
 * @image:  what
 * @path:   file that is made
 * @format: how
 * @flags:  see there
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0, -EEXIST, -EISDIR, -EBADMSG (damaged), -EOPNOTSUPP (what the format cannot say), -ENOENT, -ENOSPC, other errno.
 */
int image_export(Store *s, const StoreImage *image, const char *path, ImageFormat format,
                 ImageExportFlags flags, Error *e) {
        Export x = { .store = s, .image = image, .format = format, .flags = flags };

        return export_to(&x, path, e);
}

/**
 * image_export_aci() - an image of layers as an ACI with another manifest
 * @s:        store, open for writing
 * @image:    what; has layers
 * @manifest: text of the image manifest
 * @path:     file that is made
 * @flags:    see there
 * @e:        sentence on failure; may be NULL
 *
 * Return: as image_export().
 */
int image_export_aci(Store *s, const StoreImage *image, const char *manifest, const char *path,
                     ImageExportFlags flags, Error *e) {
        Export x = {
                .store = s, .image = image, .manifest = manifest, .format = IMAGE_FORMAT_ACI, .flags = flags
        };

        return export_to(&x, path, e);
}
