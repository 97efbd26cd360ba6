/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An OCI image in the store: the bytes of its manifest under its key, what was made of them beside, its layers by name. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/digest.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "store/store-blob.h"
#include "store/store-internal.h"
#include "store/store-layer.h"
#include "store/tree-backend.h"

#define CONFIG_SUFFIX ".config"

static int compute_id(const StoreOciParts *p, StoreImage *image, Error *e) {
        _cleanup_(digest_freep) Digest *d = NULL;
        char hex[DIGEST_HEX_MAX], id[STORE_ID_MAX], key[STORE_KEY_MAX];
        int r;

        if (digest_new(DIGEST_SHA512, &d) < 0)
                return error_oom(e);
        r = digest_update(d, p->manifest, p->manifest_size);
        if (r >= 0)
                r = digest_final_hex(d, hex);
        if (r < 0)
                return error_setf(e, r, "cannot hash the manifest");
        (void) snprintf(id, sizeof(id), "sha512-%s", hex);
        (void) store_key_from_id(id, key);
        if (str_replace(&image->id, id) < 0 || str_replace(&image->key, key) < 0)
                return error_oom(e);
        return 0;
}

/* Bytes of a tree's file, if it is one. */
static uint64_t tree_size(Store *s, const char *key) {
        static const char *const names[] = { "index.erofs", "image.erofs" };
        char dir[STORE_TREE_PATH_MAX], path[STORE_TREE_PATH_MAX + 32];
        struct stat st;

        store_tree_path(key, dir);
        FOREACH_ARRAY (n, names, ELEMENTSOF(names)) {
                (void) snprintf(path, sizeof(path), "%s/%s", dir, *n);
                if (fstatat(s->cas_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
                        return (uint64_t) st.st_size;
        }
        return 0;
}

/**
 * store_layers_size() - how large the blobs of layers are
 * @s:        store
 * @layers:   keys; one that comes more than once counts once
 * @ret_size: bytes of blobs
 * @ret_tree: bytes of their trees, as far as these are single files; may be NULL
 *
 * Return: 0, -ENOENT (one is not there, or is no file).
 */
int store_layers_size(Store *s, char *const *layers, uint64_t *ret_size, uint64_t *ret_tree) {
        uint64_t size = 0, tree = 0;

        for (char *const *l = layers; l && *l; l++) {
                char path[STORE_BLOB_PATH_MAX];
                bool is_known = false;
                struct stat st;

                for (char *const *before = layers; before < l; before++)
                        is_known = is_known || streq(*before, *l);
                if (is_known)
                        continue;
                store_blob_path(*l, "", path);
                if (fstatat(s->cas_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
                        return -ENOENT;
                size += (uint64_t) st.st_size;
                if (ret_tree)
                        tree += tree_size(s, *l);
        }
        *ret_size = size;
        if (ret_tree)
                *ret_tree = tree;
        return 0;
}

static int check_parts(const StoreOciParts *p, const StoreImage *image, Error *e) {
        if (p->manifest_size > STORE_OCI_DOCUMENT_MAX || p->config_size > STORE_OCI_DOCUMENT_MAX ||
            strlen(p->appc_manifest) > STORE_MANIFEST_MAX)
                return error_setf(e, -E2BIG, "the image's manifest or configuration is too large");
        return store_layers_check(image->layers, e);
}

/* Under the lock, beneath which images and layers are removed. */
static int make_visible(Store *s, int tmp_fd, const int fds[3], StoreImage *image, Error *e) {
        static const char *const suffixes[] = { "", ".manifest", CONFIG_SUFFIX };
        char path[STORE_BLOB_PATH_MAX];
        int r;

        if (store_layers_size(s, image->layers, &image->size, &image->tree_size) < 0)
                return error_setf(e, -EAGAIN, "a layer of the image has been removed meanwhile");
        r = store_intent_write(s, tmp_fd, image->key, false, e);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(suffixes); i++) {
                store_blob_path(image->key, suffixes[i], path);
                r = store_blob_place(s, tmp_fd, fds[i], path, e);
        }
        return r < 0 ? r : store_image_write(s, image, e);
}

static int write_and_commit(Store *s, const StoreOciParts *p, int tmp_fd, StoreImage *image, Error *e) {
        _cleanup_close_ int manifest = -EBADF, appc = -EBADF, config = -EBADF, lock = -EBADF;
        int r;

        r = store_blob_write(s, p->manifest, p->manifest_size, &manifest, e);
        if (r >= 0)
                r = store_blob_write(s, p->appc_manifest, strlen(p->appc_manifest), &appc, e);
        if (r >= 0)
                r = store_blob_write(s, p->config, p->config_size, &config, e);
        if (r >= 0)
                r = store_commit_lock(s, &lock, e);
        return r < 0 ? r : make_visible(s, tmp_fd, (const int[]){ manifest, appc, config }, image, e);
}

/**
 * store_oci_commit() - the image is wanted: make it exist
 * @s:     store
 * @parts: its documents
 * @image: what is known about it, its layers among that; id, key, size and tree_size are set here
 * @e:     sentence on failure; may be NULL
 *
 * Everything becomes visible at once and is on disk when this returns, or nothing is left. An image that is there already
 * only gets its new description.
 *
 * Return: 0; -EAGAIN (a layer is not there (any more): fetch it again), -EINVAL (no layers), -E2BIG, -EROFS, -ENOSPC, -EIO,
 * -ENOMEM.
 */
int store_oci_commit(Store *s, const StoreOciParts *parts, StoreImage *image, Error *e) {
        _cleanup_close_ int tmp_fd = -EBADF;
        _cleanup_free_ char *tmp = NULL;
        int r = check_parts(parts, image, e), k;

        if (r >= 0 && s->read_only)
                r = error_setf(e, -EROFS, "the store '%s' is open for reading only", s->dir);
        if (r >= 0)
                r = compute_id(parts, image, e);
        if (r >= 0)
                r = store_tmp_new(s, &tmp, &tmp_fd, e);
        if (r < 0)
                return r;
        r = write_and_commit(s, parts, tmp_fd, image, e);
        /* After a failure the names that were given are taken back as if this process had died. */
        if (r < 0) {
                tmp_fd = fd_close(tmp_fd);
                (void) store_tmp_clean(s, NULL);
                return r;
        }
        k = remove_tree_at(s->cas_fd, tmp);
        return k < 0 && k != -ENOENT
                       ? error_setf(e, k, "cannot remove '%s/cas/%s': %s", s->dir, tmp, strerror(-k))
                       : 0;
}

/**
 * store_oci_config_read() - the configuration of an OCI image, byte for byte
 * @s:        store
 * @key:      image
 * @ret:      NUL-terminated; free()
 * @ret_size: bytes; may be NULL
 * @e:        sentence on failure; may be NULL
 *
 * Its manifest is what store_blob_open() opens.
 *
 * Return: 0, -EINVAL, -ENOENT (also: the image is an ACI), -E2BIG, other errno of open() and read().
 */
int store_oci_config_read(Store *s, const char *key, char **ret, size_t *ret_size, Error *e) {
        char path[STORE_BLOB_PATH_MAX];
        size_t size;
        int r;

        if (!store_key_is_valid(key))
                return error_setf(e, -EINVAL, "'%.150s' is not the key of an image", key);
        store_blob_path(key, CONFIG_SUFFIX, path);
        r = file_read_at(s->cas_fd, path, STORE_OCI_DOCUMENT_MAX, ret, &size);
        if (r < 0)
                return error_setf(e, r, "cannot read the configuration of image '%s': %s", key, strerror(-r));
        if (ret_size)
                *ret_size = size;
        return 0;
}

/**
 * store_oci_verify() - are the documents of an OCI image what they were?
 * @s:     store
 * @image: as store_image_load() gives it
 * @e:     sentence on failure; may be NULL
 *
 * The manifest, and the configuration if its digest is known. Layers are verified like images.
 *
 * Return: 0, -EBADMSG (damaged), -ENOENT, other errno of open() and read().
 */
int store_oci_verify(Store *s, const StoreImage *image, Error *e) {
        const char *hex = image->config_digest ? startswith(image->config_digest, "sha256:") : NULL;
        _cleanup_(digest_freep) Digest *d = NULL;
        _cleanup_free_ char *config = NULL;
        char found[DIGEST_HEX_MAX];
        size_t size = 0;
        int r = store_blob_verify(s, image->key, e);

        if (r >= 0)
                r = store_oci_config_read(s, image->key, &config, &size, e);
        if (r < 0 || !hex)
                return r;
        r = digest_new(DIGEST_SHA256, &d);
        if (r >= 0)
                r = digest_update(d, config, size);
        if (r >= 0)
                r = digest_final_hex(d, found);
        if (r < 0)
                return error_setf(e, r, "cannot hash the configuration of image '%s'", image->key);
        return streq(hex, found)
                       ? 0
                       : error_setf(e, -EBADMSG,
                                    "the configuration of image '%s' is damaged: expected sha256:%s, found "
                                    "sha256:%s; " STORE_BLOB_REMEDY,
                                    image->key, hex, found);
}
