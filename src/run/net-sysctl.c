/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/net-sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "manifest/ac-isolator.h"

/* "net.core.somaxconn" or with slashes; which one comes first separates, the other one is a letter (an interface's dot). */
static char *path_of(const char *name) {
        char *path = strf("/proc/sys/%s", name), *rest = path ? &path[strlen("/proc/sys/")] : NULL;

        if (path && rest[strcspn(rest, "./")] == '.')
                for (char *p = rest; *p; p++)
                        *p = *p == '.' ? '/' : *p == '/' ? '.' : *p;
        return path;
}

/**
 * net_sysctls_write() - set what the apps of a pod want of its network
 * @m: manifest, checked by pod_sysctl_check()
 * @e: sentence on failure; may be NULL
 *
 * This process is in the network already.
 *
 * Return: 0; -ENOENT: the kernel has no such setting; -EINVAL: not such a value; other errno.
 */
int net_sysctls_write(const PodManifest *m, Error *e) {
        const AcIsolator *i = ac_isolators_find(m->isolators, m->n_isolators, AC_ISOLATOR_SYSCTL);

        for (size_t k = 0; i && k < i->n_sysctls; k++) {
                const AcPair *s = &i->sysctls[k];
                _cleanup_free_ char *path = path_of(s->name);
                _cleanup_close_ int fd = -EBADF;
                int r;

                if (!path)
                        return error_oom(e);
                if (!startswith(path, "/proc/sys/net/") || strstr(path, ".."))
                        return error_setf(e, -EINVAL, "kernel setting '%.100s' is none of a network",
                                          s->name);
                fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
                r = fd < 0 ? -errno : fd_write_all(fd, s->value, strlen(s->value));
                if (r < 0)
                        return error_setf(e, r, "cannot set %.100s to '%.100s': %s", s->name, s->value,
                                          strerror(-r));
        }
        return 0;
}
