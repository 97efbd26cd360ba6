/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What "docker save" writes says what its images are called, and so does a layout, if it was made with a whole name. */
#include "verbs/docker2aci-file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "image/image-limits.h"
#include "oci/docker-archive.h"
#include "oci/oci-document.h"
#include "store/store-archive.h"

/* A document of the file or the directory; NULL: there is none. */
static int read_document(Store *s, const char *path, bool is_dir, const char *name, char **ret,
                         size_t *ret_size, Error *e) {
        const ImageLimits limits = IMAGE_LIMITS_DEFAULT;
        _cleanup_(store_archive_closep) StoreArchive *a = NULL;
        _cleanup_close_ int dir = -EBADF;
        _cleanup_free_ char *data = NULL;
        uint64_t offset, size;
        int r;

        *ret = NULL;
        if (is_dir) {
                dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                r = dir < 0 ? -errno : file_read_at(dir, name, OCI_DOCUMENT_MAX, ret, ret_size);
                return r == -ENOENT ? 0
                       : r < 0      ? error_setf(e, r, "cannot read '%s/%s': %s", path, name, strerror(-r))
                                    : 0;
        }
        r = store_archive_open(s, path, &limits.import, &a, e);
        if (r < 0)
                return r;
        r = store_archive_find(a, name, &offset, &size, NULL);
        if (r < 0)
                return r == -ENOENT ? 0 : error_setf(e, r, "'%s': cannot read %s", path, name);
        if (size > OCI_DOCUMENT_MAX)
                return error_setf(e, -E2BIG, "'%s': %s has more than %u bytes", path, name, OCI_DOCUMENT_MAX);
        data = malloc(size + 1);
        if (!data)
                return error_oom(e);
        if (pread(store_archive_fd(a), data, size, (off_t) offset) != (ssize_t) size)
                return error_setf(e, -EIO, "'%s': cannot read %s", path, name);
        data[size] = '\0';
        *ret = TAKE_PTR(data);
        *ret_size = (size_t) size;
        return 0;
}

/* The first name of the only image. */
static int only_tag(const DockerArchive *a, char **ret, Error *e) {
        _cleanup_strbuf_ StrBuf all = STRBUF_INIT;
        const char *tag;

        if (a->n_images == 1) {
                tag = a->images[0].repo_tags ? a->images[0].repo_tags[0] : NULL;
                *ret = tag ? strdup(tag) : NULL;
                return tag && !*ret ? error_oom(e) : 0;
        }
        FOREACH_ARRAY (i, a->images, a->n_images)
                STRV_FOREACH (t, i->repo_tags)
                        strbuf_addf(&all, "\n%.200s", *t);
        return error_setf(e, -ENOTUNIQ, "several images found, use option --image with one of:\n%s",
                          str_or(all.data, ""));
}

static int tag_of_index(const OciDocument *d, char **ret) {
        static const char *const names[] = { OCI_ANNOTATION_CONTAINERD, OCI_ANNOTATION_REFERENCE };

        if (d->n_manifests != 1)
                return 0;
        FOREACH_ARRAY (n, names, ELEMENTSOF(names)) {
                const char *tag =
                        ac_pairs_get(d->manifests[0].annotations, d->manifests[0].n_annotations, *n);

                /* "v1" alone says nothing of the image */
                if (tag && strchr(tag, '/')) {
                        *ret = strdup(tag);
                        return *ret ? 0 : -ENOMEM;
                }
        }
        return 0;
}

static int find_tag(Store *s, const char *path, bool is_dir, char **ret, Error *e) {
        _cleanup_(docker_archive_freep) DockerArchive *a = NULL;
        _cleanup_(oci_document_freep) OciDocument *d = NULL;
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        int r;

        r = is_dir ? 0 : read_document(s, path, is_dir, "manifest.json", &text, &size, e);
        if (r >= 0 && text) {
                r = docker_archive_parse(text, size, &a, e);
                return r < 0 ? r : only_tag(a, ret, e);
        }
        if (r >= 0)
                r = read_document(s, path, is_dir, "index.json", &text, &size, e);
        if (r >= 0 && text)
                r = oci_document_parse(text, size, NULL, OCI_TYPE_INDEX, &d, e);
        if (r < 0 || !d)
                return r;
        return tag_of_index(d, ret) < 0 ? error_oom(e) : 0;
}

/* FILE,IMAGE, unless there is a file of that whole name. */
static int split(const char *arg, const char *image, char **ret_path, char **ret_image) {
        const char *comma = strrchr(arg, ',');

        if (!image && comma && access(arg, F_OK) < 0) {
                *ret_path = strndup(arg, (size_t) (comma - arg));
                *ret_image = strdup(comma + 1);
                return *ret_path && *ret_image ? 0 : -ENOMEM;
        }
        *ret_path = strdup(arg);
        *ret_image = image ? strdup(image) : NULL;
        return *ret_path && (*ret_image || !image) ? 0 : -ENOMEM;
}

/**
 * docker2aci_file() - what a user means by a file
 * @s:             store, open for writing
 * @arg:           FILE[,IMAGE[:TAG]]
 * @image:         IMAGE[:TAG]; NULL: not given
 * @ret_reference: for image_get(); free()
 * @ret_tag:       what the image is called; NULL: nobody says; free()
 * @e:             sentence on failure; may be NULL
 *
 * Return: 0, -ENOENT, -ENOTUNIQ (several images), -EBADMSG (no archive of images), what store_archive_open() returns.
 */
int docker2aci_file(Store *s, const char *arg, const char *image, char **ret_reference, char **ret_tag,
                    Error *e) {
        _cleanup_free_ char *path = NULL, *wanted = NULL;
        struct stat st;
        bool is_dir;
        int r;

        if (split(arg, image, &path, &wanted) < 0)
                return error_oom(e);
        if (stat(path, &st) < 0)
                return error_setf(e, -errno, "cannot open '%s': %m", path);
        is_dir = S_ISDIR(st.st_mode);
        r = wanted ? 0 : find_tag(s, path, is_dir, ret_tag, e);
        if (r < 0)
                return r;
        *ret_reference = strf("%s:%s%s%s", is_dir ? "oci" : "docker-archive", path, wanted ? ":" : "",
                              str_or(wanted, ""));
        if (wanted)
                *ret_tag = TAKE_PTR(wanted);
        return *ret_reference ? 0 : error_oom(e);
}
