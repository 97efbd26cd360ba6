/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The small JSON files of cas/ref: what exists, what it is called, where it came from. */
#include "store/store-ref.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "basic/clock.h"
#include "basic/digest.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/json.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "store/store-internal.h"

#define REF_SIZE_MAX (1024U * 1024)
#define HASH_DIGITS  16
#define IMAGE_FOLDER STORE_IMAGE_FOLDER
#define REF_PATH_MAX STORE_IMAGE_PATH_MAX

static const JsonField label_fields[] = {
        JSON_ROW("name", json_kind_string, StoreLabel, name, JSON_MANDATORY),
        JSON_ROW("value", json_kind_string, StoreLabel, value, JSON_ALWAYS),
        {},
};

static void label_done(void *p) {
        StoreLabel *l = p;

        free(l->name);
        free(l->value);
}

static const JsonStruct label_struct = {
        .size = sizeof(StoreLabel),
        .fields = label_fields,
        .flags = JSON_OPEN,
        .done = label_done,
};

static const JsonField signature_fields[] = {
        JSON_ROW("fingerprint", json_kind_string, StoreSignature, fingerprint, JSON_MANDATORY),
        JSON_ROW("identity", json_kind_string, StoreSignature, identity, 0),
        JSON_ROW("keyFile", json_kind_string, StoreSignature, key_file, 0),
        JSON_ROW("timeUSec", json_kind_uint64, StoreSignature, time_usec, 0),
        {},
};

static void signature_done(void *p) {
        StoreSignature *g = p;

        free(g->fingerprint);
        free(g->identity);
        free(g->key_file);
}

static const JsonStruct signature_struct = {
        .size = sizeof(StoreSignature),
        .fields = signature_fields,
        .flags = JSON_OPEN,
        .done = signature_done,
};

static const JsonField image_fields[] = {
        JSON_ROW("id", json_kind_string, StoreImage, id, JSON_MANDATORY),
        JSON_ROW("name", json_kind_string, StoreImage, name, JSON_MANDATORY),
        JSON_LIST_ROW("labels", StoreImage, labels, label_struct, 0),
        JSON_ROW("source", json_kind_string, StoreImage, source, 0),
        JSON_ROW("signedBy", json_kind_strv, StoreImage, signed_by, 0),
        JSON_LIST_ROW("signatures", StoreImage, signatures, signature_struct, 0),
        JSON_ROW("insecure", json_kind_strv, StoreImage, insecure, 0),
        JSON_ROW("latest", json_kind_boolean, StoreImage, latest, 0),
        JSON_ROW("size", json_kind_uint64, StoreImage, size, JSON_MANDATORY),
        JSON_ROW("archiveSize", json_kind_uint64, StoreImage, archive_size, 0),
        JSON_ROW("treeSize", json_kind_uint64, StoreImage, tree_size, 0),
        JSON_ROW("importTimeUSec", json_kind_uint64, StoreImage, import_usec, JSON_MANDATORY),
        JSON_ROW("layers", json_kind_strv, StoreImage, layers, 0),
        JSON_ROW("manifestDigest", json_kind_string, StoreImage, manifest_digest, 0),
        JSON_ROW("indexDigest", json_kind_string, StoreImage, index_digest, 0),
        JSON_ROW("configDigest", json_kind_string, StoreImage, config_digest, 0),
        JSON_ROW("reference", json_kind_string, StoreImage, reference, 0),
        {},
};

static int image_check(void *p, Error *e) {
        StoreImage *i = p;
        char key[STORE_KEY_MAX];

        if (!i->id || !i->name || !store_id_is_valid(i->id))
                return error_setf(e, -EBADMSG, "no image id or no name");
        FOREACH_ARRAY (l, i->labels, i->n_labels)
                if (!l->name || (!l->value && !(l->value = strdup(""))))
                        return error_setf(e, -EBADMSG, "a label without a name");
        STRV_FOREACH (l, i->layers)
                if (!store_layer_key_is_valid(*l))
                        return error_setf(e, -EBADMSG, "a layer that is none");
        (void) store_key_from_id(i->id, key);
        i->key = strdup(key);
        return i->key ? 0 : error_oom(e);
}

static void image_done(void *p) {
        store_image_done(p);
}

static const JsonStruct image_struct = {
        .size = sizeof(StoreImage),
        .fields = image_fields,
        .flags = JSON_OPEN,
        .done = image_done,
        .check = image_check,
};

static const JsonField remote_fields[] = {
        JSON_ROW("url", json_kind_string, StoreRemote, url, JSON_MANDATORY),
        JSON_ROW("signatureURL", json_kind_string, StoreRemote, signature_url, 0),
        JSON_ROW("etag", json_kind_string, StoreRemote, etag, 0),
        JSON_ROW("lastModified", json_kind_string, StoreRemote, last_modified, 0),
        JSON_ROW("key", json_kind_string, StoreRemote, key, JSON_MANDATORY),
        JSON_ROW("cacheMaxAgeSec", json_kind_uint64, StoreRemote, cache_max_age, 0),
        JSON_ROW("downloadTimeUSec", json_kind_uint64, StoreRemote, download_usec, JSON_MANDATORY),
        {},
};

static int remote_check(void *p, Error *e) {
        const StoreRemote *r = p;

        return r->url && r->key && store_key_is_valid(r->key) ? 0
                                                              : error_setf(e, -EBADMSG, "no URL or no key");
}

static void remote_done(void *p) {
        store_remote_done(p);
}

static const JsonStruct remote_struct = {
        .size = sizeof(StoreRemote),
        .fields = remote_fields,
        .flags = JSON_OPEN,
        .done = remote_done,
        .check = remote_check,
};

/**
 * store_image_done() - free what it holds
 * @i: is STORE_IMAGE_INIT afterwards
 */
void store_image_done(StoreImage *i) {
        free(i->id);
        free(i->key);
        free(i->name);
        FOREACH_ARRAY (l, i->labels, i->n_labels)
                label_done(l);
        free(i->labels);
        free(i->source);
        strv_free(i->signed_by);
        FOREACH_ARRAY (g, i->signatures, i->n_signatures)
                signature_done(g);
        free(i->signatures);
        strv_free(i->insecure);
        strv_free(i->layers);
        free(i->manifest_digest);
        free(i->index_digest);
        free(i->config_digest);
        free(i->reference);
        *i = STORE_IMAGE_INIT;
}

/**
 * store_remote_done() - free what it holds
 * @r: is STORE_REMOTE_INIT afterwards
 */
void store_remote_done(StoreRemote *r) {
        free(r->url);
        free(r->signature_url);
        free(r->etag);
        free(r->last_modified);
        free(r->key);
        *r = STORE_REMOTE_INIT;
}

/**
 * store_image_list_done() - free all
 * @l: is empty afterwards
 */
void store_image_list_done(StoreImageList *l) {
        FOREACH_ARRAY (i, l->images, l->n_images)
                store_image_done(i);
        free(l->images);
        strv_free(l->damaged);
        strv_free(l->errors);
        *l = (StoreImageList){};
}

/**
 * store_image_label() - the value of a label
 * @i:    image
 * @name: label
 *
 * Return: its value, owned by @i; NULL if there is none.
 */
const char *store_image_label(const StoreImage *i, const char *name) {
        FOREACH_ARRAY (l, i->labels, i->n_labels)
                if (streq(l->name, name))
                        return l->value;
        return NULL;
}

static int hash_string(const char *s, char ret[DIGEST_HEX_MAX]) {
        _cleanup_(digest_freep) Digest *d = NULL;
        int r;

        r = digest_new(DIGEST_SHA256, &d);
        if (r >= 0)
                r = digest_update(d, s, strlen(s));
        return r < 0 ? r : digest_final_hex(d, ret);
}

/**
 * store_image_path() - the file of an image
 * @key:  valid key
 * @name: of the image
 * @ret:  path beneath cas
 *
 * Return: 0, -ENOMEM.
 */
int store_image_path(const char *key, const char *name, char ret[STORE_IMAGE_PATH_MAX]) {
        char hash[DIGEST_HEX_MAX];
        int r;

        r = hash_string(name, hash);
        if (r < 0)
                return r;
        (void) snprintf(ret, REF_PATH_MAX, IMAGE_FOLDER "/%s.%.*s", key, HASH_DIGITS, hash);
        return 0;
}

static int remote_path(const char *url, char ret[REF_PATH_MAX]) {
        char hash[DIGEST_HEX_MAX];
        int r;

        r = hash_string(url, hash);
        if (r < 0)
                return r;
        (void) snprintf(ret, REF_PATH_MAX, "ref/remote/%s", hash);
        return 0;
}

/**
 * store_is_image_file() - may this be the name of a file in cas/ref/image?
 * @name: of a file
 *
 * Return: true for KEY.NAMEHASH.
 */
bool store_is_image_file(const char *name) {
        char key[STORE_KEY_MAX];

        if (strlen(name) != STORE_KEY_MAX - 1 + 1 + HASH_DIGITS || name[STORE_KEY_MAX - 1] != '.')
                return false;
        memcpy(key, name, STORE_KEY_MAX - 1);
        key[STORE_KEY_MAX - 1] = '\0';
        return store_key_is_valid(key);
}

static usec_t mtime_usec(const struct stat *st) {
        return st->st_mtim.tv_sec < 0 ? 0 : timespec_usec(&st->st_mtim);
}

/* The bytes of a file that should be a small regular one, NUL behind them. */
static int read_small(int dir_fd, const char *path, struct stat *ret_st, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = openat(dir_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        _cleanup_free_ char *text = NULL;
        ssize_t n;

        if (fd < 0 || fstat(fd, ret_st) < 0)
                return -errno;
        if (!S_ISREG(ret_st->st_mode))
                return -EBADMSG;
        if (ret_st->st_size > (off_t) REF_SIZE_MAX)
                return -E2BIG;
        text = malloc((size_t) ret_st->st_size + 1);
        if (!text)
                return -ENOMEM;
        n = fd_read_full(fd, text, (size_t) ret_st->st_size);
        if (n < 0)
                return (int) n;
        text[n] = '\0';
        *ret = TAKE_PTR(text);
        *ret_size = (size_t) n;
        return 0;
}

/* dir_fd: "cas", or the folder that path says is in it: thousands of files are opened faster so. */
static int read_ref_at(Store *s, int dir_fd, const char *path, const JsonStruct *type, void *p,
                       usec_t *ret_mtime, Error *e) {
        _cleanup_(json_freep) JsonValue *v = NULL;
        _cleanup_free_ char *text = NULL;
        struct stat st;
        size_t size = 0;
        int r;

        r = read_small(dir_fd, dir_fd == s->cas_fd ? path : path_basename(path), &st, &text, &size);
        if (r == -EBADMSG || r == -E2BIG || r == -ELOOP)
                return error_setf(e, -EBADMSG, "'%s/cas/%s' is damaged: not a small regular file", s->dir,
                                  path);
        if (r < 0)
                return error_setf(e, r, "cannot read '%s/cas/%s': %s", s->dir, path, strerror(-r));
        r = json_parse(text, size, &v, e);
        if (r >= 0) {
                r = json_map_struct(v, type, p, e);
                if (r < 0)
                        type->done(p);
        }
        if (r < 0)
                return error_prefixf(e, r == -ENOMEM ? r : -EBADMSG, "'%s/cas/%s' is damaged", s->dir, path);
        if (ret_mtime)
                *ret_mtime = mtime_usec(&st);
        return 0;
}

/**
 * store_image_read_at() - a file of an image
 * @s:         store
 * @folder_fd: cas/ref/image
 * @path:      of the file, beneath cas
 * @ret:       store_image_done()
 * @e:         sentence on failure; may be NULL
 *
 * Return: 0, -ENOENT, -EBADMSG (damaged), -ENOMEM.
 */
int store_image_read_at(Store *s, int folder_fd, const char *path, StoreImage *ret, Error *e) {
        return read_ref_at(s, folder_fd, path, &image_struct, ret, &ret->last_used_usec, e);
}

static int read_ref(Store *s, const char *path, const JsonStruct *type, void *p, usec_t *ret_mtime,
                    Error *e) {
        return read_ref_at(s, s->cas_fd, path, type, p, ret_mtime, e);
}

/* Takes a file of ours away, and also what took its place and is no file. */
static int remove_ref(Store *s, const char *path) {
        _cleanup_close_ int folder = -EBADF;
        _cleanup_free_ char *copy = NULL;

        if (unlinkat(s->cas_fd, path, 0) == 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR && errno != EPERM)
                return -errno;
        copy = strndup(path, strlen(path) - strlen(path_basename(path)));
        if (!copy)
                return -ENOMEM;
        folder = openat(s->cas_fd, copy, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return folder < 0 ? -errno : remove_tree_at(folder, path_basename(path));
}

/**
 * store_image_discard() - take away a damaged file of an image
 * @s:    store, locked for commits
 * @path: of StoreImageList.damaged
 *
 * Return: 0 (also when it is not there), errno of unlink().
 */
int store_image_discard(Store *s, const char *path) {
        return remove_ref(s, path);
}

/* By way of a locked directory in cas/tmp, so that dying leaves nothing that nobody removes. */
static int write_ref(Store *s, const char *path, const JsonStruct *type, const void *p, Error *e) {
        _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL, *tmp = NULL, *folder = NULL;
        _cleanup_close_ int tmp_fd = -EBADF;
        int r;

        json_write_struct(&w, type, p);
        r = json_writer_steal(&w, &text);
        folder = strndup(path, strlen(path) - strlen(path_basename(path)));
        if (r < 0 || !folder)
                return error_oom(e);
        r = store_tmp_new(s, &tmp, &tmp_fd, e);
        if (r < 0)
                return r;
        r = file_write_at(tmp_fd, "ref", text, strlen(text), 0600, 0);
        if (r >= 0)
                r = RET_NERRNO(renameat(tmp_fd, "ref", s->cas_fd, path));
        if (r == -EISDIR) {
                r = remove_ref(s, path);
                if (r >= 0)
                        r = RET_NERRNO(renameat(tmp_fd, "ref", s->cas_fd, path));
        }
        if (r >= 0)
                r = fsync_dir_at(s->cas_fd, folder);
        RET_GATHER(r, remove_tree_at(s->cas_fd, tmp));
        return r < 0 ? error_setf(e, r, "cannot write '%s/cas/%s': %s", s->dir, path, strerror(-r)) : 0;
}

/* The file of an image, whatever its name is. */
static int find_file(Store *s, const char *key, char **ret) {
        _cleanup_strv_free_ char **names = NULL;
        int r;

        r = dir_list_at(s->cas_fd, IMAGE_FOLDER, &names);
        if (r < 0)
                return r;
        for (char **n = names; n && *n; n++)
                if (store_is_image_file(*n) && strncmp(*n, key, STORE_KEY_MAX - 1) == 0) {
                        *ret = strf(IMAGE_FOLDER "/%s", *n);
                        return *ret ? 0 : -ENOMEM;
                }
        return -ENOENT;
}

/**
 * store_image_exists() - is there a file for it?
 * @s:   store
 * @key: valid key
 *
 * Return: true also in doubt: this decides whether something is thrown away.
 */
bool store_image_exists(Store *s, const char *key) {
        _cleanup_free_ char *path = NULL;

        return find_file(s, key, &path) != -ENOENT;
}

/**
 * store_image_unlink() - the image stops to exist
 * @s:   store, locked for commits
 * @key: valid key
 *
 * Return: 0 (also when it did not exist), errno of unlink() and fsync().
 */
int store_image_unlink(Store *s, const char *key) {
        int r;

        for (;;) {
                _cleanup_free_ char *path = NULL;

                r = find_file(s, key, &path);
                if (r == -ENOENT)
                        return fsync_dir_at(s->cas_fd, IMAGE_FOLDER);
                if (r < 0)
                        return r;
                r = remove_ref(s, path);
                if (r < 0)
                        return r;
        }
}

/**
 * store_image_drop() - an image of store_image_list() stops to exist
 * @s: store, locked for commits
 * @i: image
 * @e: sentence on failure; may be NULL
 *
 * Not synced: for many images at once.
 *
 * Return: 0 (also when it did not exist), errno of unlink().
 */
int store_image_drop(Store *s, const StoreImage *i, Error *e) {
        char path[REF_PATH_MAX];

        if (store_image_path(i->key, i->name, path) < 0)
                return error_oom(e);
        if (unlinkat(s->cas_fd, path, 0) < 0 && errno != ENOENT)
                return error_setf(e, -errno, "cannot remove '%s/cas/%s': %m", s->dir, path);
        return 0;
}

/**
 * store_image_load() - what is known about an image
 * @s:   store
 * @key: image
 * @ret: store_image_done(), also after a failure harmless
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL (no key), -ENOENT, -EBADMSG (its file is damaged), -ENOMEM.
 */
int store_image_load(Store *s, const char *key, StoreImage *ret, Error *e) {
        _cleanup_free_ char *path = NULL;
        StoreImage i = STORE_IMAGE_INIT;
        int r;

        if (!store_key_is_valid(key))
                return error_setf(e, -EINVAL, "'%.150s' is not the key of an image", key);
        r = find_file(s, key, &path);
        if (r == -ENOENT)
                return error_setf(e, r, "no image has the id '%s'", key);
        if (r < 0)
                return error_setf(e, r, "cannot list '%s/cas/" IMAGE_FOLDER "': %s", s->dir, strerror(-r));
        r = read_ref(s, path, &image_struct, &i, &i.last_used_usec, e);
        if (r < 0)
                return r;
        *ret = i;
        return 0;
}

/**
 * store_image_write() - make an image exist, or change what is known about it
 * @s: store
 * @i: id and name are needed; key is ignored; import_usec 0 means now; tree_size 0 means what was known before
 * @e: sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL, -ENOSPC, -EIO, -ENOMEM.
 */
int store_image_write(Store *s, const StoreImage *i, Error *e) {
        char key[STORE_KEY_MAX], path[REF_PATH_MAX];
        _cleanup_(store_image_done) StoreImage before = STORE_IMAGE_INIT;
        StoreImage copy = *i;
        int r;

        if (!i->id || !i->name || store_key_from_id(i->id, key) < 0)
                return error_setf(e, -EINVAL, "an image needs an id and a name");
        if (copy.import_usec == 0)
                copy.import_usec = clock_usec(CLOCK_REALTIME);
        r = store_image_path(key, i->name, path);
        if (r < 0)
                return error_oom(e);
        if (i->tree_size == 0 && read_ref(s, path, &image_struct, &before, NULL, NULL) >= 0)
                copy.tree_size = before.tree_size;
        return write_ref(s, path, &image_struct, &copy, e);
}

static bool labels_match(const StoreImage *i, const StoreLabel *labels, size_t n_labels) {
        FOREACH_ARRAY (l, labels, n_labels)
                if (!streq_ptr(store_image_label(i, l->name), l->value))
                        return false;
        return true;
}

/**
 * store_image_find() - the image that a name and labels mean
 * @s:        store
 * @name:     exact
 * @labels:   the image must have all of these; it may have more
 * @n_labels: count
 * @ret:      store_image_done()
 * @e:        sentence on failure; may be NULL
 *
 * Of several the one that was imported last; without a label "version", those come first that were fetched without one.
 *
 * Return: 0, -ENOENT, -ENOMEM, errno of opendir().
 */
int store_image_find(Store *s, const char *name, const StoreLabel *labels, size_t n_labels, StoreImage *ret,
                     Error *e) {
        _cleanup_(store_image_done) StoreImage best = STORE_IMAGE_INIT;
        _cleanup_strv_free_ char **names = NULL;
        bool any_version = true;
        char hash[DIGEST_HEX_MAX];
        int r;

        FOREACH_ARRAY (l, labels, n_labels)
                any_version = any_version && !streq(l->name, "version");
        r = hash_string(name, hash);
        if (r >= 0)
                r = dir_list_at(s->cas_fd, IMAGE_FOLDER, &names);
        if (r < 0)
                return error_setf(e, r, "cannot list '%s/cas/" IMAGE_FOLDER "': %s", s->dir, strerror(-r));
        for (char **n = names; n && *n; n++) {
                _cleanup_(store_image_done) StoreImage i = STORE_IMAGE_INIT;
                _cleanup_free_ char *path = NULL;
                bool latest;

                if (!store_is_image_file(*n) || strncmp(*n + STORE_KEY_MAX, hash, HASH_DIGITS) != 0)
                        continue;
                path = strf(IMAGE_FOLDER "/%s", *n);
                if (!path)
                        return error_oom(e);
                if (read_ref(s, path, &image_struct, &i, &i.last_used_usec, NULL) < 0 ||
                    !streq(i.name, name) || !labels_match(&i, labels, n_labels))
                        continue;
                latest = any_version && i.latest != best.latest;
                if (best.id && (latest ? best.latest : i.import_usec <= best.import_usec))
                        continue;
                store_image_done(&best);
                best = i;
                i = STORE_IMAGE_INIT;
        }
        if (!best.id)
                return error_setf(e, -ENOENT, "image '%s' is not in the store", name);
        *ret = best;
        best = STORE_IMAGE_INIT;
        return 0;
}

/**
 * store_image_touch() - an image was used now
 * @s:   store
 * @key: image
 *
 * Return: 0, -ENOENT, -EINVAL, errno of utimensat().
 */
int store_image_touch(Store *s, const char *key) {
        _cleanup_free_ char *path = NULL;
        int r;

        if (!store_key_is_valid(key))
                return -EINVAL;
        r = find_file(s, key, &path);
        if (r < 0)
                return r;
        return RET_NERRNO(utimensat(s->cas_fd, path, NULL, AT_SYMLINK_NOFOLLOW));
}

/**
 * store_remote_load() - what a URL gave last time
 * @s:   store
 * @url: exact
 * @ret: store_remote_done()
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, -ENOENT (never fetched), -EBADMSG (its file is damaged: fetch again), -ENOMEM.
 */
int store_remote_load(Store *s, const char *url, StoreRemote *ret, Error *e) {
        StoreRemote remote = STORE_REMOTE_INIT;
        char path[REF_PATH_MAX];
        int r;

        r = remote_path(url, path);
        if (r < 0)
                return error_oom(e);
        r = read_ref(s, path, &remote_struct, &remote, NULL, e);
        if (r < 0)
                return r;
        if (!streq(remote.url, url)) {
                store_remote_done(&remote);
                return error_setf(e, -EBADMSG, "'%s/cas/%s' is damaged: it is about another URL", s->dir,
                                  path);
        }
        *ret = remote;
        return 0;
}

/**
 * store_remote_write() - remember what a URL gave
 * @s: store
 * @r: url and key are needed
 * @e: sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL, -ENOSPC, -EIO, -ENOMEM.
 */
int store_remote_write(Store *s, const StoreRemote *r, Error *e) {
        char path[REF_PATH_MAX];

        if (!r->url || !r->key || !store_key_is_valid(r->key))
                return error_setf(e, -EINVAL, "a remote needs a URL and the key of an image");
        if (remote_path(r->url, path) < 0)
                return error_oom(e);
        return write_ref(s, path, &remote_struct, r, e);
}

/**
 * store_remote_remove() - forget what a URL gave
 * @s:   store
 * @url: exact
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0 (also when nothing was known), errno of unlink().
 */
int store_remote_remove(Store *s, const char *url, Error *e) {
        char path[REF_PATH_MAX];

        if (remote_path(url, path) < 0)
                return error_oom(e);
        if (unlinkat(s->cas_fd, path, 0) < 0 && errno != ENOENT)
                return error_setf(e, -errno, "cannot remove '%s/cas/%s': %m", s->dir, path);
        return 0;
}

/**
 * store_remote_sweep() - forget what many URLs gave
 * @s:        store, locked for commits
 * @keep:     asked for each that can be read
 * @userdata: for @keep
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0, -ENOMEM, errno of opendir() and unlink().
 */
int store_remote_sweep(Store *s, StoreRemoteKeep keep, void *userdata, Error *e) {
        _cleanup_strv_free_ char **names = NULL;
        int r = dir_list_at(s->cas_fd, "ref/remote", &names);

        if (r < 0)
                return error_setf(e, r, "cannot list '%s/cas/ref/remote': %s", s->dir, strerror(-r));
        STRV_FOREACH (n, names) {
                _cleanup_(store_remote_done) StoreRemote remote = STORE_REMOTE_INIT;
                _cleanup_free_ char *path = strf("ref/remote/%s", *n);

                if (!path)
                        return error_oom(e);
                r = read_ref(s, path, &remote_struct, &remote, NULL, NULL);
                if (r == -ENOENT || (r >= 0 && keep(userdata, &remote)))
                        continue;
                if (unlinkat(s->cas_fd, path, 0) < 0 && errno != ENOENT)
                        return error_setf(e, -errno, "cannot remove '%s/cas/%s': %m", s->dir, path);
        }
        return 0;
}
