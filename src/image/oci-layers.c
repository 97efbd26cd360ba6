/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A few threads take one layer after the other: from a file or a download into the store's import, which has a worker of its
 * own for each. A layer that is complete stays, whatever becomes of the others; one that broke goes on from its spool.
 *
 * The callbacks of the options are called by the caller's thread only: the others leave it their sentences and numbers.
 * Everything that threads share is in Fetch and guarded by its mutex; the store is used by all of them, which it allows,
 * because a Store does not change once its backend is chosen. */
#include "image/oci-layers.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "image/image-source.h"
#include "store/store-blob.h"
#include "store/store-layer.h"
#include "store/store-tree.h"

#define PIECE_SIZE   (256U * 1024)
#define WAKE_NSEC    100000000L /* how often the caller looks */
#define DIGEST_SHOWN 19         /* "sha256:" and 12 digits */
#define STARTS_MAX   2          /* of a download whose content was changed meanwhile */

typedef struct Fetch {
        const ImageFetch *f;
        const char *what;
        OciLayer **todo; /* the largest first */
        size_t n_todo;

        pthread_mutex_t mutex;
        pthread_cond_t changed;
        size_t next; /* in todo */
        size_t n_threads;
        char **messages;
        uint64_t done;     /* bytes as they come */
        uint64_t unpacked; /* bytes of the tars of this image that came in */
        uint64_t n_files;  /* entries of them */
        int result;        /* of the first that failed */
        Error error;
} Fetch;

/* For the caller's thread to say. */
_printf_(2, 3) static void say(Fetch *x, const char *format, ...) {
        char *s = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&s, format, ap) < 0)
                s = NULL;
        va_end(ap);
        (void) pthread_mutex_lock(&x->mutex);
        (void) strv_consume(&x->messages, s);
        (void) pthread_cond_signal(&x->changed);
        (void) pthread_mutex_unlock(&x->mutex);
}

/* So many more bytes have come. False: another layer failed, there is no need to go on. */
static bool count(Fetch *x, uint64_t size) {
        bool go_on;

        (void) pthread_mutex_lock(&x->mutex);
        x->done += size;
        go_on = x->result >= 0;
        (void) pthread_mutex_unlock(&x->mutex);
        return go_on;
}

/* Reads a piece of a layer, wherever it is. */
typedef struct LayerReader {
        const OciLayer *layer;
        uint64_t position;   /* of a file */
        ImageSource *source; /* of a download */
} LayerReader;

static int read_piece(LayerReader *s, char *buffer, size_t *ret_size, Error *e) {
        const OciLayer *l = s->layer;
        ssize_t n;

        if (s->source)
                return image_source_read(s->source, buffer, PIECE_SIZE, ret_size, e);
        do
                n = pread(l->fd, buffer, (size_t) MIN((uint64_t) PIECE_SIZE, l->size - s->position),
                          (off_t) (l->offset + s->position));
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return error_setf(e, -errno, "cannot read it: %s", strerror(errno));
        s->position += (uint64_t) n;
        *ret_size = (size_t) n;
        return 0;
}

static int flow(Fetch *x, LayerReader *from, StoreImport *to, Error *e) {
        _cleanup_free_ char *piece = malloc(PIECE_SIZE);
        size_t n = 0;
        int r;

        if (!piece)
                return error_oom(e);
        for (;;) {
                r = read_piece(from, piece, &n, e);
                if (r < 0)
                        return r;
                if (n == 0)
                        return 0;
                if (!count(x, n))
                        return error_setf(e, -ECANCELED, "another layer failed");
                r = store_import_write(to, piece, n, e);
                if (r < 0)
                        return r;
        }
}

/* The limit is the image's; layers that come at the same time may each use what is left of it. */
static StoreImportLimits import_limits(Fetch *x) {
        const ImageLimits *given = x->f->options->limits;
        StoreImportLimits limits = given ? given->import : STORE_IMPORT_LIMITS_DEFAULT;

        (void) pthread_mutex_lock(&x->mutex);
        limits.size_max -= MIN(x->unpacked, limits.size_max);
        limits.entries_max -= MIN(x->n_files, limits.entries_max);
        (void) pthread_mutex_unlock(&x->mutex);
        return limits;
}

static void count_unpacked(Fetch *x, const StoreImport *i) {
        (void) pthread_mutex_lock(&x->mutex);
        x->unpacked += store_import_size(i);
        x->n_files += store_import_n_entries(i);
        (void) pthread_mutex_unlock(&x->mutex);
}

/* Everything that can be wrong with a layer is found out before it is committed. */
static int import(Fetch *x, OciLayer *l, LayerReader *from, Error *e) {
        StoreImportLimits limits = import_limits(x);
        const StoreLayerExpect expect = { .digest = l->digest, .size = l->size, .diff_id = l->diff_id };
        _cleanup_(store_import_freep) StoreImport *i = NULL;
        int r, flowed;

        if (limits.size_max == 0)
                return error_setf(e, -E2BIG,
                                  "the layers before it are as large as an image may be (image-size)");
        if (limits.entries_max == 0)
                return error_setf(
                        e, -E2BIG,
                        "the layers before it have as many files as an image may have (image-files)");
        r = store_layer_import_new(x->f->store, &limits, &expect, &i, e);
        if (r < 0)
                return r;
        flowed = flow(x, from, i, e);
        if (flowed < 0 && flowed != -EPIPE)
                return flowed;
        r = store_import_finish(i, e); /* after EPIPE it knows why */
        if (r >= 0)
                r = flowed;
        if (r < 0)
                return r;
        for (char *const *w = store_import_warnings(i); w && *w; w++)
                say(x, "warning: layer %.*s: %s", DIGEST_SHOWN, l->diff_id, *w);
        if (from->source)
                image_source_end(from->source); /* or the commit would sync the copy, too */
        r = store_layer_commit(i, e);
        if (r >= 0)
                count_unpacked(x, i);
        if (r >= 0)
                (void) snprintf(l->key, sizeof(l->key), "%s", store_import_key(i));
        return r;
}

/* A part of it may be here from an earlier attempt. */
static int download(Fetch *x, OciLayer *l, Error *e) {
        _cleanup_(store_spool_freep) StoreSpool *spool = NULL;
        _cleanup_(download_freep) Download *d = NULL;
        PullRequest q = l->request; /* what it points to stays the layer's, but for the tag */
        _cleanup_free_ char *tag = NULL;
        ImageSource s = { .what = l->request.url, .fd = -EBADF };
        const PullHead *head;
        int r;

        (void) store_spool_open(x->f->store, q.url, &spool, NULL);
        s.spool = spool;
        if (spool && store_spool_size(spool) > 0) {
                tag = strdup(store_spool_tag(spool));
                if (!tag)
                        return error_oom(e);
                q.resume_from = store_spool_size(spool);
                q.resume_tag = tag;
        }
        r = download_start(&q, &d, e);
        if (r >= 0)
                r = download_head(d, &head, e);
        if (r == -EAGAIN) /* "accepted": which is no layer that has gone, as -EAGAIN is for our caller */
                r = -EBUSY;
        if (r == -ESTALE && spool)
                store_spool_remove(spool);
        if (r >= 0)
                r = image_source_download(&s, d, head, e);
        if (r < 0)
                return r;
        if (s.offset > 0)
                say(x, "resuming layer %.*s at %llu of %llu bytes", DIGEST_SHOWN, l->digest,
                    (unsigned long long) s.offset, (unsigned long long) s.total);
        r = import(x, l, &(LayerReader){ .layer = l, .source = &s }, e);
        s.broken = s.broken || r == -ECANCELED;
        image_source_end(&s);
        return r;
}

/* In the store, and as it should be if that is asked for. */
static bool is_here(Fetch *x, OciLayer *l) {
        _cleanup_error_ Error why = ERROR_INIT;
        int r = store_layer_find(x->f->store, l->diff_id, l->key);

        if (r >= 0 && x->f->options->check_stored)
                r = store_blob_verify(x->f->store, l->key, &why);
        if (r >= 0)
                return true;
        if (*l->key)
                say(x, "layer %.*s in the store is damaged; fetching it again", DIGEST_SHOWN, l->diff_id);
        *l->key = '\0';
        return false;
}

static int fetch_layer(Fetch *x, OciLayer *l, Error *e) {
        _cleanup_close_ int lock = -EBADF;
        Store *s = x->f->store;
        int r;

        r = image_fetch_lock(s, l->diff_id, false, &lock, e);
        if (r == -EAGAIN) {
                say(x, "waiting for another download of layer %.*s", DIGEST_SHOWN, l->diff_id);
                r = image_fetch_lock(s, l->diff_id, true, &lock, e);
        }
        if (r < 0)
                return r;
        /* somebody else may have brought it */
        if (is_here(x, l)) {
                (void) count(x, l->size != UINT64_MAX ? l->size : 0);
                return 0;
        }
        if (l->fd >= 0)
                return import(x, l, &(LayerReader){ .layer = l }, e);
        for (unsigned i = 1;; i++) {
                _cleanup_error_ Error sub = ERROR_INIT;

                r = download(x, l, &sub);
                if (r != -ESTALE || i == STARTS_MAX)
                        return r < 0 ? error_setf(e, r, "%s", error_text(&sub, r)) : 0;
                say(x, "%s; starting over", error_text(&sub, r));
        }
}

static OciLayer *next_layer(Fetch *x) {
        OciLayer *l = NULL;

        (void) pthread_mutex_lock(&x->mutex);
        if (x->result >= 0 && x->next < x->n_todo)
                l = x->todo[x->next++];
        (void) pthread_mutex_unlock(&x->mutex);
        return l;
}

static void *thread_main(void *userdata) {
        Fetch *x = userdata;
        OciLayer *l;

        while ((l = next_layer(x))) {
                _cleanup_error_ Error e = ERROR_INIT;
                int r = fetch_layer(x, l, &e);

                if (r >= 0)
                        continue;
                r = error_prefixf(&e, r, "layer %s", l->digest ? l->digest : l->diff_id);
                (void) pthread_mutex_lock(&x->mutex);
                if (x->result >= 0) {
                        x->result = r;
                        x->error = e;
                        e = ERROR_INIT;
                }
                (void) pthread_mutex_unlock(&x->mutex);
        }
        (void) pthread_mutex_lock(&x->mutex);
        x->n_threads--;
        (void) pthread_cond_signal(&x->changed);
        (void) pthread_mutex_unlock(&x->mutex);
        return NULL;
}

/* Says and shows what there is; with the mutex held, which it gives up meanwhile. */
static void report(Fetch *x, uint64_t total) {
        const ImageGetOptions *o = x->f->options;
        char **messages = TAKE_PTR(x->messages);
        uint64_t done = MIN(x->done, total);

        (void) pthread_mutex_unlock(&x->mutex);
        STRV_FOREACH (m, messages)
                image_message(o, "%s", *m);
        strv_free(messages);
        if (o->progress && total > 0)
                o->progress(o->userdata, x->what, done, total);
        (void) pthread_mutex_lock(&x->mutex);
}

static void wait_all(Fetch *x, uint64_t total) {
        (void) pthread_mutex_lock(&x->mutex);
        while (x->n_threads > 0) {
                struct timespec t;

                (void) clock_gettime(CLOCK_REALTIME, &t);
                t.tv_nsec += WAKE_NSEC;
                t.tv_sec += t.tv_nsec / 1000000000L;
                t.tv_nsec %= 1000000000L;
                (void) pthread_cond_timedwait(&x->changed, &x->mutex, &t);
                report(x, total);
        }
        report(x, total);
        (void) pthread_mutex_unlock(&x->mutex);
}

static int run(Fetch *x, uint64_t total, Error *e) {
        const ImageLimits *limits = x->f->options->limits;
        uint64_t n_wanted = limits ? limits->layers : IMAGE_LAYERS_DEFAULT;
        pthread_t threads[IMAGE_LAYERS_MAX];
        size_t n = 0, n_threads = (size_t) MIN(MIN(n_wanted, (uint64_t) IMAGE_LAYERS_MAX), x->n_todo);
        int r = 0;

        x->n_threads = n_threads;
        while (r == 0 && n < n_threads) {
                r = pthread_create(&threads[n], NULL, thread_main, x);
                n += r == 0;
        }
        if (n < n_threads) {
                (void) pthread_mutex_lock(&x->mutex);
                x->n_threads -= n_threads - n;
                if (n == 0)
                        x->result = error_setf(&x->error, -r, "cannot start a thread: %s", strerror(r));
                (void) pthread_mutex_unlock(&x->mutex);
        }
        wait_all(x, total);
        for (size_t i = 0; i < n; i++)
                (void) pthread_join(threads[i], NULL);
        return x->result < 0 ? error_setf(e, x->result, "%s", error_text(&x->error, x->result)) : 0;
}

static int by_size(const void *a, const void *b) {
        const OciLayer *x = *(const OciLayer *const *) a, *y = *(const OciLayer *const *) b;

        return x->size > y->size ? -1 : x->size < y->size;
}

/**
 * oci_layers_fetch() - have every layer of an image in the store
 * @f:     how
 * @what:  the image, as one reads it in the progress
 * @image: its config is read; keys of its layers are set
 * @e:     sentence on failure, with the layer's digest; may be NULL
 *
 * What came in before one of them failed stays, and so does the beginning of a download.
 *
 * Return: 0; -EACCES (a registry refuses, perhaps because a token is too old), what download_start(), http_get() and
 * store_layer_import_new(), store_import_finish() and store_layer_commit() return.
 */
int oci_layers_fetch(const ImageFetch *f, const char *what, OciImage *image, Error *e) {
        _cleanup_free_ OciLayer **todo = new0(OciLayer *, image->n_layers);
        Fetch x = { .f = f, .what = what, .todo = todo };
        StoreTreeBackend backend;
        uint64_t total = 0;
        int r;

        if (!todo)
                return error_oom(e);
        FOREACH_ARRAY (l, image->layers, image->n_layers) {
                /* reading takes a while: the threads do it */
                if (*l->key ||
                    (!f->options->check_stored && store_layer_find(f->store, l->diff_id, l->key) >= 0))
                        continue;
                todo[x.n_todo++] = l;
                total += l->size != UINT64_MAX ? l->size : 0;
        }
        if (x.n_todo < image->n_layers)
                image_message(f->options, "%zu of %zu layers of %s are in the store",
                              image->n_layers - x.n_todo, image->n_layers, what);
        if (x.n_todo == 0)
                return 0;
        qsort(todo, x.n_todo, sizeof(OciLayer *), by_size); /* NOLINT(bugprone-sizeof-expression) pointers */
        r = store_tree_choose(f->store, &backend, e);
        if (r < 0)
                return r;
        (void) pthread_mutex_init(&x.mutex, NULL);
        (void) pthread_cond_init(&x.changed, NULL);
        r = run(&x, total, e);
        (void) pthread_cond_destroy(&x.changed);
        (void) pthread_mutex_destroy(&x.mutex);
        strv_free(x.messages);
        error_done(&x.error);
        return r;
}
