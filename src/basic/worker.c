/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding and starting our workers. What a worker gives up is its own business (sandbox.h). */
#include "basic/worker.h"

#include <pwd.h>
#include <stdlib.h>

#include "basic/alloc.h"
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
