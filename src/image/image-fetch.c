/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fetch, verify, import. This process (root) moves bytes between workers and looks at none of them; what it parses itself
 * is the manifest, by the bounded JSON reader, after the store took it out of the archive. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "basic/clock.h"
#include "basic/fd.h"
#include "basic/log.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "image/image-fetch.h"
#include "image/image-render.h"
#include "image/image-source.h"
#include "image/image-verify.h"
#include "image/import-aci.h"
#include "image/request.h"
#include "manifest/image-manifest.h"
#include "store/store-import.h"

#define PIECE_SIZE    (256U * 1024)
#define LOCK_FILE     "fetch-lock"
#define PROGRESS_USEC (USEC_PER_SEC / 10) /* between two reports of progress */

/**
 * image_message() - tell the user one sentence, if anybody listens
 * @o:      with or without a listener
 * @format: printf; no newline
 */
void image_message(const ImageGetOptions *o, const char *format, ...) {
        _cleanup_free_ char *s = NULL;
        va_list ap;

        if (!o->message)
                return;
        va_start(ap, format);
        if (vasprintf(&s, format, ap) < 0)
                s = NULL;
        va_end(ap);
        if (s)
                o->message(o->userdata, s);
}

/* Nobody wants to hear of every piece. */
static void show_progress(const ImageFetch *f, const ImageSource *s, usec_t *shown) {
        usec_t now;

        if (!f->options->progress)
                return;
        now = clock_usec(CLOCK_MONOTONIC);
        if (now - *shown < PROGRESS_USEC && s->position != s->total)
                return;
        *shown = now;
        f->options->progress(f->options->userdata, s->what, s->position, s->total);
}

/* The one loop through which the bytes of an image go. Both takers run in processes of their own and read at their own
 * pace, so writing to them one after the other cannot block for ever. */
static int flow(const ImageFetch *f, ImageSource *s, ImageVerify *verify, StoreImport *import, Error *e) {
        _cleanup_free_ char *piece = malloc(PIECE_SIZE);
        usec_t shown = 0;
        size_t n = 0;
        int r;

        if (!piece)
                return error_oom(e);
        for (;;) {
                r = image_source_read(s, piece, PIECE_SIZE, &n, e);
                if (r < 0)
                        return r;
                if (n == 0)
                        return 0;
                r = image_verify_write(verify, piece, n, e);
                if (r < 0)
                        return r;
                r = store_import_write(import, piece, n, e);
                if (r == -EPIPE) /* refused: only store_import_finish() knows why */
                        return r;
                if (r < 0)
                        return error_prefixf(e, r, "'%s'", s->what);
                show_progress(f, s, &shown);
        }
}

static int check_image(const ImageFetch *f, const StoreImage *i, Error *e) {
        _cleanup_error_ Error platform = ERROR_INIT;
        int r;

        if (f->dependency)
                return image_dependency_check(f->dependency, i, e);
        r = import_check_asked(i, f->asked, e);
        if (r < 0)
                return r;
        r = import_check_platform(i, &platform);
        if (r < 0 && !f->options->any_platform)
                return error_setf(e, r, "%s", error_text(&platform, r));
        if (r < 0)
                image_message(f->options, "warning: this image will not run here: %s",
                              error_text(&platform, r));
        return 0;
}

static int describe(const ImageFetch *f, const ImageSource *s, const StoreImport *import,
                    const ImageManifest *m, StoreImage *ret) {
        ret->id = strdup(store_import_id(import));
        ret->key = strdup(store_import_key(import));
        ret->name = strdup(m->name);
        ret->source = strdup(s->what);
        ret->labels = new0(StoreLabel, m->n_labels);
        if (!ret->id || !ret->key || !ret->name || !ret->source || !ret->labels)
                return -ENOMEM;
        for (; ret->n_labels < m->n_labels; ret->n_labels++) {
                StoreLabel *l = ret->labels + ret->n_labels;

                *l = (StoreLabel){ strdup(m->labels[ret->n_labels].name),
                                   strdup(m->labels[ret->n_labels].value) };
                if (!l->name || !l->value) {
                        ret->n_labels++;
                        return -ENOMEM;
                }
        }
        ret->size = store_import_size(import);
        ret->archive_size = s->position;
        ret->latest = f->asked && !image_name_label(f->asked, "version");
        return 0;
}

static int read_manifest(const ImageSource *s, StoreImport *i, ImageManifest **ret, Error *e) {
        const char *json;
        size_t size;
        int r;

        r = store_import_get_manifest(i, &json, &size);
        if (r < 0)
                return error_setf(e, r, "'%s': there is no manifest", s->what);
        r = image_manifest_parse(json, size, ret, e);
        return r < 0 ? error_prefixf(e, r, "'%s': manifest", s->what) : 0;
}

/* Everything after the source and its signature are there. The manifest is looked at only after the verdict. */
static int import(const ImageFetch *f, ImageSource *s, ImageVerify *verify, char **ret_id, Error *e) {
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL;
        _cleanup_(store_image_done) StoreImage image = STORE_IMAGE_INIT;
        _cleanup_(store_import_freep) StoreImport *i = NULL;
        int r, flowed;

        r = store_import_new(f->store,
                             f->options->limits ? &f->options->limits->import : &STORE_IMPORT_LIMITS_DEFAULT,
                             &i, e);
        if (r < 0)
                return r;
        flowed = flow(f, s, verify, i, e);
        if (flowed < 0 && flowed != -EPIPE)
                return flowed;
        r = store_import_finish(i, e);
        if (r >= 0)
                r = flowed;
        if (r < 0)
                return error_prefixf(e, r, "'%s'", s->what);
        for (char *const *w = store_import_warnings(i); w && *w; w++)
                image_message(f->options, "warning: '%s': %s", s->what, *w);
        r = image_verify_finish(verify, e);
        if (r >= 0)
                r = read_manifest(s, i, &m, e);
        if (r < 0)
                return r;
        assert(m);
        if (describe(f, s, i, m, &image) < 0)
                return error_oom(e);
        r = check_image(f, &image, e);
        if (r < 0)
                return error_prefixf(e, r, "'%s'", s->what);
        r = image_verify_name(verify, &image, e);
        if (r < 0)
                return r;
        image_source_end(s); /* or the commit would sync the copy, too */
        r = store_import_commit(i, &image, e);
        if (r < 0)
                return r;
        *ret_id = TAKE_PTR(image.id);
        return 0;
}

/**
 * image_fetch_file() - import a file
 * @f:      how
 * @path:   of an ACI; its signature is at PATH.asc unless the options name another
 * @ret_id: the image's ID, for free()
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0, -ENOENT (no such file, no signature), and what signature_verdict_judge(), store_import_*() and
 * image_manifest_parse() return.
 */
int image_fetch_file(const ImageFetch *f, const char *path, char **ret_id, Error *e) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        _cleanup_(image_verify_freep) ImageVerify *verify = NULL;
        struct stat st;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0)
                return error_setf(e, -errno, "cannot open image '%s': %m", path);
        if (!S_ISREG(st.st_mode))
                return error_setf(e, -EINVAL, "cannot use image '%s': it is not a regular file", path);
        r = image_verify_new_file(f, path, &verify, e);
        if (r < 0)
                return r;
        image_message(f->options, "using image from file %s", path);
        return import(f, &(ImageSource){ .what = path, .fd = fd, .total = (uint64_t) st.st_size }, verify,
                      ret_id, e);
}

/**
 * image_fetch_request() - a request as the options allow it, with the credentials of the configuration
 * @f:   how
 * @url: what
 * @ret: for pull_request_done()
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, and what request_init() returns.
 */
int image_fetch_request(const ImageFetch *f, const char *url, PullRequest *ret, Error *e) {
        return request_init(ret, url,
                            &(RequestOptions){
                                    .config = f->config,
                                    .limits = f->options->limits,
                                    .allow_http = f->options->insecure & INSECURE_HTTP,
                                    .insecure_tls = f->options->insecure & INSECURE_TLS,
                            },
                            e);
}

/* Is one of the keys that signed it still trusted for it? */
static bool is_vouched_for(const ImageFetch *f, const StoreImage *image) {
        STRV_FOREACH (s, image->signed_by) {
                _cleanup_free_ char *fingerprint = strdup(*s);

                for (char *p = fingerprint; p && *p; p++)
                        if (*p >= 'A' && *p <= 'Z')
                                *p = (char) (*p - 'A' + 'a');
                if (fingerprint && keyring_find(f->keyring, fingerprint, image->name))
                        return true;
        }
        return false;
}

/* What an earlier download of this URL gave, if the store still has it and it may be used without another look. */
static int load_known(const ImageFetch *f, const char *url, StoreRemote *remote, StoreImage *image) {
        int r;

        r = store_remote_load(f->store, url, remote, NULL);
        if (r < 0)
                return r;
        r = store_image_load(f->store, remote->key, image, NULL);
        if (r < 0)
                return r;
        /* What came in unverified is not good enough for somebody who wants a signature. */
        if (f->keyring && !is_vouched_for(f, image))
                return -EKEYREJECTED;
        return f->dependency ? image_dependency_check(f->dependency, image, NULL)
                             : import_check_asked(image, f->asked, NULL);
}

static bool is_fresh(const StoreRemote *r) {
        usec_t now = clock_usec(CLOCK_REALTIME);

        return now >= r->download_usec && now - r->download_usec < r->cache_max_age * USEC_PER_SEC;
}

static int save_remote(const ImageFetch *f, const char *url, const char *signature_url, const char *id,
                       const PullHead *head, Error *e) {
        char key[STORE_KEY_MAX];
        _cleanup_(store_remote_done) StoreRemote r = STORE_REMOTE_INIT;

        if (store_key_from_id(id, key) < 0)
                return error_setf(e, -EBADMSG, "the store gave a wrong image ID");
        r.url = strdup(url);
        r.signature_url = signature_url ? strdup(signature_url) : NULL;
        r.etag = head->etag ? strdup(head->etag) : NULL;
        r.key = strdup(key);
        if (!r.url || !r.key || (signature_url && !r.signature_url) || (head->etag && !r.etag))
                return error_oom(e);
        r.cache_max_age = head->max_age;
        r.download_usec = clock_usec(CLOCK_REALTIME);
        return store_remote_write(f->store, &r, e);
}

static int use_known(const ImageFetch *f, const StoreImage *image, char **ret_id, Error *e) {
        int r = check_image(f, image, e);

        if (r < 0)
                return r;
        (void) store_image_touch(f->store, image->key);
        *ret_id = strdup(image->id);
        return *ret_id ? 0 : error_oom(e);
}

/**
 * image_fetch_lock() - one download of a thing at a time: whoever comes second finds what the first one brought
 * @s:      store, opened for writing
 * @what:   the thing, as a URL
 * @wait:   until nobody else has it
 * @ret_fd: closing it ends the lock
 * @e:      sentence on failure; may be NULL
 *
 * A range of one byte, chosen by the name, is locked in one file for all, so that no file per download is left.
 *
 * Return: 0, -EAGAIN (somebody has it, and @wait is false), other errno of open() and fcntl().
 */
int image_fetch_lock(Store *s, const char *what, bool wait, int *ret_fd, Error *e) {
        _cleanup_close_ int fd = openat(store_cas_fd(s), LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
        uint64_t hash = UINT64_C(0xcbf29ce484222325);

        if (fd < 0)
                return error_setf(e, -errno, "cannot open '%s/cas/" LOCK_FILE "': %m", store_dir(s));
        for (const char *p = what; *p; p++)
                hash = (hash ^ (uint64_t) (unsigned char) *p) * UINT64_C(0x100000001b3);
        l.l_start = (off_t) (hash >> 2);
        while (fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &l) < 0) {
                if (errno == EAGAIN || errno == EACCES)
                        return error_setf(e, -EAGAIN, "'%s' is being downloaded", what);
                if (errno != EINTR)
                        return error_setf(e, -errno, "cannot lock '%s/cas/" LOCK_FILE "': %m", store_dir(s));
        }
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int lock_url(const ImageFetch *f, const char *url, int *ret_fd, Error *e) {
        int r = image_fetch_lock(f->store, url, false, ret_fd, NULL);

        if (r != -EAGAIN)
                return r < 0 ? image_fetch_lock(f->store, url, true, ret_fd, e) : 0;
        image_message(f->options, "waiting for another download of %s", url);
        return image_fetch_lock(f->store, url, true, ret_fd, e);
}

/* The answer is 200: signature, then the bytes. */
static int take_answer(const ImageFetch *f, ImageSource *s, const char *signature_url, Download *d,
                       const PullHead *head, char **ret_id, Error *e) {
        _cleanup_(image_verify_freep) ImageVerify *verify = NULL;
        int r;

        r = image_source_download(s, d, head, e);
        if (r < 0)
                return r;
        if (s->offset > 0)
                image_message(f->options, "resuming the download at %llu of %llu bytes",
                              (unsigned long long) s->offset, (unsigned long long) s->total);
        r = image_verify_new_url(f, signature_url, s->what, &verify, e);
        if (r < 0) {
                s->broken = true; /* nothing is wrong with what is here */
                image_source_end(s);
                return r;
        }
        r = import(f, s, verify, ret_id, e);
        image_source_end(s);
        if (r < 0)
                return r;
        r = save_remote(f, s->what, signature_url, *ret_id, head, e);
        if (r < 0)
                free(TAKE_PTR(*ret_id));
        return r;
}

/* Ask, and take what comes. 0: the image is there. -ESTALE: it was changed meanwhile. */
static int ask(const ImageFetch *f, PullRequest *q, const char *signature_url, const StoreImage *known,
               char **ret_id, Error *e) {
        _cleanup_(store_spool_freep) StoreSpool *spool = NULL;
        _cleanup_(download_freep) Download *d = NULL;
        ImageSource s = { .what = q->url, .fd = -EBADF };
        const PullHead *head;
        int r;

        (void) store_spool_open(f->store, q->url, &spool, NULL);
        s.spool = spool;
        if (spool && store_spool_size(spool) > 0) {
                q->resume_from = store_spool_size(spool);
                q->resume_tag = strdup(store_spool_tag(spool));
                if (!q->resume_tag)
                        return error_oom(e);
        }
        r = download_start(q, &d, e);
        q->resume_from = 0;
        free(TAKE_PTR(q->resume_tag));
        if (r >= 0)
                r = download_head(d, &head, e);
        if (r == -ESTALE && spool)
                store_spool_remove(spool);
        if (r < 0)
                return r;
        if (head->status != 304)
                return take_answer(f, &s, signature_url, d, head, ret_id, e);
        if (spool)
                store_spool_remove(spool);
        image_message(f->options, "image for %s has not changed, not fetching.", q->url);
        r = use_known(f, known, ret_id, e);
        return r < 0 ? r : save_remote(f, q->url, signature_url, *ret_id, head, e);
}

/**
 * image_fetch_url() - import what a URL gives, unless it gave the same before
 * @f:             how; the pull policy decides whether an earlier answer counts
 * @url:           of the image
 * @signature_url: of its signature; used unless the options name a file
 * @ret_id:        the image's ID, for free()
 * @e:             sentence on failure; may be NULL
 *
 * A download that breaks is continued by the next one of the same URL, if the server can tell that it still has the same
 * bytes. One that was changed in the middle is begun anew, once.
 *
 * Return: 0, and what http_get(), signature_verdict_judge(), store_import_*() and image_manifest_parse() return.
 */
int image_fetch_url(const ImageFetch *f, const char *url, const char *signature_url, char **ret_id,
                    Error *e) {
        _cleanup_(store_remote_done) StoreRemote remote = STORE_REMOTE_INIT;
        _cleanup_(store_image_done) StoreImage known = STORE_IMAGE_INIT;
        _cleanup_close_ int lock = -EBADF;
        _cleanup_(pull_request_done) PullRequest q = {};
        const usec_t since = clock_usec(CLOCK_REALTIME);
        int r;

        r = image_fetch_request(f, url, &q, e);
        if (r < 0)
                return r;
        if (f->dependency)
                q.size_max = MIN(q.size_max, f->dependency->size);
        r = lock_url(f, url, &lock, e);
        if (r < 0)
                return r;
        if (load_known(f, url, &remote, &known) >= 0 &&
            (f->options->pull != PULL_ALWAYS || remote.download_usec >= since)) {
                if (is_fresh(&remote) || remote.download_usec >= since) {
                        image_message(f->options, "image for %s isn't expired, not fetching.", url);
                        return use_known(f, &known, ret_id, e);
                }
                q.etag = TAKE_PTR(remote.etag);
        }
        image_message(f->options, "remote fetching from URL \"%s\"", url);
        log_debug("fetching image from %s", url);
        r = ask(f, &q, signature_url, &known, ret_id, e);
        if (r != -ESTALE)
                return r;
        image_message(f->options, "%s; starting over", error_text(e, r));
        return ask(f, &q, signature_url, &known, ret_id, e);
}
