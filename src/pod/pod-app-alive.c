/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Does an app run at this moment? Its unit's cgroup says so, to everybody, without asking the pod's systemd. An app that was
 * restarted has left the status of its last end, which is not how it is doing now. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "pod/pod-internal.h"

#define CGROUP_FILE_MAX 65536
#define PATH_OF_INIT    "/init.scope"

/* The pod's own part of the tree: that of its PID 1, without the scope that systemd makes for itself. */
static int pod_cgroup(Pod *p, char **ret) {
        _cleanup_free_ char *text = NULL;
        char path[64], *own, *end;
        size_t size;
        pid_t pid;
        int r = pod_get_pid(p, &pid);

        if (r < 0)
                return r;
        (void) snprintf(path, sizeof(path), "/proc/%d/cgroup", (int) pid);
        r = file_read_at(AT_FDCWD, path, CGROUP_FILE_MAX, &text, &size);
        own = r >= 0 ? strstr(text, "0::/") : NULL;
        if (!own)
                return r < 0 ? r : -ENOENT;
        own += strlen("0::");
        own[strcspn(own, "\n")] = '\0';
        end = strrchr(own, '/');
        if (!end || !streq(end, PATH_OF_INIT))
                return -ENOENT;
        *end = '\0';
        *ret = strdup(own);
        return *ret ? 0 : -ENOMEM;
}

/**
 * pod_app_is_alive() - are there processes of an app?
 * @p:   pod
 * @app: AC Name
 *
 * Return: true if its unit in the running pod has any; false also if that cannot be told.
 */
bool pod_app_is_alive(Pod *p, const char *app) {
        static const char *const mounts[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
        static const char *const prefixes[] = { "", "_" }; /* of a name that is a controller's */
        _cleanup_free_ char *own = NULL;

        if (pod_cgroup(p, &own) < 0)
                return false;
        FOREACH_ARRAY (m, mounts, ELEMENTSOF(mounts))
                FOREACH_ARRAY (prefix, prefixes, ELEMENTSOF(prefixes)) {
                        _cleanup_free_ char *path = strf("%s%s/system.slice/%s%s.service/cgroup.events", *m,
                                                         own, *prefix, app),
                                            *text = NULL;
                        size_t size;

                        if (path && file_read_at(AT_FDCWD, path, CGROUP_FILE_MAX, &text, &size) >= 0)
                                return strstr(text, "populated 1") != NULL;
                }
        return false;
}
