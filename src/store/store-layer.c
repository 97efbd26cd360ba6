/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Layers: what is expected of one, and where it is. How bytes come in is store-import.c. */
#include "store/store-layer.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "store/import-internal.h"
#include "store/store-blob.h"

/* A digest as others write it, and what we find. */
typedef struct Expected {
        char *text;
        DigestType type;
        Digest *digest; /* NULL: nothing is expected, or somebody else computes it */
} Expected;

struct StoreLayerCheck {
        Expected input;
        uint64_t size; /* UINT64_MAX: not known */
        uint64_t n_in;
        bool is_too_large;
        bool is_plain; /* both digests are the same */
        Expected content;
};

/* "sha256:" and 64 digits. */
static const char *digest_hex(const char *s, DigestType *ret) {
        static const char *const prefixes[] = { [DIGEST_SHA256] = "sha256:", [DIGEST_SHA512] = "sha512:" };

        for (int t = 0; t < _DIGEST_TYPE_MAX; t++) {
                const char *hex = startswith(s, prefixes[t]);

                if (!hex || strlen(hex) != 2 * digest_size((DigestType) t) ||
                    strspn(hex, "0123456789abcdef") != strlen(hex))
                        continue;
                *ret = (DigestType) t;
                return hex;
        }
        return NULL;
}

static void expected_done(Expected *x) {
        free(x->text);
        digest_free(x->digest);
}

/* is_known: somebody else computes it. */
static int expected_init(Expected *x, const char *text, bool is_known, Error *e) {
        if (!text)
                return 0;
        if (!digest_hex(text, &x->type))
                return error_setf(e, -EINVAL, "'%.150s' is no digest; it is 'sha256:' and 64 hex digits",
                                  text);
        x->text = strdup(text);
        if (!x->text || (!is_known && digest_new(x->type, &x->digest) < 0))
                return error_oom(e);
        return 0;
}

static int expected_check(Expected *x, const char *hex, const char *what, Error *e) {
        char buffer[DIGEST_HEX_MAX];
        DigestType type;
        int r;

        if (!x->text)
                return 0;
        if (x->digest) {
                r = digest_final_hex(x->digest, buffer);
                if (r < 0)
                        return error_setf(e, r, "cannot hash the layer");
                hex = buffer;
        }
        if (streq(digest_hex(x->text, &type), hex))
                return 0;
        return error_setf(e, -EBADMSG, "%s: expected %s, found %s:%s", what, x->text,
                          x->type == DIGEST_SHA512 ? "sha512" : "sha256", hex);
}

/**
 * store_layer_check_free() - free
 * @c: may be NULL
 *
 * Return: NULL.
 */
StoreLayerCheck *store_layer_check_free(StoreLayerCheck *c) {
        if (!c)
                return NULL;
        expected_done(&c->input);
        expected_done(&c->content);
        free(c);
        return NULL;
}

static int check_new(const StoreLayerExpect *expect, StoreLayerCheck **ret, Error *e) {
        _cleanup_(store_layer_check_freep) StoreLayerCheck *c = new0(StoreLayerCheck, 1);
        int r = 0;

        if (!c)
                return error_oom(e);
        c->size = expect->size;
        /* Not compressed: what comes and what is in it are the same bytes, and the worker sees to that. */
        c->is_plain = streq_ptr(expect->digest, expect->diff_id) && expect->digest;
        if (!c->is_plain)
                r = expected_init(&c->input, expect->digest, false, e);
        if (r >= 0) /* the SHA-256 is the key, and computed anyway */
                r = expected_init(&c->content, expect->diff_id,
                                  expect->diff_id && startswith(expect->diff_id, "sha256:"), e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

/**
 * store_layer_check_is_plain() - shall the layer be one that is not compressed?
 * @c: check
 *
 * Return: true if so.
 */
bool store_layer_check_is_plain(const StoreLayerCheck *c) {
        return c->is_plain;
}

/**
 * store_layer_check_in() - bytes as they come
 * @c:    check
 * @data: @size bytes
 * @size: bytes
 *
 * Return: 0; -EPIPE (more than there should be; store_layer_check_input() says so), -EIO.
 */
int store_layer_check_in(StoreLayerCheck *c, const void *data, size_t size) {
        if (c->is_too_large || size > c->size - c->n_in) {
                c->is_too_large = true;
                return -EPIPE;
        }
        c->n_in += size;
        return c->input.digest ? digest_update(c->input.digest, data, size) : 0;
}

/**
 * store_layer_check_tar() - bytes of the tar
 * @c:    check
 * @data: @size bytes
 * @size: bytes
 *
 * Return: 0, -EIO.
 */
int store_layer_check_tar(StoreLayerCheck *c, const void *data, size_t size) {
        return c->content.digest ? digest_update(c->content.digest, data, size) : 0;
}

/**
 * store_layer_check_input() - is what came what should have come?
 * @c:        check
 * @is_whole: the archive is in order; else there is another error, unless this says why
 * @e:        sentence on failure, with what was expected and what was found; may be NULL
 *
 * Return: 0, -EBADMSG.
 */
int store_layer_check_input(StoreLayerCheck *c, bool is_whole, Error *e) {
        if (c->is_too_large)
                return error_setf(e, -EBADMSG,
                                  "the layer's size: expected %" PRIu64 " bytes, found more than that",
                                  c->size);
        /* Somebody who broke off because the archive is damaged has not handed in everything. */
        if (!is_whole && c->n_in != c->size)
                return 0;
        if (c->size != UINT64_MAX && c->n_in != c->size)
                return error_setf(e, -EBADMSG, "the layer's size: expected %" PRIu64 " bytes, found %" PRIu64,
                                  c->size, c->n_in);
        return expected_check(&c->input, NULL, "the layer's digest", e);
}

/**
 * store_layer_check_content() - is it the tar that the image's configuration names?
 * @c:   check
 * @hex: its SHA-256
 * @e:   sentence on failure, with what was expected and what was found; may be NULL
 *
 * Return: 0, -EBADMSG.
 */
int store_layer_check_content(StoreLayerCheck *c, const char *hex, Error *e) {
        return expected_check(&c->content, hex, "the layer's diff_id", e);
}

/**
 * store_layer_import_new() - start the worker and get ready for a layer's bytes
 * @s:      store, must outlive the import
 * @limits: copied; STORE_IMPORT_LIMITS_DEFAULT
 * @expect: copied
 * @ret:    for store_import_write(), store_import_finish(), store_layer_commit(), store_import_free()
 * @e:      sentence on failure; may be NULL
 *
 * store_import_finish() compares with @expect, and its sentence has what was expected and what was found. Several imports may
 * run at once. The worker dies with the thread that calls this.
 *
 * Return: 0, -EINVAL (a digest that is none, or of an unknown kind), -EROFS (store open for reading only), -ESRCH (no user
 * rkt-parse), -ENOSPC, -EMFILE, -ENOMEM.
 */
int store_layer_import_new(Store *s, const StoreImportLimits *limits, const StoreLayerExpect *expect,
                           StoreImport **ret, Error *e) {
        StoreImportSpec spec = { .limits = limits, .source = -EBADF, .is_layer = true };
        int r = check_new(expect, &spec.layer, e);

        return r < 0 ? r : store_import_begin(s, &spec, ret, e);
}

/**
 * store_layer_commit() - the layer is wanted: make it exist
 * @i: import, after a successful store_import_finish()
 * @e: sentence on failure; may be NULL
 *
 * It is on disk when this returns. One that is there already is not made twice.
 *
 * Return: 0; -EBADMSG, -ELOOP (entries that contradict each other), -ENOSPC, -EDQUOT, -EIO, -EPROTO.
 */
int store_layer_commit(StoreImport *i, Error *e) {
        assert(i->is_layer);
        return store_import_place(i, NULL, e);
}

/**
 * store_layer_touch() - is a layer here? then it was used now
 * @s:   store
 * @key: valid key of a layer
 *
 * Return: 0, -ENOENT, errno of utimensat().
 */
int store_layer_touch(Store *s, const char *key) {
        char path[STORE_BLOB_PATH_MAX];
        struct stat st;

        store_blob_path(key, "", path);
        if (fstatat(s->cas_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -ENOENT;
        return s->read_only ? 0 : RET_NERRNO(utimensat(s->cas_fd, path, NULL, AT_SYMLINK_NOFOLLOW));
}

/**
 * store_layer_find() - is a layer here?
 * @s:       store
 * @diff_id: "sha256:..."
 * @ret:     its key
 *
 * One that is was used now, so that store_gc() leaves it alone for a while.
 *
 * Return: 0; -ENOENT (it is not, or the digest is not a SHA-256, by which layers are kept), errno of utimensat().
 */
int store_layer_find(Store *s, const char *diff_id, char ret[STORE_KEY_MAX]) {
        char key[STORE_KEY_MAX];
        DigestType type;
        const char *hex = digest_hex(diff_id, &type);
        int r;

        if (!hex || type != DIGEST_SHA256)
                return -ENOENT;
        (void) snprintf(key, sizeof(key), STORE_LAYER_PREFIX "%.64s", hex);
        r = store_layer_touch(s, key);
        if (r < 0)
                return r;
        memcpy(ret, key, sizeof(key));
        return 0;
}

/**
 * store_layer_blob_open() - read a layer's uncompressed tar
 * @s:         store
 * @layer_key: of StoreImage.layers
 * @ret_fd:    for reading
 * @ret_size:  bytes; may be NULL
 * @e:         sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL (no key), -ENOENT, -EBADMSG (not a regular file), other errno of open().
 */
int store_layer_blob_open(Store *s, const char *layer_key, int *ret_fd, uint64_t *ret_size, Error *e) {
        if (!store_layer_key_is_valid(layer_key))
                return error_setf(e, -EINVAL, "'%.150s' is not the key of a layer", layer_key);
        return store_blob_open(s, layer_key, ret_fd, ret_size, e);
}
