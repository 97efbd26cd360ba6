/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Export: which form, and where to. Bytes go from the store through a chain of sinks into the file, in pieces, so the size of
 * an image does not matter. Equal images make equal files: entries are sorted, and what is ours has the time 0. */
#include "image/image-export.h"

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/table.h"
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
        ImageFormat format;
        ImageExportFlags flags;
        int fd;
} Export;

static int to_file(void *userdata, const void *data, size_t size, Error *e) {
        const Export *x = userdata;
        int r = fd_write_all(x->fd, data, size);

        return r < 0 ? error_setf(e, r, "cannot write: %s", strerror(-r)) : 0;
}

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
 * export_aci() - the archive of an ACI, byte for byte as its ID was made from
 * @s:        store, locked shared
 * @image:    what
 * @sink:     gets the bytes
 * @userdata: for it
 * @e:        sentence on failure; may be NULL
 *
 * The bytes are hashed on the way: a damaged image is not exported.
 *
 * Return: 0, -EBADMSG (damaged), -ENOENT, -EIO, -ENOMEM, what @sink returned.
 */
int export_aci(Store *s, const StoreImage *image, TarSink sink, void *userdata, Error *e) {
        return store_blob_copy(s, image->key, sink, userdata, e);
}

static int write_format(const Export *x, TarSink sink, void *userdata, Error *e) {
        if (x->format == IMAGE_FORMAT_ACI)
                return export_aci(x->store, x->image, sink, userdata, e);
        return export_archive(x->store, x->image, x->format == IMAGE_FORMAT_DOCKER_ARCHIVE, sink, userdata,
                              e);
}

static int write_all(void *userdata, int fd, Error *e) {
        Export *x = userdata;
        _cleanup_(gzip_freep) Gzip *g = NULL;
        _cleanup_close_ int lock = -EBADF;
        int r;

        x->fd = fd;
        r = store_lock(x->store, LOCK_MODE_SHARED, 1, &lock, e);
        if (r < 0)
                return r;
        if (!(x->flags & IMAGE_EXPORT_GZIP))
                return write_format(x, to_file, x, e);
        r = gzip_new(to_file, x, &g, e);
        if (r >= 0)
                r = write_format(x, gzip_push, g, e);
        return r < 0 ? r : gzip_finish(g, e);
}

/**
 * image_export_converts() - is an archive to be taken apart for this?
 * @image:  what
 * @format: how
 *
 * Return: true if image_export() needs a store that is open for writing.
 */
bool image_export_converts(const StoreImage *image, ImageFormat format) {
        return format != IMAGE_FORMAT_DEFAULT && format != IMAGE_FORMAT_ACI;
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
        Export x = { .store = s, .image = image, .format = format, .flags = flags, .fd = -EBADF };

        if (x.format == IMAGE_FORMAT_DEFAULT)
                x.format = IMAGE_FORMAT_ACI;
        return output_file_write(path, x.format == IMAGE_FORMAT_ACI ? "output ACI file" : "output file",
                                 flags & IMAGE_EXPORT_OVERWRITE, write_all, &x, e);
}
