/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt-request@.service: does for a member of group rkt what request_check() allows, as root. It has the connection as standard
 * input. Its own sandbox is the unit's.
 *
 * Root neither opens a path nor writes to a descriptor for anybody: files come as descriptors, opened by who asked; output goes
 * back in packets. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/log.h"
#include "basic/process.h"
#include "basic/request.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/unconst.h"
#include "config.h"
#include "helper/request-check.h"
#include "helper/request-slot.h"

#define CONNECTION   STDIN_FILENO
#define GROUPS_MAX   1024
#define SLOTS_DIR    "/run/rkt-request"
#define ASK_MSEC     10000
#define ANSWER_SEC   60 /* that who asked may not read what we answer */
#define STATUS_OF_US 254

typedef struct Request {
        int files[REQUEST_FILES_MAX];
        size_t n_files;
        char **words;
        bool is_member, is_admin;
        int slot;
} Request;

static void request_done(Request *r) {
        for (size_t i = 0; i < r->n_files; i++)
                (void) fd_close(r->files[i]);
        strv_free(r->words);
        (void) fd_close(r->slot);
}

static int answer(char type, const void *data, size_t size) {
        struct iovec iov[] = { { .iov_base = &type, .iov_len = 1 },
                               { .iov_base = unconst(data), .iov_len = size } };
        const struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

        return sendmsg(CONNECTION, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static bool has_group(const gid_t *groups, size_t n, const char *name) {
        const struct group *g = getgrnam(name); /* NOLINT(concurrency-mt-unsafe) one thread */

        for (size_t i = 0; g && i < n; i++)
                if (groups[i] == g->gr_gid)
                        return true;
        return false;
}

/* As the kernel noted when they connected. */
static int identify(Request *x, Error *e) {
        gid_t groups[GROUPS_MAX + 1];
        struct ucred peer;
        socklen_t size = sizeof(peer), groups_size = GROUPS_MAX * sizeof(gid_t);
        size_t n;

        if (getsockopt(CONNECTION, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ||
            getsockopt(CONNECTION, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_size) < 0)
                return error_setf(e, -errno, "cannot tell who asks: %s", strerror(errno));
        n = groups_size / sizeof(gid_t);
        groups[n++] = peer.gid;
        x->is_admin = peer.uid == 0 || has_group(groups, n, "rkt-admin");
        x->is_member = x->is_admin || has_group(groups, n, "rkt");
        log_info("request of user %u", (unsigned) peer.uid);
        return x->is_member
                       ? request_slot_take(SLOTS_DIR, peer.uid, &x->slot, e)
                       : error_setf(e, -EPERM, "cannot run as unprivileged user: you are not in group rkt");
}

/* A descriptor can be reopened by its link in /proc with root's rights: it must be one that can be read already. */
static int check_file(int fd, Error *e) {
        int flags = fcntl(fd, F_GETFL);
        struct stat st;

        if (flags < 0 || fstat(fd, &st) < 0)
                return error_setf(e, -errno, "cannot look at a file: %s", strerror(errno));
        if (!S_ISREG(st.st_mode) || (flags & O_PATH) || (flags & O_ACCMODE) == O_WRONLY)
                return error_setf(e, -EINVAL,
                                  "a file that was passed is not a regular file open for reading");
        return 0;
}

static void take_files(struct msghdr *m, Request *x) {
        for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
                size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                n = MIN(n, REQUEST_FILES_MAX - x->n_files);
                memcpy(x->files + x->n_files, CMSG_DATA(c), n * sizeof(int));
                x->n_files += n;
        }
}

static int receive(Request *x, Error *e) {
        static char data[REQUEST_SIZE_MAX];
        char control[CMSG_SPACE(sizeof(int) * REQUEST_FILES_MAX)] = {};
        struct iovec iov = { .iov_base = data, .iov_len = sizeof(data) };
        struct msghdr m = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
        };
        struct pollfd p = { .fd = CONNECTION, .events = POLLIN };
        ssize_t n;
        int r;

        if (poll(&p, 1, ASK_MSEC) <= 0)
                return error_setf(e, -ETIMEDOUT, "no request came");
        n = recvmsg(CONNECTION, &m, MSG_CMSG_CLOEXEC);
        if (n < 0)
                return error_setf(e, -errno, "cannot read the request: %s", strerror(errno));
        take_files(&m, x);
        if (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
                return error_setf(e, -E2BIG, "the request is too long");
        r = request_split(data, (size_t) n, &x->words, e);
        for (size_t i = 0; r >= 0 && i < x->n_files; i++)
                r = check_file(x->files[i], e);
        return r < 0 ? r : request_check(x->words, x->n_files, x->is_admin, e);
}

static int link_file(const char *name, size_t file) {
        _cleanup_free_ char *target = strf("/proc/self/fd/%zu", file + 3);

        return target ? RET_NERRNO(symlink(target, name)) : -ENOMEM;
}

/* Files get names as images have them. */
static int name_files(Request *x, Error *e) {
        int r = 0;

        assert(x->words);
        for (char **w = x->words; *w && r >= 0; w++) {
                _cleanup_free_ char *name = NULL, *asc = NULL;
                unsigned file;
                int signature;

                if (!request_file(*w, &file, &signature))
                        continue;
                if (mkdir(REQUEST_LINKS, 0700) < 0 && errno != EEXIST)
                        return error_setf(e, -errno, "cannot make %s: %s", REQUEST_LINKS, strerror(errno));
                name = strf(REQUEST_LINKS "%u" REQUEST_LINK_SUFFIX, file);
                asc = name ? strf("%s.asc", name) : NULL;
                if (!asc)
                        return error_oom(e);
                r = link_file(name, file);
                if (r >= 0 && signature >= 0)
                        r = link_file(asc, (size_t) signature);
                if (r >= 0) {
                        free(*w);
                        *w = TAKE_PTR(name);
                }
        }
        return r < 0 ? error_setf(e, r, "cannot name a file: %s", strerror(-r)) : 0;
}

/* Passes on what there is; 0 at the end. */
static int pass(int fd, char type) {
        static char buffer[REQUEST_SIZE_MAX - 1];
        ssize_t n = read(fd, buffer, sizeof(buffer));

        if (n < 0)
                return errno == EINTR || errno == EAGAIN ? 1 : -errno;
        return n == 0 ? 0 : answer(type, buffer, (size_t) n) < 0 ? -EPIPE : 1;
}

/* Until both pipes end. Who goes away ends what was asked for. */
static void pass_all(const Process *p, const int *pipes) {
        struct pollfd fds[] = { { .fd = pipes[0], .events = POLLIN },
                                { .fd = pipes[1], .events = POLLIN },
                                { .fd = CONNECTION, .events = POLLIN } };

        while (fds[0].fd >= 0 || fds[1].fd >= 0) {
                if (poll(fds, ELEMENTSOF(fds), -1) < 0 && errno != EINTR) {
                        (void) kill(p->pid, SIGTERM);
                        return;
                }
                for (size_t i = 0; i < 2; i++)
                        if (fds[i].fd >= 0 && fds[i].revents != 0) {
                                int r = pass(fds[i].fd, i == 0 ? REQUEST_OUT : REQUEST_ERR);

                                if (r <= 0)
                                        fds[i].fd = -1;
                                if (r < 0)
                                        (void) kill(p->pid, SIGTERM);
                        }
                if (fds[2].fd >= 0 && fds[2].revents != 0) {
                        (void) kill(p->pid, SIGTERM);
                        fds[2].fd = -1;
                }
        }
}

static int run(Request *x, int *ret_status, Error *e) {
        _cleanup_strv_free_ char **argv = NULL;
        _cleanup_(process_done) Process p = PROCESS_INIT;
        int fds[3 + REQUEST_FILES_MAX] = { -EBADF }, out[2], err[2], status, r;

        r = strv_extend(&argv, "rkt");
        for (char **w = x->words; *w && r >= 0; w++)
                r = strv_extend(&argv, *w);
        if (r < 0)
                return error_oom(e);
        if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
                return error_setf(e, -errno, "cannot make a pipe: %s", strerror(errno));
        fds[1] = out[1];
        fds[2] = err[1];
        memcpy(fds + 3, x->files, x->n_files * sizeof(int));
        r = process_spawn(&(ProcessSpec){ .path = RKT_BIN_DIR "/rkt",
                                          .argv = argv,
                                          .fds = fds,
                                          .n_fds = 3 + x->n_files,
                                          .die_with_parent = true },
                          &p, e);
        (void) close(out[1]);
        (void) close(err[1]);
        if (r < 0)
                return r;
        pass_all(&p, (int[]){ out[0], err[0] });
        r = process_wait(&p, &status, e);
        if (r >= 0)
                *ret_status = status;
        return r;
}

static int serve(int *ret_status, Error *e) {
        _cleanup_(request_done) Request x = { .slot = -EBADF };
        int r = identify(&x, e);

        if (r >= 0)
                r = receive(&x, e);
        if (r >= 0)
                r = name_files(&x, e);
        return r < 0 ? r : run(&x, ret_status, e);
}

int main(void) {
        _cleanup_error_ Error e = ERROR_INIT;
        int status = STATUS_OF_US, r;
        unsigned char byte;

        (void) signal(SIGPIPE, SIG_IGN);
        (void) setsockopt(CONNECTION, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){ .tv_sec = ANSWER_SEC },
                          sizeof(struct timeval));
        r = serve(&status, &e);
        if (r < 0) {
                _cleanup_free_ char *line = strf("%s\n", error_text(&e, r));

                log_info("%s", error_text(&e, r));
                if (line)
                        (void) answer(REQUEST_ERR, line, strlen(line));
        }
        byte = (unsigned char) status;
        return answer(REQUEST_STATUS, &byte, 1) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
