/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding and starting our workers. What a worker gives up is its own business (sandbox.h). */
#include "basic/worker.h"

#include <poll.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/path.h"
#include "config.h"

/**
 * worker_spawn() - start a worker of ours
 * @name:  program in the libexec directory
 * @user:  it runs as this one; NULL: as the caller
 * @argv:  NULL-terminated; others can read it, so no secrets
 * @fds:   become 0, 1, 2, ...
 * @n_fds: count
 * @ret:   for process_wait() and process_done()
 * @e:     sentence on failure; may be NULL
 *
 * The worker dies with the thread that calls this. RKT_LIBEXEC in the environment names another directory; it is for tests
 * that run out of a build tree, where the workers' users may not exist: nobody takes their place.
 *
 * Return: 0, -ESRCH (no such user), -EAGAIN, -ENOMEM.
 */
int worker_spawn(const char *name, const char *user, char *const argv[], const int *fds, size_t n_fds,
                 Process *ret, Error *e) {
        const char *dir = secure_getenv("RKT_LIBEXEC");
        _cleanup_free_ char *path = NULL;
        ProcessSpec spec = {
                .argv = argv, .fds = fds, .n_fds = n_fds, .user = user, .die_with_parent = true
        };
        int r;

        if (dir && !path_is_absolute(dir))
                dir = NULL;
        path = path_join(dir ? dir : RKT_LIBEXEC_DIR, name);
        if (!path)
                return error_oom(e);
        if (dir && user && !getpwnam(user))
                spec.user = "nobody";
        spec.path = path;
        r = process_spawn(&spec, ret, e);
        return r < 0 ? error_prefixf(e, r, "cannot start %s", name) : 0;
}

/**
 * worker_output_done() - close the pipe, free what was said
 * @o: is empty afterwards
 */
void worker_output_done(WorkerOutput *o) {
        o->fd = fd_close(o->fd);
        strbuf_done(&o->data);
}

static int hear(const char *name, WorkerOutput *o, Error *e) {
        char buffer[16384];
        ssize_t n = read(o->fd, buffer, sizeof(buffer));

        if (n < 0)
                return errno == EINTR ? 0 : error_setf(e, -errno, "cannot read what %s says: %m", name);
        if (n == 0) {
                o->fd = fd_close(o->fd);
                return 0;
        }
        strbuf_add_n(&o->data, buffer, (size_t) n);
        if (o->data.failed)
                return error_oom(e);
        if (o->data.size > o->size_max)
                return error_setf(e, -EPROTO, "%s says more than %zu bytes", name, o->size_max);
        return 0;
}

/**
 * worker_listen() - hear a worker out
 * @name:    of the worker, for messages
 * @outputs: pipes; closed one by one as they end
 * @n:       at most 4
 * @e:       sentence on failure; may be NULL
 *
 * Return: 0, -EPROTO (it says too much), -ETIME (it says nothing), -ENOMEM, errno of poll() and read().
 */
int worker_listen(const char *name, WorkerOutput *outputs, size_t n, Error *e) {
        struct pollfd p[4];

        assert(n <= ELEMENTSOF(p));
        for (;;) {
                bool open = false;
                int k;

                for (size_t i = 0; i < n; i++) {
                        p[i] = (struct pollfd){ .fd = outputs[i].fd, .events = POLLIN };
                        open = open || outputs[i].fd >= 0;
                }
                if (!open)
                        return 0;
                k = poll(p, n, WORKER_STALL_MAX_MSEC);
                if (k < 0 && errno != EINTR)
                        return error_setf(e, -errno, "cannot wait for %s: %m", name);
                if (k == 0)
                        return error_setf(e, -ETIME, "%s has said nothing for %d seconds", name,
                                          WORKER_STALL_MAX_MSEC / 1000);
                for (size_t i = 0; k > 0 && i < n; i++) {
                        int r = p[i].fd >= 0 && p[i].revents ? hear(name, outputs + i, e) : 0;

                        if (r < 0)
                                return r;
                }
        }
}
