/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A directory that does not outlive us. A second process waits for our end, however it comes, and takes it away: there is no
 * later user of the user's directory who could do that. */
#include "image/output-scratch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/uuid.h"

#define GUARD_TRIES    100
#define GUARD_USEC     20000
#define SCRATCH_PREFIX 180 /* bytes of the target's name that are in the scratch directory's */

/* Runs until the other end of the pipe is closed. A worker that still writes ends with our parent. */
static _noreturn_ void guard(int folder_fd, int pipe_fd, const char *name) {
        int folder, end, null;
        char c;

        (void) setsid();
        folder = fcntl(folder_fd, F_DUPFD, 16);
        end = fcntl(pipe_fd, F_DUPFD, 16);
        null = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (folder < 0 || end < 0 || null < 0)
                _exit(EXIT_FAILURE);
        for (int fd = 0; fd < 3; fd++)
                (void) dup2(null, fd);
        (void) dup2(folder, 3);
        (void) dup2(end, 4);
        (void) close_range(5, ~0U, 0);
        while (read(4, &c, 1) < 0 && errno == EINTR)
                ;
        for (unsigned i = 0; i < GUARD_TRIES && remove_tree_at(3, name) < 0; i++)
                (void) usleep(GUARD_USEC);
        _exit(EXIT_SUCCESS);
}

static int start_guard(OutputScratch *x, int folder_fd, Error *e) {
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                return error_setf(e, -errno, "pipe: %m");
        x->guard = fork();
        if (x->guard == 0) {
                (void) close(fds[1]);
                guard(folder_fd, fds[0], x->name);
        }
        (void) fd_close(fds[0]);
        x->guard_fd = fds[1];
        return x->guard < 0 ? error_setf(e, -errno, "fork: %m") : 0;
}

/**
 * output_scratch_done() - take the directory away
 * @x: may be OUTPUT_SCRATCH_INIT
 *
 * Returns when it is gone.
 */
void output_scratch_done(OutputScratch *x) {
        (void) fd_close(x->fd);
        (void) fd_close(x->guard_fd);
        while (x->guard > 0 && waitpid(x->guard, NULL, 0) < 0 && errno == EINTR)
                ;
        free(x->name);
}

/**
 * output_scratch_new() - a directory for the time of a work
 * @p:   what it is made beside
 * @ret: for output_scratch_done(), also after a failure
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, -ENOMEM, errno of pipe(), fork(), mkdir(), open().
 */
int output_scratch_new(const OutputPlace *p, OutputScratch *ret, Error *e) {
        char uuid[UUID_STRING_MAX];
        int r = uuid_new(uuid);

        if (r < 0)
                return error_setf(e, r, "no random numbers: %s", strerror(-r));
        ret->name = strf(".%.*s.rkt-%s", SCRATCH_PREFIX, p->name, uuid);
        if (!ret->name)
                return error_oom(e);
        r = start_guard(ret, p->folder_fd, e);
        if (r < 0)
                return r;
        if (mkdirat(p->folder_fd, ret->name, 0700) < 0)
                return error_setf(e, -errno, "cannot create a directory beside '%s': %m", p->path);
        ret->fd = openat(p->folder_fd, ret->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return ret->fd < 0 ? error_setf(e, -errno, "cannot open a directory beside '%s': %m", p->path) : 0;
}
