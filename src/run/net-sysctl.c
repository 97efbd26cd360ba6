/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/net-sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
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

static int write_one(const AcPair *s, bool is_ipc, Error *e) {
        _cleanup_free_ char *path = path_of(s->name);
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (!path)
                return error_oom(e);
        if (!is_ipc && (!startswith(path, "/proc/sys/net/") || strstr(path, "..")))
                return error_setf(e, -EINVAL, "kernel setting '%.100s' is none of a network", s->name);
        fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
        r = fd < 0 ? -errno : fd_write_all(fd, s->value, strlen(s->value));
        return r < 0 ? error_setf(e, r, "cannot set %.100s to '%.100s': %s", s->name, s->value, strerror(-r))
                     : 0;
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
        int r = 0;

        for (size_t k = 0; i && k < i->n_sysctls && r >= 0; k++)
                if (!ac_sysctl_is_ipc(i->sysctls[k].name))
                        r = write_one(&i->sysctls[k], false, e);
        return r;
}

/**
 * ipc_sysctls_write() - make the pod's queues, semaphores and shared memory, with the limits that its apps want
 * @m:   manifest
 * @ret: whether this process is in the pod's IPC namespace now; it stays in its own when the apps want nothing
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0; -ENOENT: the kernel has no such setting; -EINVAL: not such a value; other errno.
 */
int ipc_sysctls_write(const PodManifest *m, bool *ret, Error *e) {
        const AcIsolator *i = ac_isolators_find(m->isolators, m->n_isolators, AC_ISOLATOR_SYSCTL);
        bool is_in = false;
        int r = 0;

        for (size_t k = 0; i && k < i->n_sysctls && r >= 0; k++) {
                if (!ac_sysctl_is_ipc(i->sysctls[k].name))
                        continue;
                if (!is_in && unshare(CLONE_NEWIPC) < 0)
                        return error_setf(e, -errno, "cannot make an IPC namespace: %s", strerror(errno));
                is_in = true;
                r = write_one(&i->sysctls[k], true, e);
        }
        if (r >= 0)
                *ret = is_in;
        return r;
}
