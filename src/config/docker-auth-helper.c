/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Credential helpers: docker-credential-NAME get, with the server on stdin and the answer on stdout. They are the
 * administrator's programs and run as the caller, but one that hangs or babbles must not keep a pull from ending. */
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "basic/clock.h"
#include "basic/fd.h"
#include "basic/process.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "config/docker-auth.h"

#define HELPER_COMPLAINT_MAX 300U /* bytes of stderr that are shown */

/* One run. Texts have room for a NUL byte. */
typedef struct HelperRun {
        Process process;
        int out, err; /* -EBADF: at its end */
        char answer[DOCKER_HELPER_OUTPUT_MAX + 2];
        size_t n_answer;
        char complaint[HELPER_COMPLAINT_MAX + 1];
        size_t n_complaint;
} HelperRun;

static void helper_run_free(HelperRun *h) {
        process_done(&h->process);
        (void) fd_close(h->out);
        (void) fd_close(h->err);
        gnutls_memset(h->answer, 0, sizeof(h->answer));
        free(h);
}
DEFINE_CLEANUP(HelperRun *, helper_run_free);

static int find_program(char *const *dirs, const char *name, char **ret, Error *e) {
        for (char *const *dir = dirs; dir && *dir; dir++) {
                _cleanup_free_ char *path = strf("%s/docker-credential-%s", *dir, name);

                if (!path)
                        return error_oom(e);
                if (access(path, X_OK) < 0)
                        continue;
                *ret = TAKE_PTR(path);
                return 0;
        }
        return error_setf(e, -ENOENT,
                          "the credential helper docker-credential-%s is not installed (it is looked for in "
                          "$PATH)",
                          name);
}

/* The server's name is in the pipe before the program starts: it is shorter than any pipe. */
static int start(HelperRun *h, char *path, const char *server, Error *e) {
        _cleanup_close_ int in = -EBADF, to = -EBADF, out = -EBADF, err = -EBADF;
        int pipes[3][2], r;

        for (size_t i = 0; i < 3; i++) {
                if (pipe2(pipes[i], O_CLOEXEC) < 0)
                        return error_setf(e, -errno, "cannot make a pipe: %m");
                *(i == 0 ? &in : i == 1 ? &h->out : &h->err) = pipes[i][0];
                *(i == 0 ? &to : i == 1 ? &out : &err) = pipes[i][1];
        }
        if (fcntl(h->out, F_SETFL, O_NONBLOCK) < 0 || fcntl(h->err, F_SETFL, O_NONBLOCK) < 0)
                return error_setf(e, -errno, "cannot set up a pipe: %m");
        r = fd_write_all(to, server, strlen(server));
        if (r >= 0) {
                char *const argv[] = { path, (char[]){ "get" }, NULL };
                const int fds[] = { in, out, err };
                const ProcessSpec spec = {
                        .path = path,
                        .argv = argv,
                        .envp = environ,
                        .fds = fds,
                        .n_fds = ELEMENTSOF(fds),
                        .die_with_parent = true,
                };

                r = process_spawn(&spec, &h->process, e);
        }
        return r;
}

/* Takes what is there now; what does not fit is dropped. */
static int drain(int *fd, char *buffer, size_t size, size_t *n) {
        char rest[4096] = "";
        ssize_t k = 1;

        while (*fd >= 0 && k > 0) {
                bool fits = *n < size;

                k = read(*fd, fits ? buffer + *n : rest, fits ? size - *n : sizeof(rest));
                if (k < 0 && errno == EINTR)
                        k = 1;
                else if (k < 0 && errno != EAGAIN)
                        return -errno;
                else if (k == 0)
                        *fd = fd_close(*fd);
                else if (k > 0 && fits)
                        *n += (size_t) k;
                if (k > 0 && !fits) /* babbles: one buffer per turn, so that the time limit counts */
                        break;
        }
        gnutls_memset(rest, 0, sizeof(rest));
        return 0;
}

static uint64_t now_msec(void) {
        return clock_usec(CLOCK_MONOTONIC) / 1000;
}

/* Until the program ends: something that it left behind may hold the pipes open. */
static int converse(HelperRun *h, unsigned msec, Error *e) {
        uint64_t end = now_msec() + msec;

        for (bool ended = false; !ended;) {
                struct pollfd fds[] = { { .fd = h->process.pidfd, .events = POLLIN },
                                        { .fd = h->out, .events = POLLIN },
                                        { .fd = h->err, .events = POLLIN } };
                uint64_t now = now_msec();
                int r = now < end ? poll(fds, ELEMENTSOF(fds), (int) (end - now)) : 0;

                if (r < 0 && errno != EINTR)
                        return error_setf(e, -errno, "cannot wait: %m");
                if (r == 0)
                        return error_setf(e, -ETIMEDOUT, "it did not end within %u s", msec / 1000);
                ended = r > 0 && fds[0].revents != 0;
                r = drain(&h->out, h->answer, DOCKER_HELPER_OUTPUT_MAX + 1, &h->n_answer);
                if (r >= 0)
                        r = drain(&h->err, h->complaint, HELPER_COMPLAINT_MAX, &h->n_complaint);
                if (r < 0)
                        return error_setf(e, r, "cannot read what it says: %s", strerror(-r));
                if (h->n_answer > DOCKER_HELPER_OUTPUT_MAX)
                        return error_setf(e, -E2BIG, "it printed more than %u bytes",
                                          DOCKER_HELPER_OUTPUT_MAX);
        }
        return 0;
}

/* The first line, without what a terminal could take for a command. */
static char *first_line(char *s) {
        s[strcspn(s, "\r\n")] = '\0';
        for (char *p = s; *p; p++)
                if (*p < ' ' || *p > '~')
                        *p = '?';
        return s;
}

/* Programs complain on stdout, too, where the answer would be: no part of an object is shown. */
static int failed(HelperRun *h, int status, Error *e) {
        const char *says = first_line(h->complaint);

        if (strstr(h->answer, "credentials not found"))
                return 0;
        if (!*says && h->answer[strspn(h->answer, " \t\r\n")] != '{')
                says = first_line(h->answer);
        return error_setf(e, -EIO, "it failed with status %d%s%.*s", status, *says ? ": " : "",
                          (int) HELPER_COMPLAINT_MAX, says);
}

/**
 * docker_helper_get() - ask a credential helper
 * @s:      where it is, and how long it may take
 * @name:   NAME of docker-credential-NAME, checked
 * @server: what it is asked for, by the name that it knows
 * @ret:    for docker_credentials_done(); set with 1
 * @e:      with the first line of what the helper complained of, and never a secret
 *
 * Return: 1, 0 (it has none), -ENOENT (not installed), -ETIMEDOUT, -E2BIG, -EIO (it failed), what docker_helper_parse()
 * returns.
 */
int docker_helper_get(const DockerAuthSources *s, const char *name, const char *server,
                      DockerCredentials *ret, Error *e) {
        _cleanup_(helper_run_freep) HelperRun *h = new0(HelperRun, 1);
        _cleanup_free_ char *path = NULL;
        int status = 0, r;

        if (!h)
                return error_oom(e);
        h->process = PROCESS_INIT;
        h->out = h->err = -EBADF;
        r = find_program(s->helper_dirs, name, &path, e);
        if (r < 0)
                return r;
        r = start(h, path, server, e);
        if (r >= 0)
                r = converse(h, s->helper_msec, e);
        if (r >= 0)
                r = process_wait(&h->process, &status, e);
        if (r >= 0)
                r = status != 0 ? failed(h, status, e) : docker_helper_parse(h->answer, h->n_answer, ret, e);
        return r < 0 ? error_prefixf(e, r, "docker-credential-%s, asked for '%s'", name, server) : r;
}
