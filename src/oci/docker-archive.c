/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* manifest.json of docker-archive: a list of {"Config","RepoTags","Layers"}. No digests, no sizes: what the files are is
 * told by the config's diff_ids alone. */
#include "oci/docker-archive.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "manifest/ac-types.h"
#include "oci/oci-document.h"
#include "oci/oci-name.h"

/* A path is only compared with the names in the archive; what leads out of it can be none of them. */
static bool is_inner_path(const char *s) {
        if (!*s || *s == '/' || strlen(s) > OCI_PATH_MAX)
                return false;
        for (const char *c = s;; c++) {
                size_t n = strcspn(c, "/");

                if (n == 0 || (n <= 2 && strspn(c, ".") == n))
                        return false;
                c += n;
                if (!*c)
                        return true;
        }
}

static int image_check(void *p, Error *e) {
        DockerArchiveImage *i = p;
        size_t n = strv_length(i->layers);

        if (!is_inner_path(i->config))
                return error_setf(e, -EINVAL, "'%.200s' is no path inside the archive", i->config);
        STRV_FOREACH (l, i->layers)
                if (!is_inner_path(*l))
                        return error_setf(e, -EINVAL, "'%.200s' is no path inside the archive", *l);
        if (n == 0)
                return error_setf(e, -EBADMSG, "the image has no layers");
        if (n > OCI_LAYERS_MAX)
                return error_setf(e, -E2BIG, "the image has %zu layers, at most %u are possible", n,
                                  OCI_LAYERS_MAX);
        return 0;
}

static void image_done(void *p) {
        DockerArchiveImage *i = p;

        free(i->config);
        (void) strv_free(i->repo_tags);
        (void) strv_free(i->layers);
}

static const JsonField image_fields[] = {
        JSON_ROW("Config", json_kind_string, DockerArchiveImage, config, JSON_MANDATORY),
        JSON_ROW("RepoTags", json_kind_strv, DockerArchiveImage, repo_tags, 0),
        JSON_ROW("Layers", json_kind_strv, DockerArchiveImage, layers, JSON_MANDATORY),
        {},
};

static const JsonStruct image_type = {
        .size = sizeof(DockerArchiveImage),
        .fields = image_fields,
        .flags = JSON_OPEN,
        .done = image_done,
        .check = image_check,
};

/**
 * docker_archive_free() - free the list of images
 * @a: may be NULL or half-filled
 *
 * Return: NULL.
 */
DockerArchive *docker_archive_free(DockerArchive *a) {
        if (!a)
                return NULL;
        json_list_free(&image_type, a->images, a->n_images);
        free(a);
        return NULL;
}

/**
 * docker_archive_parse() - read manifest.json
 * @data: @size bytes, from an archive
 * @size: bytes
 * @ret:  docker_archive_free() it
 * @e:    says what is wrong
 *
 * Return: 0; those of json_parse() and json_map(); -EINVAL (a path that leads out), -EBADMSG (no layers), -E2BIG.
 */
int docker_archive_parse(const char *data, size_t size, DockerArchive **ret, Error *e) {
        _cleanup_(docker_archive_freep) DockerArchive *a = NULL;
        _cleanup_(json_freep) JsonValue *v = NULL;
        int r;

        r = json_parse(data, size, &v, e);
        if (r >= 0)
                r = json_expect(v, JSON_ARRAY, e);
        if (r < 0)
                return error_prefixf(e, r, "manifest.json");
        if (json_length(v) > DOCKER_ARCHIVE_IMAGES_MAX)
                return error_setf(e, -E2BIG, "manifest.json: more than %u images", DOCKER_ARCHIVE_IMAGES_MAX);
        a = new0(DockerArchive, 1);
        if (a)
                a->images = new0(DockerArchiveImage, json_length(v));
        if (!a || !a->images)
                return error_oom(e);
        JSON_FOREACH (i, v) {
                r = json_map_struct(i, &image_type, &a->images[a->n_images++], e);
                if (r < 0)
                        return error_prefixf(e, r, "manifest.json: image %zu", a->n_images);
        }
        *ret = TAKE_PTR(a);
        return 0;
}

/* "redis" and "docker.io/library/redis:latest" are one name. */
static int normalize(const char *tag, char **ret) {
        _cleanup_(oci_name_freep) OciName *n = NULL;
        _cleanup_free_ char *text = strf("docker://%s", tag);
        int r;

        if (!text)
                return -ENOMEM;
        r = oci_name_parse(text, &n, NULL);
        return r < 0 ? r : oci_name_tagged(n, ret);
}

static int is_called(const DockerArchiveImage *i, const char *wanted) {
        STRV_FOREACH (t, i->repo_tags) {
                _cleanup_free_ char *tag = NULL;
                int r;

                r = normalize(*t, &tag);
                if (r == -ENOMEM)
                        return r;
                if (r >= 0 && streq(tag, wanted))
                        return 1;
        }
        return 0;
}

static int choose_by_name(const DockerArchive *a, const char *reference, const DockerArchiveImage **ret,
                          Error *e) {
        _cleanup_free_ char *wanted = NULL;
        int r;

        r = normalize(reference, &wanted);
        if (r == -ENOMEM)
                return error_oom(e);
        if (r < 0)
                return error_setf(e, -EINVAL, "'%.300s' is no NAME[:TAG] of an image", reference);
        FOREACH_ARRAY (i, a->images, a->n_images) {
                r = is_called(i, wanted);
                if (r < 0)
                        return error_oom(e);
                if (r > 0) {
                        *ret = i;
                        return 0;
                }
        }
        return error_setf(e, -ENOENT, "no image is called '%.300s'; the first of %zu is '%.300s'", reference,
                          a->n_images,
                          a->n_images && a->images[0].repo_tags && *a->images[0].repo_tags
                                  ? *a->images[0].repo_tags
                                  : "@0");
}

/**
 * docker_archive_choose() - the image that is meant
 * @a:         list of images
 * @reference: NAME[:TAG], "@N" for the Nth, NULL for the only one
 * @ret:       belongs to @a
 * @e:         says what there is
 *
 * Return: 0, -ENOENT, -ENOTUNIQ (more than one), -EINVAL (@reference), -ENOMEM.
 */
int docker_archive_choose(const DockerArchive *a, const char *reference, const DockerArchiveImage **ret,
                          Error *e) {
        uint64_t i = 0;

        if (reference && *reference != '@')
                return choose_by_name(a, reference, ret, e);
        if (reference && parse_uint64(reference + 1, &i) < 0)
                return error_setf(e, -EINVAL, "'%.300s' is no number of an image", reference);
        if (!reference && a->n_images > 1)
                return error_setf(e, -ENOTUNIQ, "there are %zu images; name one, or write @0, @1, ...",
                                  a->n_images);
        if (i >= a->n_images)
                return error_setf(e, -ENOENT, "there is no such image; there are %zu", a->n_images);
        *ret = &a->images[i];
        return 0;
}
