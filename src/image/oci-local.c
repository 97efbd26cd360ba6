/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images of layouts (oci:), layouts in archives (oci-archive:) and what "docker save" writes (docker-archive:).
 *
 * A layout's files are opened without following links: who can write into it could make us read what he cannot. In an
 * archive a link leads to another file of the archive. Documents are parsed here, in root's process, because whoever
 * names the file answers for it, or has verified it; they are bounded, and their digests are checked first. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "image/oci-image.h"
#include "oci/docker-archive.h"
#include "oci/oci-digest.h"

#define LAYOUT_FILE_MAX 4096U /* bytes of "oci-layout" */

/* The files of a layout or an archive. */
typedef struct Files {
        const OciName *name;
        const OciLoadOptions *options;
        int dir_fd; /* a layout; else archive */
        const StoreArchive *archive;
} Files;

/* A range of bytes of a descriptor. */
typedef struct Range {
        int fd; /* the caller's */
        uint64_t offset;
        uint64_t size;
} Range;

#define RANGE_INIT ((Range){ .fd = -EBADF })

static void range_done(Range *x) {
        (void) fd_close(x->fd);
}

static int open_in_layout(const Files *f, const char *path, Range *ret, Error *e) {
        _cleanup_close_ int fd = open_resolved(f->dir_fd, path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0,
                                               RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
        struct stat st;

        if (fd == -ELOOP)
                return error_setf(e, -ELOOP, "'%s' is a link, or lies behind one; that is not followed",
                                  path);
        if (fd < 0)
                return error_setf(e, fd, "cannot open '%s': %s", path, strerror(-fd));
        if (fstat(fd, &st) < 0)
                return error_setf(e, -errno, "cannot open '%s': %s", path, strerror(errno));
        if (!S_ISREG(st.st_mode))
                return error_setf(e, -EINVAL, "'%s' is not a regular file", path);
        *ret = (Range){ .fd = TAKE_FD(fd), .size = (uint64_t) st.st_size };
        return 0;
}

static int open_file(const Files *f, const char *path, Range *ret, Error *e) {
        Range x = RANGE_INIT;
        int r;

        if (!f->archive)
                return open_in_layout(f, path, ret, e);
        r = store_archive_find(f->archive, path, &x.offset, &x.size, e);
        if (r < 0)
                return r;
        x.fd = fcntl(store_archive_fd(f->archive), F_DUPFD_CLOEXEC, 3);
        if (x.fd < 0)
                return error_setf(e, -errno, "cannot duplicate a descriptor: %s", strerror(errno));
        *ret = x;
        return 0;
}

static bool has_file(const Files *f, const char *path) {
        _cleanup_(range_done) Range x = RANGE_INIT;

        return open_file(f, path, &x, NULL) >= 0;
}

static int read_range(const Range *x, const char *path, char **ret, Error *e) {
        _cleanup_free_ char *data = malloc((size_t) x->size + 1);

        if (!data)
                return error_oom(e);
        for (size_t n = 0; n < x->size;) {
                ssize_t k = pread(x->fd, data + n, (size_t) x->size - n, (off_t) (x->offset + n));

                if (k < 0 && errno == EINTR)
                        continue;
                if (k <= 0)
                        return error_setf(e, k < 0 ? -errno : -EBADMSG, "cannot read '%s': %s", path,
                                          k < 0 ? strerror(errno) : "it was cut off meanwhile");
                n += (size_t) k;
        }
        data[x->size] = '\0';
        *ret = TAKE_PTR(data);
        return 0;
}

static int read_file(const Files *f, const char *path, size_t size_max, char **ret, size_t *ret_size,
                     Error *e) {
        _cleanup_(range_done) Range x = RANGE_INIT;
        int r = open_file(f, path, &x, e);

        if (r < 0)
                return r;
        if (x.size > size_max)
                return error_setf(e, -E2BIG, "'%s' has %llu bytes, at most %zu are allowed", path,
                                  (unsigned long long) x.size, size_max);
        r = read_range(&x, path, ret, e);
        if (r >= 0)
                *ret_size = (size_t) x.size;
        return r;
}

static int open_blob(const Files *f, const char *digest, uint64_t size, Range *ret, Error *e) {
        _cleanup_(range_done) Range x = RANGE_INIT;
        char path[OCI_BLOB_PATH_MAX];
        int r = oci_digest_to_path(digest, path);

        if (r < 0)
                return error_setf(e, r, "'%.200s' is no digest", digest);
        r = open_file(f, path, &x, e);
        if (r < 0)
                return r;
        if (x.size != size)
                return error_setf(e, -EBADMSG, "'%s' has %llu bytes, and should have %llu", path,
                                  (unsigned long long) x.size, (unsigned long long) size);
        *ret = x;
        x = RANGE_INIT;
        return 0;
}

/* An index, a manifest or a config: whole, and with the right digest. */
static int read_blob(const Files *f, const OciDescriptor *d, const char *what, char **ret, size_t *ret_size,
                     Error *e) {
        _cleanup_(range_done) Range x = RANGE_INIT;
        _cleanup_free_ char *data = NULL;
        int r;

        if (d->size > OCI_DOCUMENT_MAX)
                return error_setf(e, -E2BIG, "%s %s has %llu bytes, at most %u are allowed", what, d->digest,
                                  (unsigned long long) d->size, OCI_DOCUMENT_MAX);
        r = open_blob(f, d->digest, d->size, &x, e);
        if (r >= 0)
                r = read_range(&x, d->digest, &data, e);
        if (r >= 0)
                r = oci_digest_verify(d->digest, data, (size_t) x.size, what, e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(data);
        *ret_size = (size_t) x.size;
        return 0;
}

static int read_index(const Files *f, OciDocument **ret, Error *e) {
        _cleanup_free_ char *layout = NULL, *index = NULL;
        size_t layout_size = 0, index_size = 0;
        int r;

        r = read_file(f, "oci-layout", LAYOUT_FILE_MAX, &layout, &layout_size, e);
        if (r >= 0)
                r = oci_layout_check(layout, layout_size, e);
        if (r >= 0)
                r = read_file(f, "index.json", OCI_DOCUMENT_MAX, &index, &index_size, e);
        if (r >= 0) {
                r = oci_document_parse(index, index_size, NULL, OCI_TYPE_INDEX, ret, e);
                if (r < 0)
                        return error_prefixf(e, r, "index.json");
        }
        return r;
}

/* From an entry of index.json to a manifest, through one index that may stand between. */
static int read_manifest(const Files *f, const OciDescriptor *d, OciImage *i, OciDocument **ret, Error *e) {
        _cleanup_(oci_document_freep) OciDocument *inner = NULL;

        for (unsigned depth = 0;; depth++) {
                _cleanup_(oci_document_freep) OciDocument *doc = NULL;
                _cleanup_free_ char *data = NULL;
                size_t size = 0;
                int r;

                r = read_blob(f, d, oci_type_is_index(d->media_type) ? "index" : "manifest", &data, &size, e);
                if (r >= 0)
                        r = oci_document_parse(data, size, NULL, d->media_type, &doc, e);
                if (r < 0)
                        return error_prefixf(e, r, "%s", d->digest);
                if (!doc->is_index) {
                        i->manifest = TAKE_PTR(data);
                        i->manifest_size = size;
                        i->manifest_digest = strdup(d->digest);
                        *ret = TAKE_PTR(doc);
                        return i->manifest_digest ? 0 : error_oom(e);
                }
                if (!i->index_digest && str_replace(&i->index_digest, d->digest) < 0)
                        return error_oom(e);
                r = oci_index_choose(doc, f->options->platform, depth, &d, e);
                if (r < 0)
                        return error_prefixf(e, r, "%s", i->index_digest);
                /* d is its */
                oci_document_free(inner);
                inner = TAKE_PTR(doc);
        }
}

static int open_layers(const Files *f, OciImage *i, Error *e) {
        FOREACH_ARRAY (l, i->layers, i->n_layers) {
                _cleanup_(range_done) Range x = RANGE_INIT;
                int r = open_blob(f, l->digest, l->size, &x, e);

                if (r < 0)
                        return error_prefixf(e, r, "layer %s", l->digest);
                l->fd = TAKE_FD(x.fd);
                l->offset = x.offset;
        }
        return 0;
}

/* "redis:7" or "docker.io/library/redis:7"; what is no name of an image is none of this one. */
static int set_saved_as(OciImage *i, const char *tag, Error *e) {
        _cleanup_free_ char *text = strf("docker://%s", tag);
        int r = text ? oci_name_parse(text, &i->saved_as, NULL) : -ENOMEM;

        return r == -ENOMEM ? error_oom(e) : 0;
}

static int load_layout(const Files *f, const char *reference, OciImage *i, Error *e) {
        _cleanup_(oci_document_freep) OciDocument *index = NULL, *manifest = NULL;
        const OciDescriptor *d;
        const char *saved_as;
        int r;

        r = read_index(f, &index, e);
        if (r >= 0)
                r = oci_layout_choose(index, reference, f->options->platform, &d, e);
        saved_as = r >= 0 && f->name->transport == OCI_TRANSPORT_DOCKER_ARCHIVE
                           ? ac_pairs_get(d->annotations, d->n_annotations, OCI_ANNOTATION_CONTAINERD)
                           : NULL;
        if (saved_as)
                r = set_saved_as(i, saved_as, e);
        if (r >= 0)
                r = read_manifest(f, d, i, &manifest, e);
        if (r < 0)
                return r;
        assert(manifest);
        r = oci_document_check_image(manifest, e);
        if (r >= 0)
                r = read_blob(f, manifest->config, "config", &i->config, &i->config_size, e);
        if (r >= 0 && str_replace(&i->config_digest, manifest->config->digest) < 0)
                r = error_oom(e);
        if (r >= 0)
                r = oci_image_set_layers(i, manifest, e);
        return r < 0 ? r : open_layers(f, i, e);
}

/* Without digests; what the layers unpack to is checked by the config. */
static int load_saved(const Files *f, OciImage *i, Error *e) {
        _cleanup_(docker_archive_freep) DockerArchive *list = NULL;
        const DockerArchiveImage *image;
        char digest[OCI_DIGEST_MAX];
        _cleanup_free_ char *data = NULL;
        size_t size = 0;
        int r;

        r = read_file(f, "manifest.json", OCI_DOCUMENT_MAX, &data, &size, e);
        if (r >= 0)
                r = docker_archive_parse(data, size, &list, e);
        if (r >= 0)
                r = docker_archive_choose(list, f->name->reference, &image, e);
        if (r >= 0 && image->repo_tags && *image->repo_tags)
                r = set_saved_as(i,
                                 f->name->reference && *f->name->reference != '@' ? f->name->reference
                                                                                  : *image->repo_tags,
                                 e);
        if (r >= 0)
                r = read_file(f, image->config, OCI_DOCUMENT_MAX, &i->config, &i->config_size, e);
        if (r < 0)
                return r;
        for (char *const *path = image->layers; path && *path; path++) {
                _cleanup_(range_done) Range x = RANGE_INIT;

                if (i->n_layers >= OCI_LAYERS_MAX)
                        return error_setf(e, -E2BIG, "the image has more than %u layers", OCI_LAYERS_MAX);
                r = open_file(f, *path, &x, e);
                if (r < 0)
                        return error_prefixf(e, r, "layer %zu", i->n_layers);
                if (!GREEDY_GROW(i->layers, i->n_layers))
                        return error_oom(e);
                i->layers[i->n_layers++] =
                        (OciLayer){ .fd = TAKE_FD(x.fd), .offset = x.offset, .size = x.size };
        }
        if (i->n_layers == 0)
                return error_setf(e, -EBADMSG, "the image has no layers");
        r = oci_digest_of(DIGEST_SHA256, i->config, i->config_size, digest);
        if (r >= 0)
                r = str_replace(&i->config_digest, digest);
        return r < 0 ? error_oom(e) : 0;
}

/* Newer versions of Docker write both forms into one archive; the layout has the digests. */
static int load_docker_archive(const Files *f, OciImage *i, Error *e) {
        _cleanup_(oci_name_freep) OciName *tagged = NULL;
        _cleanup_free_ char *text = NULL, *reference = NULL;
        int r;

        if (!has_file(f, "oci-layout") || !has_file(f, "index.json"))
                return load_saved(f, i, e);
        if (!f->name->reference || *f->name->reference == '@')
                return load_layout(f, f->name->reference, i, e);
        text = strf("docker://%s", f->name->reference);
        if (!text)
                return error_oom(e);
        r = oci_name_parse(text, &tagged, e);
        if (r >= 0)
                r = oci_name_tagged(tagged, &reference);
        return r < 0 ? r : load_layout(f, reference, i, e);
}

static int load(Store *s, Files *f, OciImage *i, Error *e) {
        int r;

        if (f->name->transport == OCI_TRANSPORT_LAYOUT) {
                _cleanup_close_ int dir = open(f->name->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

                if (dir < 0)
                        return error_setf(e, -errno, "cannot open '%s': %s", f->name->path, strerror(errno));
                f->dir_fd = dir;
                return load_layout(f, f->name->reference, i, e);
        }
        r = store_archive_open(s, f->name->path, &f->options->limits->import, &i->archive, e);
        if (r < 0)
                return r;
        f->archive = i->archive;
        return f->name->transport == OCI_TRANSPORT_LAYOUT_ARCHIVE ? load_layout(f, f->name->reference, i, e)
                                                                  : load_docker_archive(f, i, e);
}

/**
 * oci_local_load() - the documents of an image in a layout or an archive, and its layers
 * @s:    opened for writing: an archive that is compressed is unpacked there
 * @name: of a layout or an archive
 * @o:    what is taken
 * @ret:  oci_image_done()
 * @e:    sentence on failure; may be NULL
 *
 * The layers' own bytes are not looked at.
 *
 * Return: 0; -ENOENT (no such file, no such image), -ENOTUNIQ (more than one), -EBADMSG (size, digest, damaged),
 * -ELOOP (a link in a layout), -EOPNOTSUPP (version, media type), -E2BIG, what store_archive_open() and the parsers return.
 */
int oci_local_load(Store *s, const OciName *name, const OciLoadOptions *o, OciImage *ret, Error *e) {
        Files f = { .name = name, .options = o, .dir_fd = -EBADF };
        OciImage i = OCI_IMAGE_INIT;
        int r;

        r = load(s, &f, &i, e);
        if (r >= 0)
                r = oci_image_set_config(&i, e);
        if (r < 0) {
                oci_image_done(&i);
                return r;
        }
        *ret = i;
        return 0;
}
