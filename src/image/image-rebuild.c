/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file in cas/ref/image that says what an image is called may be damaged, while its content and its manifest are not. Its name
 * has the key; the content, read once, has the ID and proves that it is what the key says; the manifest has the name and the
 * labels. What nobody else knows is lost: where it came from, and who signed it. */
#include "image/image-rebuild.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "basic/digest.h"
#include "basic/fd.h"
#include "basic/path.h"
#include "basic/str.h"
#include "manifest/image-manifest.h"
#include "store/store-blob.h"
#include "store/store-layer.h"
#include "store/store-verify.h"

static int on_bytes(void *userdata, const void *data, size_t size, Error *e) {
        int r = digest_update(userdata, data, size);

        return r < 0 ? error_setf(e, r, "cannot hash: %s", strerror(-r)) : 0;
}

/* The ID, of which the key is the beginning; size and age of the content. */
static int read_content(Store *s, const char *key, StoreImage *image, Error *e) {
        _cleanup_(digest_freep) Digest *d = NULL;
        _cleanup_close_ int fd = -EBADF;
        char hex[DIGEST_HEX_MAX];
        struct stat st;
        int r;

        if (digest_new(DIGEST_SHA512, &d) < 0)
                return error_oom(e);
        r = store_blob_open(s, key, &fd, &image->size, e);
        if (r >= 0 && fstat(fd, &st) < 0)
                r = error_setf(e, -errno, "cannot examine image '%s': %m", key);
        if (r >= 0)
                r = store_blob_copy(s, key, on_bytes, d, e);
        if (r < 0)
                return r;
        image->import_usec = st.st_mtim.tv_sec > 0 ? (usec_t) st.st_mtim.tv_sec * USEC_PER_SEC : 0;
        image->id = digest_final_hex(d, hex) < 0 ? NULL : strf("sha512-%s", hex);
        return image->id ? 0 : error_oom(e);
}

static int read_manifest(Store *s, const char *key, StoreImage *image, Error *e) {
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL;
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r = store_manifest_read(s, key, &text, &size, e);

        if (r >= 0)
                r = image_manifest_parse(text, size, &m, e);
        if (r < 0)
                return r;
        image->name = strdup(m->name);
        image->labels = new0(StoreLabel, m->n_labels);
        if (!image->name || !image->labels)
                return error_oom(e);
        for (; image->n_labels < m->n_labels; image->n_labels++) {
                const AcPair *from = &m->labels[image->n_labels];

                image->labels[image->n_labels] =
                        (StoreLabel){ .name = strdup(from->name), .value = strdup(from->value) };
                if (!image->labels[image->n_labels].name || !image->labels[image->n_labels].value) {
                        image->n_labels++;
                        return error_oom(e);
                }
        }
        return 0;
}

/* Which layers an image of a registry has, and for which names, its own documents do not say. */
static int check_kind(Store *s, const char *key, Error *e) {
        _cleanup_free_ char *config = NULL;
        size_t size;

        return store_oci_config_read(s, key, &config, &size, NULL) == -ENOENT
                       ? 0
                       : error_setf(e, -EOPNOTSUPP, "image '%s' came from a registry: " STORE_BLOB_REMEDY,
                                    key);
}

/**
 * image_rebuild() - make a damaged file of an image anew
 * @s:    store; hold a shared store_lock(), so that nothing is collected meanwhile
 * @path: of StoreImageList.damaged
 * @ret:  what is known now; store_image_done()
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0; -EBADMSG: the content or the manifest is damaged, too, or is not what the file's name says; -ENOENT: one of them
 * is not there; -EOPNOTSUPP: an image that must be fetched again; -EIO, -ENOSPC, -ENOMEM.
 */
int image_rebuild(Store *s, const char *path, StoreImage *ret, Error *e) {
        _cleanup_(store_image_done) StoreImage image = STORE_IMAGE_INIT;
        char key[STORE_KEY_MAX];
        int r;

        (void) snprintf(key, sizeof(key), "%s", path_basename(path));
        if (!store_key_is_valid(key))
                return error_setf(e, -EINVAL, "'%s' is no file of an image", path);
        r = check_kind(s, key, e);
        if (r >= 0)
                r = read_manifest(s, key, &image, e);
        if (r >= 0)
                r = read_content(s, key, &image, e);
        if (r >= 0)
                r = store_image_restore(s, path, &image, e);
        if (r < 0)
                return r;
        image.key = strdup(key);
        if (!image.key)
                return error_oom(e);
        *ret = image;
        image = STORE_IMAGE_INIT;
        return 0;
}
