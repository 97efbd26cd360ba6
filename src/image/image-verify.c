/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A signature beside the image, at a URL, or in a file that the user names. Quay makes an image's signature while it hands
 * out the image, and answers 202 until then: the bytes are then kept in a file without a name, and checked at the end. */
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "image/image-verify.h"
#include "image/signature.h"
#include "net/download.h"

#define PIECE_SIZE (256U * 1024)

struct ImageVerify {
        const ImageFetch *fetch;
        char *what; /* the image: path or URL */
        char *signature;
        size_t signature_size;
        char *deferred_url; /* the signature is not there yet */
        int spool_fd;       /* the image's bytes, until it is there; -EBADF: not needed */
        SignatureCheck *check;
        SignatureVerdict verdict;
};

/**
 * image_verify_free() - end it, whatever state it is in
 * @v: may be NULL
 *
 * Return: NULL.
 */
ImageVerify *image_verify_free(ImageVerify *v) {
        if (!v)
                return NULL;
        (void) signature_check_free(v->check);
        signature_verdict_done(&v->verdict);
        (void) fd_close(v->spool_fd);
        free(v->deferred_url);
        free(v->signature);
        free(v->what);
        free(v);
        return NULL;
}

static int verify_new(const ImageFetch *f, const char *what, ImageVerify **ret, Error *e) {
        _cleanup_(image_verify_freep) ImageVerify *v = new0(ImageVerify, 1);

        if (!v)
                return error_oom(e);
        v->fetch = f;
        v->spool_fd = -EBADF;
        v->what = strdup(what);
        if (!v->what)
                return error_oom(e);
        *ret = TAKE_PTR(v);
        return 0;
}

static int read_signature_file(ImageVerify *v, const char *path, Error *e) {
        int r = file_read_at(AT_FDCWD, path, SIGNATURE_SIZE_MAX, &v->signature, &v->signature_size);

        if (r == -E2BIG)
                return error_setf(e, r, "signature file '%s' is larger than %u bytes, as no signature is",
                                  path, SIGNATURE_SIZE_MAX);
        if (r < 0)
                return error_setf(
                        e, r,
                        "error opening signature file '%s': %s; sign the image, or use it unsigned with "
                        "--insecure-options=image",
                        path, strerror(-r));
        return signature_check_start(v->fetch->keyring, v->signature, v->signature_size, &v->check, e);
}

/**
 * image_verify_new_file() - find the signature of a file
 * @f:    how; without a keyring nothing will be checked
 * @path: of the image; its signature is PATH.asc unless the options name a file
 * @ret:  for image_verify_free()
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, -ENOENT (no signature), -EFBIG, and what signature_check_start() returns.
 */
int image_verify_new_file(const ImageFetch *f, const char *path, ImageVerify **ret, Error *e) {
        _cleanup_(image_verify_freep) ImageVerify *v = NULL;
        _cleanup_free_ char *asc = strf("%s.asc", path);
        int r;

        if (!asc)
                return error_oom(e);
        r = verify_new(f, path, &v, e);
        if (r < 0)
                return r;
        assert(v);
        if (f->keyring)
                r = read_signature_file(v, str_or(f->options->signature, asc), e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(v);
        return 0;
}

/* -EAGAIN: the server says that there will be one. */
static int download_signature(ImageVerify *v, const char *url, Error *e) {
        _cleanup_(pull_request_done) PullRequest q = {};
        int r;

        r = image_fetch_request(v->fetch, url, &q, e);
        if (r < 0)
                return r;
        q.size_max = SIGNATURE_SIZE_MAX;
        q.time_max_sec = MIN(q.time_max_sec, SIGNATURE_TIME_MAX_SEC);
        return download_small(&q, &v->signature, &v->signature_size, e);
}

static int no_signature(int r, Error *e) {
        return error_setf(e, r,
                          "error downloading the signature file: %s; to use the image unsigned, pass "
                          "--insecure-options=image",
                          error_text(e, r));
}

static int open_spool(ImageVerify *v, Error *e) {
        v->spool_fd = openat(store_cas_fd(v->fetch->store), "tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
        if (v->spool_fd < 0)
                return error_setf(e, -errno, "cannot make a file in '%s/cas/tmp': %m",
                                  store_dir(v->fetch->store));
        return 0;
}

/**
 * image_verify_new_url() - get the signature of a download
 * @f:    how; without a keyring nothing will be checked
 * @url:  of the signature; used unless the options name a file
 * @what: URL of the image, for messages
 * @ret:  for image_verify_free()
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, and what download_small() and signature_check_start() return.
 */
int image_verify_new_url(const ImageFetch *f, const char *url, const char *what, ImageVerify **ret,
                         Error *e) {
        _cleanup_(image_verify_freep) ImageVerify *v = NULL;
        int r;

        r = verify_new(f, what, &v, e);
        if (r < 0)
                return r;
        assert(v);
        if (f->keyring && f->options->signature) {
                r = read_signature_file(v, f->options->signature, e);
        } else if (f->keyring) {
                r = download_signature(v, url, e);
                if (r == -EAGAIN) {
                        image_message(f->options, "server requested deferring the signature download");
                        error_done(e);
                        v->deferred_url = strdup(url);
                        r = v->deferred_url ? open_spool(v, e) : error_oom(e);
                } else if (r < 0)
                        r = no_signature(r, e);
                else
                        r = signature_check_start(f->keyring, v->signature, v->signature_size, &v->check, e);
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(v);
        return 0;
}

/**
 * image_verify_write() - the next bytes of the image as it is distributed
 * @v:    not finished
 * @data: @size bytes
 * @size: bytes
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, errno of send() and write().
 */
int image_verify_write(ImageVerify *v, const void *data, size_t size, Error *e) {
        int r;

        if (v->check)
                return signature_check_write(v->check, data, size, e);
        if (v->spool_fd < 0)
                return 0;
        r = fd_write_all(v->spool_fd, data, size);
        if (r < 0)
                return error_setf(e, r, "cannot write a file in '%s/cas/tmp': %s", store_dir(v->fetch->store),
                                  strerror(-r));
        return 0;
}

/* The image is here; now its signature should be there. */
static int get_deferred(ImageVerify *v, Error *e) {
        int r;

        for (unsigned i = 0;; i++) {
                r = download_signature(v, v->deferred_url, e);
                if (r != -EAGAIN || i + 1 >= SIGNATURE_TRIES_MAX)
                        break;
                (void) poll(NULL, 0, 1000 << i);
        }
        if (r < 0)
                return no_signature(r, e);
        return signature_check_start(v->fetch->keyring, v->signature, v->signature_size, &v->check, e);
}

static int check_spool(ImageVerify *v, Error *e) {
        _cleanup_free_ char *piece = malloc(PIECE_SIZE);
        off_t at = 0;
        ssize_t n;
        int r;

        if (!piece)
                return error_oom(e);
        while ((n = pread(v->spool_fd, piece, PIECE_SIZE, at)) > 0) {
                r = signature_check_write(v->check, piece, (size_t) n, e);
                if (r < 0)
                        return r;
                at += n;
        }
        return n < 0 ? error_setf(e, -errno, "cannot read a file in '%s/cas/tmp': %m",
                                  store_dir(v->fetch->store))
                     : 0;
}

/**
 * image_verify_finish() - all bytes are there: may the archive be looked into
 * @v: takes no more bytes afterwards
 * @e: sentence on failure; may be NULL
 *
 * The image's name is known if one was asked for. Otherwise the signature must be by a key that is trusted for some name.
 *
 * Return: 0, and what download_small(), signature_check_finish() and signature_verdict_judge() return.
 */
int image_verify_finish(ImageVerify *v, Error *e) {
        const ImageName *asked = v->fetch->asked;
        int r = 0;

        if (v->deferred_url) {
                r = get_deferred(v, e);
                if (r >= 0)
                        r = check_spool(v, e);
                v->spool_fd = fd_close(v->spool_fd);
        }
        if (r >= 0 && v->check) {
                r = signature_check_finish(v->check, &v->verdict, e);
                if (r >= 0)
                        r = signature_verdict_judge(&v->verdict, v->fetch->keyring,
                                                    asked ? asked->text : NULL, NULL, NULL, e);
        }
        return r < 0 ? error_prefixf(e, r, "signature of '%s'", v->what) : 0;
}

static void upper(char *s) {
        for (; *s; s++)
                if (*s >= 'a' && *s <= 'z')
                        *s = (char) (*s - 'a' + 'A');
}

static int remember(StoreImage *image, const SignatureSigner *by) {
        const PgpKey *key = &by->key->key;
        StoreSignature *s;

        if (!GREEDY_GROW(image->signatures, image->n_signatures))
                return -ENOMEM;
        s = image->signatures + image->n_signatures++;
        *s = (StoreSignature){
                .fingerprint = strdup(key->fingerprint),
                .identity = key->identities ? strdup(key->identities[0]) : NULL,
                .key_file = strdup(by->key->path),
                .time_usec = by->time_usec,
        };
        if (!s->fingerprint || !s->key_file || (key->identities && !s->identity))
                return -ENOMEM;
        upper(s->fingerprint);
        return strv_extend(&image->signed_by, s->fingerprint);
}

/**
 * image_verify_name() - the image says how it is called: may the signer speak for that
 * @v:     finished
 * @image: its name; signatures are added
 * @e:     sentence on failure; may be NULL
 *
 * Return: 0, and what signature_verdict_judge() returns.
 */
int image_verify_name(ImageVerify *v, StoreImage *image, Error *e) {
        _cleanup_free_ SignatureSigner *signers = NULL;
        size_t n = 0;
        int r;

        if (!v->check)
                return 0;
        r = signature_verdict_judge(&v->verdict, v->fetch->keyring, image->name, &signers, &n, e);
        if (r < 0)
                return error_prefixf(e, r, "signature of '%s'", image->name);
        image_message(v->fetch->options, "signature verified:");
        FOREACH_ARRAY (i, signers, n) {
                if (remember(image, i) < 0)
                        return error_oom(e);
                STRV_FOREACH (u, i->key->key.identities)
                        image_message(v->fetch->options, "  %s", *u);
        }
        return 0;
}
