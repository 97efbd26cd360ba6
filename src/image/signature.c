/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gpgv, started by rkt-gpgv under a user of its own, with the keys in memory, the signature in memory, and the image's bytes
 * on a socket. It says what it found on a pipe. */
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/worker.h"
#include "image/signature.h"

#define STATUS_MAX     (256U * 1024)
#define STALL_MAX_MSEC 60000 /* gpgv, which neither reads nor says anything */

struct SignatureCheck {
        Process gpgv;
        int data_fd; /* -EBADF: nothing more is wanted */
        int status_fd;
        StrBuf status;    /* what it said so far */
        bool status_done; /* that was all */
};

/**
 * signature_check_free() - end a check, whatever state it is in
 * @c: may be NULL
 *
 * Return: NULL.
 */
SignatureCheck *signature_check_free(SignatureCheck *c) {
        if (!c)
                return NULL;
        process_done(&c->gpgv);
        (void) fd_close(c->data_fd);
        (void) fd_close(c->status_fd);
        strbuf_done(&c->status);
        free(c);
        return NULL;
}

static int memory_file(const char *name, const void *data, size_t size, int *ret, Error *e) {
        int r = fd_memory_file(name, data, size, ret);

        return r < 0 ? error_setf(e, r, "cannot make a file in memory: %s", strerror(-r)) : 0;
}

static int spawn(SignatureCheck *c, int key_fd, int signature_fd, Error *e) {
        _cleanup_close_ int data = -EBADF, status = -EBADF;
        int p[2];

        /* A socket rather than a pipe: when gpgv ends early, writing fails instead of raising SIGPIPE. */
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p) < 0)
                return error_setf(e, -errno, "cannot make a socket pair: %m");
        c->data_fd = p[0];
        data = p[1];
        if (pipe2(p, O_CLOEXEC) < 0)
                return error_setf(e, -errno, "cannot make a pipe: %m");
        c->status_fd = p[0];
        status = p[1];
        if (fcntl(c->status_fd, F_SETFL, O_NONBLOCK) < 0)
                return error_setf(e, -errno, "cannot change a pipe: %m");
        return worker_spawn("rkt-gpgv", GPGV_USER, (char *[]){ (char[]){ "rkt-gpgv" }, NULL },
                            (const int[]){ data, -EBADF, STDERR_FILENO, status, signature_fd, key_fd }, 6,
                            &c->gpgv, e);
}

/**
 * signature_check_start() - start gpgv
 * @k:         the keys that it may find; not used afterwards
 * @signature: @size bytes, hostile
 * @size:      at most SIGNATURE_SIZE_MAX
 * @ret:       for signature_check_free()
 * @e:         sentence on failure; may be NULL
 *
 * Return: 0, -E2BIG, -ENOKEY (there is no key), -ESRCH (the worker's user does not exist), -ENOMEM, errno of memfd_create(), pipe(), fork().
 */
int signature_check_start(const Keyring *k, const char *signature, size_t size, SignatureCheck **ret,
                          Error *e) {
        _cleanup_(signature_check_freep) SignatureCheck *c = NULL;
        _cleanup_close_ int key_fd = -EBADF, signature_fd = -EBADF;
        _cleanup_free_ char *keys = NULL;
        size_t n;
        int r;

        if (size > SIGNATURE_SIZE_MAX)
                return error_setf(e, -E2BIG, "the signature is larger than %u bytes", SIGNATURE_SIZE_MAX);
        if (keyring_to_binary(k, &keys, &n) < 0)
                return error_oom(e);
        if (n == 0)
                return error_setf(
                        e, -ENOKEY,
                        "openpgp: signature made by unknown entity: no key is trusted at all; trust one "
                        "with rkt trust, or pass --insecure-options=image");
        c = new0(SignatureCheck, 1);
        if (!c)
                return error_oom(e);
        c->gpgv = PROCESS_INIT;
        c->data_fd = c->status_fd = -EBADF;
        r = memory_file("keys", keys, n, &key_fd, e);
        if (r >= 0)
                r = memory_file("signature", signature, size, &signature_fd, e);
        if (r >= 0)
                r = spawn(c, key_fd, signature_fd, e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

/* What gpgv has said meanwhile. A gpgv that nobody listens to would stop to read, and we would wait for each other. */
static int read_status(SignatureCheck *c, Error *e) {
        char buffer[4096];

        for (;;) {
                ssize_t n = read(c->status_fd, buffer, sizeof(buffer));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        return 0;
                if (n < 0)
                        return error_setf(e, -errno, "cannot read what gpgv says: %m");
                if (n == 0) {
                        c->status_done = true;
                        return 0;
                }
                strbuf_add_n(&c->status, buffer, (size_t) n);
                if (c->status.failed)
                        return error_oom(e);
                if (c->status.size > STATUS_MAX)
                        return error_setf(e, -EPROTO, "gpgv says more than %u bytes", STATUS_MAX);
        }
}

/* Until gpgv takes more bytes (writing) or says something. */
static int wait_for_gpgv(SignatureCheck *c, bool writing, Error *e) {
        struct pollfd p[2] = {
                { .fd = c->status_done ? -1 : c->status_fd, .events = POLLIN },
                { .fd = writing ? c->data_fd : -1, .events = POLLOUT },
        };
        int n;

        do
                n = poll(p, ELEMENTSOF(p), STALL_MAX_MSEC);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return error_setf(e, -errno, "cannot wait for gpgv: %m");
        if (n == 0)
                return error_setf(e, -ETIME, "gpgv has done nothing for %d seconds", STALL_MAX_MSEC / 1000);
        return p[0].revents ? read_status(c, e) : 0;
}

/**
 * signature_check_write() - the next bytes of the signed file
 * @c:    not finished
 * @data: @size bytes
 * @size: bytes
 * @e:    sentence on failure; may be NULL
 *
 * gpgv may have seen enough (an unknown key) before the end; what follows is then dropped.
 *
 * Return: 0, -EPROTO (it says too much), -ETIME (it does nothing), -ENOMEM, errno of send().
 */
int signature_check_write(SignatureCheck *c, const void *data, size_t size, Error *e) {
        const char *p = data;

        while (size > 0 && c->data_fd >= 0) {
                ssize_t n = send(c->data_fd, p, size, MSG_NOSIGNAL | MSG_DONTWAIT);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN) {
                        int r = wait_for_gpgv(c, true, e);

                        if (r < 0)
                                return r;
                        if (c->status_done) /* what it reads from now on changes nothing */
                                c->data_fd = fd_close(c->data_fd);
                        continue;
                }
                if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) {
                        c->data_fd = fd_close(c->data_fd);
                        return 0;
                }
                if (n < 0)
                        return error_setf(e, -errno, "cannot write to gpgv: %m");
                p += n;
                size -= (size_t) n;
        }
        return 0;
}

/**
 * signature_check_finish() - the signed file is complete: what does gpgv say
 * @c:   takes no more bytes afterwards
 * @ret: for signature_verdict_done()
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, -EIO (gpgv did not work), -EPROTO (it says too much), -ETIME (it does nothing), -ENOMEM, errno of read().
 */
int signature_check_finish(SignatureCheck *c, SignatureVerdict *ret, Error *e) {
        int code = 0, r;

        c->data_fd = fd_close(c->data_fd);
        while (!c->status_done) {
                r = wait_for_gpgv(c, false, e);
                if (r < 0)
                        return r;
        }
        r = process_reap(&c->gpgv, &code, e);
        if (r < 0)
                return r;
        r = signature_verdict_parse(str_or(c->status.data, ""), ret);
        if (r < 0)
                return error_oom(e);
        if (!ret->any && code > 2)
                return error_setf(e, -EIO, "gpgv failed with status %d; is it installed?", code);
        return 0;
}
