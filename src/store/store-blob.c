/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Blobs are found by key alone; how they came to be is store-import.c. */
#include "store/store-blob.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/digest.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/tmpfile.h"
#include "store/store-internal.h"

#define PIECE (256U * 1024)

static const char *kind_of(const char *key) {
        return store_layer_key_is_valid(key) ? "layer" : "image";
}

/**
 * store_blob_open() - read an image's tar, an OCI image's manifest, or a layer's tar
 * @s:        store
 * @key:      of the image or layer
 * @ret_fd:   for reading
 * @ret_size: bytes; may be NULL
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL (no key), -ENOENT, -EBADMSG (not a regular file), other errno of open().
 */
int store_blob_open(Store *s, const char *key, int *ret_fd, uint64_t *ret_size, Error *e) {
        _cleanup_close_ int fd = -EBADF;
        char path[STORE_BLOB_PATH_MAX];
        struct stat st;

        if (!store_blob_key_is_valid(key))
                return error_setf(e, -EINVAL, "'%.150s' is not the key of an image", key);
        store_blob_path(key, "", path);
        fd = openat(s->cas_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return error_setf(e, -errno, "cannot open %s '%s': %m", kind_of(key), key);
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return error_setf(e, -EBADMSG, "%s '%s' is damaged: not a regular file", kind_of(key), key);
        if (ret_size)
                *ret_size = (uint64_t) st.st_size;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int read_and_hash(Store *s, const char *key, TarSink sink, void *userdata, Error *e) {
        _cleanup_(digest_freep) Digest *d = NULL;
        _cleanup_free_ char *buffer = NULL;
        _cleanup_close_ int fd = -EBADF;
        char hex[DIGEST_HEX_MAX];
        int r;

        r = store_blob_open(s, key, &fd, NULL, e);
        if (r < 0)
                return r;
        buffer = malloc(PIECE);
        if (!buffer || digest_new(store_layer_key_is_valid(key) ? DIGEST_SHA256 : DIGEST_SHA512, &d) < 0)
                return error_oom(e);
        for (;;) {
                ssize_t n = fd_read_full(fd, buffer, PIECE);

                if (n < 0)
                        return error_setf(e, (int) n, "cannot read %s '%s': %s", kind_of(key), key,
                                          strerror((int) -n));
                if (n == 0)
                        break;
                r = digest_update(d, buffer, (size_t) n);
                if (r >= 0 && sink)
                        r = sink(userdata, buffer, (size_t) n, e);
                if (r < 0)
                        return r;
        }
        r = digest_final_hex(d, hex);
        if (r < 0)
                return r;
        if (!startswith(hex, key + STORE_KEY_PREFIX_SIZE))
                return error_setf(e, -EBADMSG, "%s '%s' is damaged: its content has changed; %s",
                                  kind_of(key), key, STORE_BLOB_REMEDY);
        return 0;
}

/**
 * store_blob_verify() - are these still the bytes that the key stands for?
 * @s:   store
 * @key: of an image or a layer
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, -EBADMSG (they are not), -EINVAL, -ENOENT, -EIO, -ENOMEM.
 */
int store_blob_verify(Store *s, const char *key, Error *e) {
        return read_and_hash(s, key, NULL, NULL, e);
}

/**
 * store_blob_copy() - hand out the bytes
 * @s:        store
 * @key:      of an image or a layer
 * @sink:     gets them
 * @userdata: for it
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0; -EBADMSG (they were not what the key stands for), -EINVAL, -ENOENT, -EIO, -ENOMEM, what @sink returned.
 */
int store_blob_copy(Store *s, const char *key, TarSink sink, void *userdata, Error *e) {
        return read_and_hash(s, key, sink, userdata, e);
}

/**
 * store_manifest_read() - the image manifest, byte for byte as it was in the archive
 * @s:        store
 * @key:      image
 * @ret:      NUL-terminated; free()
 * @ret_size: bytes; may be NULL
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL, -ENOENT, -E2BIG, other errno of open() and read().
 */
int store_manifest_read(Store *s, const char *key, char **ret, size_t *ret_size, Error *e) {
        char path[STORE_BLOB_PATH_MAX];
        size_t size;
        int r;

        if (!store_key_is_valid(key))
                return error_setf(e, -EINVAL, "'%.150s' is not the key of an image", key);
        store_blob_path(key, ".manifest", path);
        r = file_read_at(s->cas_fd, path, STORE_MANIFEST_MAX, ret, &size);
        if (r == -ENOENT)
                return error_setf(e, r, "image '%s' is not in the store (any more)", key);
        if (r < 0)
                return error_setf(e, r, "cannot read the manifest of image '%s': %s", key, strerror(-r));
        if (ret_size)
                *ret_size = size;
        return 0;
}

/**
 * store_blob_place() - give a file without a name its place
 * @s:      store, locked for commits
 * @tmp_fd: directory from store_tmp_new(), in which it has a name on the way
 * @fd:     the file, whose bytes are on disk: nobody shall wait for them under the lock
 * @path:   from store_blob_path()
 * @e:      sentence on failure; may be NULL
 *
 * Over one that is there: that one may be damaged, this one is not.
 *
 * Return: 0, errno of mkdir(), fsync(), link() and rename().
 */
int store_blob_place(Store *s, int tmp_fd, int fd, const char *path, Error *e) {
        char top[sizeof("blob/sha512")];
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *folder = strndup(path, (size_t) (slash - path));
        bool is_new;
        int r;

        if (!folder)
                return error_oom(e);
        (void) snprintf(top, sizeof(top), "%s", path);
        is_new = faccessat(s->cas_fd, folder, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
        r = mkdir_parents_at(s->cas_fd, folder, 0700);
        if (r >= 0 && is_new)
                r = fsync_dir_at(s->cas_fd, top);
        if (r < 0)
                return error_setf(e, r, "cannot create '%s/cas/%s': %s", s->dir, folder, strerror(-r));
        r = tmpfile_link_at(fd, tmp_fd, slash + 1, FILE_WRITE_NO_SYNC);
        if (r >= 0)
                r = RET_NERRNO(renameat(tmp_fd, slash + 1, s->cas_fd, path));
        if (r >= 0)
                r = fsync_dir_at(s->cas_fd, folder);
        return r < 0 ? error_setf(e, r, "cannot create '%s/cas/%s': %s", s->dir, path, strerror(-r)) : 0;
}

/**
 * store_blob_write() - bytes into a file without a name and onto the disk, for store_blob_place()
 * @s:      store
 * @data:   @size bytes
 * @size:   bytes
 * @ret_fd: the file
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0, errno of open(), write() and fdatasync().
 */
int store_blob_write(Store *s, const void *data, size_t size, int *ret_fd, Error *e) {
        _cleanup_close_ int tmp = -EBADF, fd = -EBADF;
        int r;

        tmp = openat(s->cas_fd, "tmp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (tmp < 0)
                return error_setf(e, -errno, "cannot open '%s/cas/tmp': %m", s->dir);
        r = tmpfile_open_at(tmp, 0600, &fd);
        if (r >= 0)
                r = fd_write_all(fd, data, size);
        if (r >= 0)
                r = RET_NERRNO(fdatasync(fd));
        if (r < 0)
                return error_setf(e, r, "cannot write to '%s/cas/tmp': %s", s->dir, strerror(-r));
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/**
 * store_blob_unlink() - remove a blob and what lies beside it
 * @s:   store, locked for commits
 * @key: valid key of no image that exists, or of a layer
 *
 * Return: 0 (also when they were not there), errno of unlink().
 */
int store_blob_unlink(Store *s, const char *key) {
        static const char *const suffixes[] = { ".manifest", ".config", "" };
        char path[STORE_BLOB_PATH_MAX];
        int r = 0;

        FOREACH_ARRAY (suffix, suffixes, ELEMENTSOF(suffixes)) {
                store_blob_path(key, *suffix, path);
                if (unlinkat(s->cas_fd, path, 0) < 0 && errno != ENOENT)
                        r = -errno;
        }
        return r;
}
