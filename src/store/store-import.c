/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An image on its way into the store.
 *
 * rkt-parse reads what the caller writes into a pipe. A thread of ours reads its frames: the tar's bytes are hashed and
 * written to a file without a name, the entries to another one, after a second look at their form. Nothing has a name
 * until the commit, so giving up needs no cleaning. The commit lets rkt-untar make the tree from the entries, syncs once,
 * and makes everything visible (store.c says in which order, and what happens if it dies on the way).
 *
 * The same machine makes a tree anew from a blob that is there: then the blob is the input, its digest must be the key,
 * and nothing but the tree is committed.
 */
#include "store/store-import.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "basic/worker.h"
#include "store/frame.h"
#include "store/import-internal.h"
#include "store/store-blob.h"

#define PIPE_SIZE    (1024 * 1024)
#define WARNINGS_MAX 64
#define FLUSH_SIZE   (UINT64_C(8) << 20)

static int take_data(StoreImport *i, const uint8_t *data, size_t size, Error *e) {
        int r;

        i->size += size;
        if (i->size > i->limits.size_max)
                return error_setf(e, -E2BIG, "the archive is larger than the limit of %" PRIu64 " bytes",
                                  i->limits.size_max);
        r = digest_update(i->digest, data, size);
        if (r >= 0 && i->layer)
                r = store_layer_check_tar(i->layer, data, size);
        if (r < 0)
                return error_setf(e, r, "cannot hash the image");
        if (i->render_only)
                return 0;
        r = fd_write_all(i->blob_fd, data, size);
        if (r >= 0 && i->size - i->n_flushed >= FLUSH_SIZE) {
                /* The disk begins now, so that the sync in the end has little to wait for. */
                (void) sync_file_range(i->blob_fd, (off64_t) i->n_flushed, (off64_t) (i->size - i->n_flushed),
                                       SYNC_FILE_RANGE_WRITE);
                i->n_flushed = i->size;
        }
        return r < 0 ? error_setf(e, r, "cannot write to '%s/cas/tmp': %s", i->store->dir, strerror(-r)) : 0;
}

static int count_entry(StoreImport *i, Error *e) {
        return ++i->n_entries > i->limits.entries_max
                       ? error_setf(e, -E2BIG, "the archive has more than %" PRIu64 " entries",
                                    i->limits.entries_max)
                       : 0;
}

static int take_entry(StoreImport *i, const uint8_t *data, size_t size, Error *e) {
        _cleanup_(tar_entry_done) TarEntry t = TAR_ENTRY_INIT;
        int r = count_entry(i, e);

        if (r < 0)
                return r;
        r = frame_decode_entry(data, size, &t);
        if (r < 0)
                return error_setf(e, r == -ENOMEM ? r : -EPROTO, "rkt-parse sent an entry that cannot be");
        if (t.device != 0)
                return error_setf(e, -EPROTO, "rkt-parse sent an entry of another blob");
        FOREACH_ARRAY (s, t.segments, t.n_segments)
                i->last_byte = MAX(i->last_byte, s->source + s->size);
        return tree_maker_entry(i->maker, &t, e);
}

static int take_whiteout(StoreImport *i, FrameType type, const uint8_t *data, size_t size, Error *e) {
        _cleanup_free_ char *path = NULL;
        int r = count_entry(i, e);

        if (r < 0)
                return r;
        r = i->is_layer ? frame_decode_path(data, size, &path) : -EPROTO;
        if (r < 0)
                return error_setf(e, r == -ENOMEM ? r : -EPROTO, "rkt-parse sent a whiteout that cannot be");
        return type == FRAME_OPAQUE ? tree_maker_opaque(i->maker, path, e)
                                    : tree_maker_whiteout(i->maker, path, e);
}

static int take_manifest(StoreImport *i, const uint8_t *data, size_t size, Error *e) {
        char *copy;

        if (i->is_layer || i->manifest || size > i->limits.manifest_max)
                return error_setf(e, -EPROTO, "rkt-parse sent a manifest that cannot be");
        copy = malloc(size + 1);
        if (!copy)
                return error_oom(e);
        memcpy(copy, data, size);
        copy[size] = '\0';
        (void) pthread_mutex_lock(&i->mutex);
        i->manifest = copy;
        i->manifest_size = size;
        (void) pthread_mutex_unlock(&i->mutex);
        return 0;
}

static int take_warning(StoreImport *i, const uint8_t *data, size_t size) {
        _cleanup_free_ char *s = NULL;

        if (strv_length(i->warnings) >= WARNINGS_MAX)
                return 0;
        s = strndup((const char *) data, MIN(size, (size_t) 1000));
        if (!s)
                return -ENOMEM;
        for (char *p = s; *p; p++)
                if ((unsigned char) *p < 0x20 || (unsigned char) *p >= 0x7f)
                        *p = '?';
        return strv_extend(&i->warnings, s);
}

/* The last frame: what was counted on both sides must agree, and no entry may point behind the end. */
static int take_end(StoreImport *i, const uint8_t *data, size_t size, Error *e) {
        FrameEnd end;

        if (frame_decode_end(data, size, &end) < 0 || end.size != i->size || end.n_entries != i->n_entries ||
            i->last_byte > i->size || (!i->is_layer && !i->manifest))
                return error_setf(e, -EPROTO, "rkt-parse contradicts itself");
        i->complete = true;
        return 0;
}

static int take_frame(StoreImport *i, FrameType type, const uint8_t *data, size_t size, Error *e) {
        if (i->complete)
                return error_setf(e, -EPROTO, "rkt-parse goes on after its end");
        switch (type) {
        case FRAME_DATA: return take_data(i, data, size, e);
        case FRAME_ENTRY: return take_entry(i, data, size, e);
        case FRAME_MANIFEST: return take_manifest(i, data, size, e);
        case FRAME_WHITEOUT:
        case FRAME_OPAQUE: return take_whiteout(i, type, data, size, e);
        case FRAME_WARNING: return take_warning(i, data, size);
        case FRAME_END: return take_end(i, data, size, e);
        case FRAME_ERROR: return frame_decode_error(data, size, e);
        default: return error_setf(e, -EPROTO, "rkt-parse sent an unknown frame");
        }
}

static void *thread_main(void *userdata) {
        StoreImport *i = userdata;
        FrameReader reader = FRAME_READER_INIT;
        int r;

        reader.fd = i->frames_fd;
        for (;;) {
                const uint8_t *data = NULL;
                size_t size = 0;
                FrameType type;

                r = frame_read(&reader, &type, &data, &size, &i->error);
                if (r <= 0)
                        break;
                r = take_frame(i, type, data, size, &i->error);
                if (r < 0)
                        break;
        }
        if (r == 0 && !i->complete)
                r = error_setf(&i->error, -EPROTO, "rkt-parse ended without a word; see the system's log");
        i->result = r;
        frame_reader_done(&reader);
        /* Makes a worker that still writes end, and with it a caller that still writes to the worker. */
        i->frames_fd = fd_close(i->frames_fd);
        return NULL;
}

static int make_pipe(int fds[2], Error *e) {
        if (pipe2(fds, O_CLOEXEC) < 0)
                return error_setf(e, -errno, "pipe: %m");
        (void) fcntl(fds[1], F_SETPIPE_SZ, PIPE_SIZE); /* slower without, no more */
        return 0;
}

/* source: what rkt-parse reads; -EBADF: a new pipe, whose other end is in_fd. */
static int start_worker(StoreImport *i, int source, Error *e) {
        const StoreImportLimits *l = &i->limits;
        _cleanup_close_ int in_read = -EBADF, out_write = -EBADF;
        char numbers[5][24], layer[] = "layer", plain[] = "plain-layer";
        char *mode = !i->is_layer ? NULL : i->layer && store_layer_check_is_plain(i->layer) ? plain : layer;
        char *argv[] = { (char[]){ "rkt-parse" },
                         numbers[0],
                         numbers[1],
                         numbers[2],
                         numbers[3],
                         numbers[4],
                         mode,
                         NULL };
        int fds[2], r;

        (void) snprintf(numbers[0], sizeof(numbers[0]), "%" PRIu64, l->size_max);
        (void) snprintf(numbers[1], sizeof(numbers[1]), "%" PRIu64, l->entries_max);
        (void) snprintf(numbers[2], sizeof(numbers[2]), "%" PRIu64, l->ratio_max);
        (void) snprintf(numbers[3], sizeof(numbers[3]), "%" PRIu64, l->ratio_after);
        (void) snprintf(numbers[4], sizeof(numbers[4]), "%" PRIu64, l->manifest_max);
        if (source < 0) {
                r = make_pipe(fds, e);
                if (r < 0)
                        return r;
                in_read = fds[0];
                source = in_read;
                i->in_fd = fds[1];
        }
        r = make_pipe(fds, e);
        if (r < 0)
                return r;
        i->frames_fd = fds[0];
        out_write = fds[1];
        r = worker_spawn("rkt-parse", "rkt-parse", argv, (const int[]){ source, out_write, STDERR_FILENO }, 3,
                         &i->parse, e);
        if (r < 0)
                return r;
        r = pthread_create(&i->thread, NULL, thread_main, i);
        if (r != 0)
                return error_setf(e, -r, "cannot start a thread: %s", strerror(r));
        i->has_thread = true;
        return 0;
}

/* A file without a name for the blob, and a maker of the tree. */
static int open_outputs(StoreImport *i, Error *e) {
        _cleanup_close_ int tmp =
                openat(i->store->cas_fd, "tmp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        StoreTreeBackend backend;
        int r = tmp < 0 ? -errno : tmpfile_open_at(tmp, 0600, &i->blob_fd);

        if (r < 0)
                return error_setf(e, r, "cannot create a file in '%s/cas/tmp': %s", i->store->dir,
                                  strerror(-r));
        r = store_tree_choose(i->store, &backend, e);
        return r < 0 ? r
                     : tree_maker_new(i->store, backend, i->is_layer ? TREE_MAKER_LAYER : 0, &i->maker, e);
}

/**
 * store_import_begin() - start the worker
 * @s:    store
 * @spec: what is imported
 * @ret:  for store_import_free()
 * @e:    sentence on failure; may be NULL
 *
 * Return: as store_import_new().
 */
int store_import_begin(Store *s, const StoreImportSpec *spec, StoreImport **ret, Error *e) {
        _cleanup_(store_import_freep) StoreImport *i = new0(StoreImport, 1);
        int r = 0;

        if (!i) {
                store_layer_check_free(spec->layer);
                return error_oom(e);
        }
        i->store = s;
        i->limits = *spec->limits;
        i->limits.manifest_max = MIN(i->limits.manifest_max, STORE_MANIFEST_MAX);
        i->parse = PROCESS_INIT;
        i->in_fd = i->frames_fd = i->blob_fd = -EBADF;
        (void) pthread_mutex_init(&i->mutex, NULL);
        i->render_only = spec->source >= 0;
        i->maker = spec->maker;
        i->layer = spec->layer;
        i->is_layer = spec->is_layer;
        if (s->read_only)
                return error_setf(e, -EROFS, "the store '%s' is open for reading only", s->dir);
        if (digest_new(i->is_layer ? DIGEST_SHA256 : DIGEST_SHA512, &i->digest) < 0)
                return error_oom(e);
        if (!i->render_only)
                r = open_outputs(i, e);
        if (r < 0)
                return r;
        r = start_worker(i, spec->source, e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(i);
        return 0;
}

/**
 * store_import_new() - start the worker and get ready for bytes
 * @s:      store, must outlive the import
 * @limits: copied; STORE_IMPORT_LIMITS_DEFAULT
 * @ret:    for store_import_free()
 * @e:      sentence on failure; may be NULL
 *
 * The worker dies with the thread that calls this.
 *
 * Return: 0, -EROFS (store open for reading only), -ESRCH (no user rkt-parse), -ENOSPC, -EMFILE, -ENOMEM.
 */
int store_import_new(Store *s, const StoreImportLimits *limits, StoreImport **ret, Error *e) {
        return store_import_begin(s, &(StoreImportSpec){ .limits = limits, .source = -EBADF }, ret, e);
}

/**
 * store_import_free() - end it; what was not committed is gone
 * @i: may be NULL
 *
 * Return: NULL.
 */
StoreImport *store_import_free(StoreImport *i) {
        if (!i)
                return NULL;
        (void) fd_close(i->in_fd);
        process_done(&i->parse); /* kills it, so the thread sees the end */
        if (i->has_thread)
                (void) pthread_join(i->thread, NULL);
        (void) fd_close(i->frames_fd);
        (void) fd_close(i->blob_fd);
        if (!i->render_only)
                tree_maker_free(i->maker);
        (void) pthread_mutex_destroy(&i->mutex);
        digest_free(i->digest);
        store_layer_check_free(i->layer);
        free(i->manifest);
        strv_free(i->warnings);
        error_done(&i->error);
        free(i);
        return NULL;
}

/**
 * store_import_fd() - where the compressed bytes go, for those who poll or splice
 * @i: import of an ACI; the bytes of a layer are hashed by store_import_write()
 *
 * Return: the writing end of a blocking pipe, owned by @i; closed by store_import_finish(). Writing fails with EPIPE (and
 * raises SIGPIPE) once the archive was refused: call store_import_finish() to learn why.
 */
int store_import_fd(const StoreImport *i) {
        return i->in_fd;
}

/**
 * store_import_write() - hand in compressed bytes
 * @i:    import, before store_import_finish()
 * @data: @size bytes
 * @size: bytes
 * @e:    sentence on failure; may be NULL
 *
 * Blocks while the worker is busy. Raises no SIGPIPE.
 *
 * Return: 0; -EPIPE (the archive was refused: store_import_finish() says why), other errno of write().
 */
int store_import_write(StoreImport *i, const void *data, size_t size, Error *e) {
        sigset_t pipe_set, old;
        int r = i->layer ? store_layer_check_in(i->layer, data, size) : 0;

        if (r < 0)
                return error_setf(e, r, "cannot take more of the layer");
        (void) sigemptyset(&pipe_set);
        (void) sigaddset(&pipe_set, SIGPIPE);
        (void) pthread_sigmask(SIG_BLOCK, &pipe_set, &old);
        r = fd_write_all(i->in_fd, data, size);
        if (r == -EPIPE && !sigismember(&old, SIGPIPE))
                (void) sigtimedwait(&pipe_set, NULL, &(struct timespec){});
        (void) pthread_sigmask(SIG_SETMASK, &old, NULL);
        return r < 0 ? error_setf(e, r, "cannot write to rkt-parse: %s", strerror(-r)) : 0;
}

/**
 * store_import_finish() - that were all bytes
 * @i: import
 * @e: sentence on failure, naming the entry at fault; may be NULL
 *
 * Return: 0, id and manifest, or the key of a layer, are known then; -EBADMSG (no ACI, no layer, damaged, cut off, not what
 * it should be), -ENODATA (manifest or rootfs missing), -EOPNOTSUPP (an entry that images may not have), -E2BIG,
 * -ENAMETOOLONG (limits), -ENOTUNIQ, -EPROTO (the worker broke down), -ENOSPC, -EIO.
 */
int store_import_finish(StoreImport *i, Error *e) {
        char hex[DIGEST_HEX_MAX];
        int r, status;

        assert(i && !i->finished);
        i->finished = true;
        i->in_fd = fd_close(i->in_fd);
        if (i->has_thread)
                (void) pthread_join(i->thread, NULL);
        i->has_thread = false;
        /* First what came: what is wrong in other bytes than those that were meant, nobody needs to know. */
        r = i->layer ? store_layer_check_input(i->layer, i->result >= 0, e) : 0;
        if (r >= 0 && i->result < 0)
                r = error_setf(e, i->result, "%s", error_text(&i->error, i->result));
        if (r >= 0)
                r = process_reap(&i->parse, &status, e);
        if (r >= 0 && status != 0)
                r = error_setf(e, -EPROTO, "rkt-parse failed with status %d", status);
        if (r < 0) {
                i->result = r;
                return r;
        }
        r = digest_final_hex(i->digest, hex);
        if (r < 0)
                return error_setf(e, r, "cannot hash the image");
        if (!i->is_layer) {
                (void) snprintf(i->id, sizeof(i->id), "sha512-%s", hex);
                return store_key_from_id(i->id, i->key);
        }
        (void) snprintf(i->key, sizeof(i->key), STORE_LAYER_PREFIX "%.64s", hex);
        i->result = i->layer ? store_layer_check_content(i->layer, hex, e) : 0;
        return i->result;
}

/**
 * store_import_get_manifest() - the bytes of the file "manifest"
 * @i:        import, at any time
 * @ret:      NUL-terminated, owned by @i
 * @ret_size: bytes
 *
 * Return: 1, or 0 if it has not come by yet.
 */
int store_import_get_manifest(StoreImport *i, const char **ret, size_t *ret_size) {
        bool found;

        (void) pthread_mutex_lock(&i->mutex);
        found = i->manifest;
        *ret = i->manifest;
        *ret_size = i->manifest_size;
        (void) pthread_mutex_unlock(&i->mutex);
        return found;
}

/**
 * store_import_id() - the image's id
 * @i: import, after store_import_finish()
 *
 * Return: "sha512-" and 128 digits, owned by @i.
 */
const char *store_import_id(const StoreImport *i) {
        return i->id;
}

/**
 * store_import_key() - the key of the image or layer
 * @i: import, after store_import_finish()
 *
 * Return: "sha512-" and 64 digits, of a layer "sha256-" and 64 digits; owned by @i.
 */
const char *store_import_key(const StoreImport *i) {
        return i->key;
}

/**
 * store_import_size() - how large the tar is
 * @i: import, after store_import_finish()
 *
 * Return: bytes.
 */
uint64_t store_import_size(const StoreImport *i) {
        return i->size;
}

/**
 * store_import_n_entries() - how many entries its tar has so far
 * @i: from store_import_new()
 *
 * Return: a count; what StoreImportLimits.entries_max bounds.
 */
uint64_t store_import_n_entries(const StoreImport *i) {
        return i->n_entries;
}

/**
 * store_import_warnings() - what of the archive will not be in the tree
 * @i: import, after store_import_finish()
 *
 * Return: sentences fit for a terminal; NULL: none.
 */
char *const *store_import_warnings(const StoreImport *i) {
        return i->warnings;
}

/* From here on things get names. A layer needs no intent: blob and tree are each of use without the other. */
static int make_visible(StoreImport *i, int tmp_fd, int manifest_fd, bool has_tree, const StoreImage *image,
                        uint64_t tree_size, Error *e) {
        char path[STORE_BLOB_PATH_MAX];
        StoreImage copy;
        int r = 0;

        if (image)
                r = store_intent_write(i->store, tmp_fd, i->key, has_tree, e);
        if (r < 0)
                return r;
        store_blob_path(i->key, "", path);
        r = store_blob_place(i->store, tmp_fd, i->blob_fd, path, e);
        if (r < 0)
                return r;
        store_blob_path(i->key, ".manifest", path);
        if (image)
                r = store_blob_place(i->store, tmp_fd, manifest_fd, path, e);
        if (r >= 0 && has_tree)
                r = tree_commit(i->store, i->key, tmp_fd, e);
        if (r < 0 || !image)
                return r;
        copy = *image;
        copy.id = i->id;
        copy.size = i->size;
        if (tree_size > 0)
                copy.tree_size = tree_size;
        return store_image_write(i->store, &copy, e);
}

/* Renders, syncs, and commits under the lock; -EAGAIN if the tree that was to be used has gone meanwhile. */
static int commit_once(StoreImport *i, const StoreImage *image, int tmp_fd, Error *e) {
        _cleanup_close_ int lock = -EBADF, manifest = -EBADF;
        bool make_tree = !store_tree_exists(i->store, i->key);
        uint64_t tree_size = 0;
        int r = 0;

        if (image)
                r = store_blob_write(i->store, i->manifest, i->manifest_size, &manifest, e);
        /* Before the lock: nobody shall wait for our disk. */
        if (r >= 0 && fdatasync(i->blob_fd) < 0)
                r = error_setf(e, -errno, "cannot sync '%s': %m", i->store->dir);
        if (r >= 0 && make_tree)
                r = tree_maker_write(i->maker, tmp_fd, &(TreeBlob){ i->key, i->blob_fd }, 1, &tree_size, e);
        if (r >= 0)
                r = store_commit_lock(i->store, &lock, e);
        if (r < 0)
                return r;
        if (store_tree_exists(i->store, i->key))
                make_tree = false;
        else if (!make_tree)
                return -EAGAIN;
        return make_visible(i, tmp_fd, manifest, make_tree, image, tree_size, e);
}

/**
 * store_import_place() - make an image or a layer exist
 * @i:     import, after a successful store_import_finish()
 * @image: as for store_import_commit(); NULL: it is a layer
 * @e:     sentence on failure; may be NULL
 *
 * Return: as store_import_commit().
 */
int store_import_place(StoreImport *i, const StoreImage *image, Error *e) {
        _cleanup_close_ int tmp_fd = -EBADF;
        _cleanup_free_ char *tmp = NULL;
        int r, k;

        /* Without store_lock(): who removes something meanwhile does it under the lock for commits, and then the tree
         * that is missing is made after all. Nobody shall wait for a large image to be unpacked. */
        assert(i->finished && i->result >= 0);
        r = store_tmp_new(i->store, &tmp, &tmp_fd, e);
        if (r < 0)
                return r;
        do
                r = commit_once(i, image, tmp_fd, e);
        while (r == -EAGAIN);
        /* After a failure the names that were given are taken back as if this process had died. */
        if (r < 0) {
                tmp_fd = fd_close(tmp_fd);
                (void) store_tmp_clean(i->store, NULL);
                return r;
        }
        k = remove_tree_at(i->store->cas_fd, tmp);
        return k < 0 && k != -ENOENT
                       ? error_setf(e, k, "cannot remove '%s/cas/%s': %s", i->store->dir, tmp, strerror(-k))
                       : 0;
}

/**
 * store_import_commit() - the image is wanted: make it exist
 * @i:     import, after a successful store_import_finish()
 * @image: name, labels, source, signed_by and latest are taken from it; id, size, tree_size are set here
 * @e:     sentence on failure; may be NULL
 *
 * Everything becomes visible at once and is on disk when this returns, or nothing is left. An image that is there
 * already only gets its new description.
 *
 * Return: 0; -ENOTUNIQ, -EBADMSG, -ELOOP (entries that contradict each other), -ENOSPC, -EDQUOT, -EIO, -EPROTO.
 */
int store_import_commit(StoreImport *i, const StoreImage *image, Error *e) {
        assert(!i->is_layer);
        return store_import_place(i, image, e);
}

/**
 * store_blob_parse() - the entries of an image or a layer whose blob is here
 * @s:      store
 * @key:    of it
 * @m:      gets them
 * @ret_fd: the blob, for reading
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL (no key), -ENOENT (no blob), -EBADMSG (the blob is damaged), -EROFS, -ENOSPC, -EIO.
 */
int store_blob_parse(Store *s, const char *key, TreeMaker *m, int *ret_fd, Error *e) {
        _cleanup_(store_import_freep) StoreImport *i = NULL;
        StoreImportLimits limits = STORE_IMPORT_LIMITS_DEFAULT;
        _cleanup_close_ int blob = -EBADF;
        StoreImportSpec spec = { .limits = &limits, .maker = m, .is_layer = store_layer_key_is_valid(key) };
        int r;

        /* It was let in once, perhaps with other limits. */
        limits.size_max = limits.entries_max = INT64_MAX;
        r = store_blob_open(s, key, &blob, NULL, e);
        spec.source = blob;
        if (r >= 0)
                r = store_import_begin(s, &spec, &i, e);
        if (r >= 0)
                r = store_import_finish(i, e);
        if (r == -EBADMSG) /* it was in order when it was let in */
                return error_setf(e, r, "'%s' is damaged: %s; %s", key, error_text(e, r), STORE_BLOB_REMEDY);
        if (r < 0)
                return r;
        if (!streq(i->key, key))
                return error_setf(e, -EBADMSG, "'%s' is damaged: its content has changed; %s", key,
                                  STORE_BLOB_REMEDY);
        *ret_fd = TAKE_FD(blob);
        return 0;
}
