/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Before another start of a pod: what belongs to the last one goes (its process, its units, how its apps ended), what the apps
 * wrote stays. That lies in overlay/ and sharedVolumes/, or, where the images' trees were copied, in stage1 itself. Whatever
 * ends this, the next start goes on with it, and gc takes the pod as any other. */
#include "pod/pod-reset.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "pod/pod-internal.h"

#define COPIED "appsinfo/%s/copied"

/**
 * pod_set_app_copied() - leave word that the copy of an app's root is complete
 * @p:   pod
 * @app: its name
 *
 * The copy is on disk.
 *
 * Return: 0, -ENOMEM, errors of the file system.
 */
int pod_set_app_copied(Pod *p, const char *app) {
        _cleanup_free_ char *path = strf(COPIED, app);
        int fd = pod_fd(p);

        if (!path)
                return -ENOMEM;
        return fd < 0 ? fd : file_write_at(fd, path, "", 0, 0644, FILE_WRITE_NO_SYNC);
}

/**
 * pod_app_is_copied() - was an app's root copied, to the end?
 * @p:   pod
 * @app: its name
 *
 * Return: true if so.
 */
bool pod_app_is_copied(Pod *p, const char *app) {
        _cleanup_free_ char *path = ac_name_is_valid(app) ? strf(COPIED, app) : NULL;
        struct stat st;
        int fd = pod_fd(p);

        return path && fd >= 0 && fstatat(fd, path, &st, AT_SYMLINK_NOFOLLOW) >= 0;
}

static bool is_kept(Pod *p, const char *name, const char *keep) {
        return keep ? streq(name, keep) : pod_app_is_copied(p, name);
}

/* What is in a directory of the pod's; nothing if there is none. */
static int list_beneath(Pod *p, const char *path, int *ret_dir, char ***ret_names) {
        int dir = pod_open_beneath(pod_fd(p), path, O_RDONLY | O_DIRECTORY);

        if (dir < 0)
                return dir == -ENOENT ? 0 : dir;
        *ret_dir = dir;
        return dir_list_at(dir, ".", ret_names);
}

/* Removes what is in a directory but one name; keep is NULL in the directory of the apps. What was a directory and is
 * something else now, is the pod's own doing, and goes. */
static int empty_but(Pod *p, const char *path, const char *keep) {
        _cleanup_strv_free_ char **names = NULL;
        _cleanup_close_ int dir = -EBADF;
        int r = list_beneath(p, path, &dir, &names);

        STRV_FOREACH (n, names) {
                struct stat st;

                if (r < 0)
                        break;
                if (!is_kept(p, *n, keep) || fstatat(dir, *n, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
                    !S_ISDIR(st.st_mode))
                        r = remove_tree_at(dir, *n);
        }
        return r;
}

/* Each app's directory in stage1 has its root, and nothing else that stays. */
static int empty_apps(Pod *p, const char *apps) {
        _cleanup_strv_free_ char **names = NULL;
        _cleanup_close_ int dir = -EBADF;
        int r = list_beneath(p, apps, &dir, &names);

        STRV_FOREACH (n, names) {
                _cleanup_free_ char *path = strf("%s/%s", apps, *n);

                if (r >= 0)
                        r = path ? empty_but(p, path, "rootfs") : -ENOMEM;
        }
        return r;
}

/**
 * pod_reset() - make a pod ready for another start
 * @p: exited, locked
 * @e: sentence on failure; may be NULL
 *
 * Return: 0, errors of the file system: then it can be tried again.
 */
int pod_reset(Pod *p, Error *e) {
        /* that it was to stop, whose process it was, which doors it had */
        static const char *const of_process[] = { "stop", "ppid", "pid", "metadata-url", "notify" };
        static const struct {
                const char *path, *keep;
        } way[] = { { "stage1", "rootfs" },
                    { "stage1/rootfs", "opt" },
                    { "stage1/rootfs/opt", "stage2" },
                    { "stage1/rootfs/opt/stage2", NULL } };
        int r = 0;

        /* first: the numbers are somebody else's by now */
        FOREACH_ARRAY (name, of_process, ELEMENTSOF(of_process))
                if (r >= 0 && unlinkat(pod_fd(p), *name, 0) < 0 && errno != ENOENT)
                        r = -errno;
        FOREACH_ARRAY (w, way, ELEMENTSOF(way))
                if (r >= 0)
                        r = empty_but(p, w->path, w->keep);
        if (r >= 0)
                r = empty_apps(p, "stage1/rootfs/opt/stage2");
        return r < 0 ? error_setf(e, r, "cannot put away what is left of the last run of pod \"%s\": %s",
                                  pod_uuid(p), strerror(-r))
                     : 0;
}
