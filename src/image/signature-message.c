/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* OpenPGP messages that contain what they sign (simple signing of Docker images): gpgv, by rkt-gpgv, says whether the
 * signature is good and gives what is inside. Only one whole signed document is taken, nothing that could be read in two ways. */
#include <fcntl.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/worker.h"
#include "image/signature.h"

#define STATUS_MAX  (64U * 1024)
#define PAYLOAD_MAX (256U * 1024)

typedef struct Gpgv {
        Process process;
        WorkerOutput outputs[2]; /* payload, status lines */
} Gpgv;

static void gpgv_done(Gpgv *g) {
        process_done(&g->process);
        FOREACH_ARRAY (o, g->outputs, ELEMENTSOF(g->outputs))
                worker_output_done(o);
}

static int start(Gpgv *g, int key_fd, int message_fd, Error *e) {
        int p[2], status[2], r;

        if (pipe2(p, O_CLOEXEC) < 0)
                return error_setf(e, -errno, "cannot make a pipe: %m");
        g->outputs[0].fd = p[0];
        if (pipe2(status, O_CLOEXEC) < 0) {
                r = error_setf(e, -errno, "cannot make a pipe: %m");
                (void) fd_close(p[1]);
                return r;
        }
        g->outputs[1].fd = status[0];
        r = worker_spawn("rkt-gpgv", GPGV_USER,
                         (char *[]){ (char[]){ "rkt-gpgv" }, (char[]){ "message" }, NULL },
                         (const int[]){ -EBADF, p[1], STDERR_FILENO, status[1], message_fd, key_fd, -EBADF },
                         7, &g->process, e);
        (void) fd_close(p[1]);
        (void) fd_close(status[1]);
        return r;
}

/* How often gpgv said a word. */
static size_t count(char **lines, const char *word) {
        size_t n = 0;

        STRV_FOREACH (l, lines) {
                const char *rest = startswith(*l, "[GNUPG:] ");
                const char *behind = rest ? startswith(rest, word) : NULL;

                n += behind && (!*behind || *behind == ' ');
        }
        return n;
}

/* One signature, one text. What else is in a message could be what another reader takes for the signed text. */
static int check_shape(const char *status, int code, Error *e) {
        _cleanup_strv_free_ char **lines = NULL;

        if (strv_split(status, "\n", &lines) < 0)
                return error_oom(e);
        if (count(lines, "NEWSIG") > 1)
                return error_setf(e, -EBADMSG, "there is more than one signature in the message");
        if (count(lines, "PLAINTEXT") > 1)
                return error_setf(e, -EBADMSG, "there is more than one text in the message");
        if (code != 0 && count(lines, "GOODSIG") > 0)
                return error_setf(e, -EBADMSG, "the message is damaged");
        return 0;
}

/**
 * signature_message_read() - what does a signed message say, and who says so
 * @k:           the keys that gpgv may find
 * @message:     @size bytes, hostile: one OpenPGP message, binary or armored
 * @size:        bytes, at most SIGNATURE_SIZE_MAX
 * @ret:         gpgv's verdict, for signature_verdict_done(); signature_verdict_judge() it before @ret_payload is used
 * @ret_payload: what is signed and a NUL, for free()
 * @ret_size:    bytes
 * @e:           sentence on failure; may be NULL
 *
 * Return: 0, -E2BIG, -EBADMSG (several signatures or texts), -EIO (gpgv did not work), -EPROTO, -ETIME, -ESRCH, -ENOMEM, errno of
 * memfd_create(), pipe(), fork().
 */
int signature_message_read(const Keyring *k, const char *message, size_t size, SignatureVerdict *ret,
                           char **ret_payload, size_t *ret_size, Error *e) {
        _cleanup_(gpgv_done) Gpgv g = { .process = PROCESS_INIT,
                                        .outputs = { { .fd = -EBADF, .size_max = PAYLOAD_MAX },
                                                     { .fd = -EBADF, .size_max = STATUS_MAX } } };
        _cleanup_close_ int key_fd = -EBADF, message_fd = -EBADF;
        _cleanup_free_ char *keys = NULL, *payload = NULL;
        const char *status;
        size_t n = 0;
        int r, code = 0;

        if (size > SIGNATURE_SIZE_MAX)
                return error_setf(e, -E2BIG, "the signature is larger than %u bytes", SIGNATURE_SIZE_MAX);
        if (keyring_to_binary(k, &keys, &n) < 0)
                return error_oom(e);
        r = fd_memory_file("keys", keys, n, &key_fd);
        if (r >= 0)
                r = fd_memory_file("message", message, size, &message_fd);
        if (r < 0)
                return error_setf(e, r, "cannot make a file in memory: %s", strerror(-r));
        r = start(&g, key_fd, message_fd, e);
        if (r >= 0)
                r = worker_listen("gpgv", g.outputs, ELEMENTSOF(g.outputs), e);
        if (r >= 0)
                r = process_reap(&g.process, &code, e);
        if (r < 0)
                return r;
        status = str_or(g.outputs[1].data.data, "");
        if (!*status && code > 2)
                return error_setf(e, -EIO, "gpgv failed with status %d; is it installed?", code);
        r = check_shape(status, code, e);
        if (r < 0)
                return r;
        n = g.outputs[0].data.size;
        if (strbuf_steal(&g.outputs[0].data, &payload) < 0 || signature_verdict_parse(status, ret) < 0)
                return error_oom(e);
        *ret_payload = TAKE_PTR(payload);
        *ret_size = n;
        return 0;
}
