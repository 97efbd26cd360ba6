/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Of a pod file, systemd has the credentials in memory by the time the pod starts. A pod of a command line has a directory like
 * that one, root's alone: a value is a file there, a file of the host a link to it, which is read whenever the pod starts. */
#include "pod/pod-credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/tmpfile.h"
#include "podfile/pod-credential.h"

/* Now, rather than when nobody looks any more. */
static int check_file(const char *path, Error *e) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return error_setf(e, -errno, "cannot read the credential '%s': %s", path, strerror(errno));
        return S_ISREG(st.st_mode)
                       ? 0
                       : error_setf(e, -EINVAL, "the credential '%s' is not a regular file", path);
}

static int link_file(int dir_fd, const char *name, const char *path, Error *e) {
        _cleanup_free_ char *real = NULL;
        int r = check_file(path, e);

        if (r < 0)
                return r;
        real = realpath(path, NULL);
        if (!real)
                return error_setf(e, -errno, "cannot find the credential '%s': %s", path, strerror(errno));
        if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
                r = -errno;
        if (r >= 0)
                r = RET_NERRNO(symlinkat(real, dir_fd, name));
        return r < 0 ? error_setf(e, r, "cannot note the credential '%s': %s", path, strerror(-r)) : 0;
}

static int write_one(int dir_fd, const char *app, const UnitSetting *c, Error *e) {
        size_t n = strcspn(c->value, ":");
        const char *rest = c->value[n] ? c->value + n + 1 : "";
        _cleanup_free_ char *name = strf("%s.%.*s", app, (int) n, c->value);
        int r;

        if (!name)
                return error_oom(e);
        if (!credential_id_is_valid(name, strlen(name)))
                return error_setf(e, -EINVAL, "'%.*s' is too long a name of a credential of app '%s'",
                                  (int) n, c->value, app);
        if (streq(c->key, CREDENTIAL_LOAD))
                return link_file(dir_fd, name, rest, e);
        r = file_write_at(dir_fd, name, rest, strlen(rest), 0400, 0);
        return r < 0 ? error_setf(e, r, "cannot write the credential '%s': %s", name, strerror(-r)) : 0;
}

/**
 * pod_credentials_write() - have the credentials of a pod where it will find them
 * @p: new pod
 * @s: what was asked for; of two of one name the last one counts
 * @e: sentence on failure; may be NULL
 *
 * Return: 0; -EINVAL: no regular file, a name that is too long; errors of files.
 */
int pod_credentials_write(Pod *p, const PodSpec *s, Error *e) {
        _cleanup_close_ int dir = -EBADF;
        int r = 0;

        FOREACH_ARRAY (a, s->apps, s->n_apps)
                FOREACH_ARRAY (c, a->credentials.items, a->credentials.n) {
                        if (dir < 0) {
                                if (mkdirat(pod_fd(p), POD_CREDENTIALS_DIR, 0700) < 0)
                                        return error_setf(e, -errno, "cannot make the pod's credentials: %s",
                                                          strerror(errno));
                                dir = openat(pod_fd(p), POD_CREDENTIALS_DIR,
                                             O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                                if (dir < 0)
                                        return error_setf(e, -errno, "cannot open the pod's credentials: %s",
                                                          strerror(errno));
                        }
                        r = write_one(dir, a->name, c, e);
                        if (r < 0)
                                return r;
                }
        return 0;
}
