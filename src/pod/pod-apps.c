/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an app has in the directory of its pod: found, marked, removed. Below stage1/rootfs the pod itself writes, too: nothing
 * there is opened through a link. */
#include "pod/pod-apps.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/lock.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "pod/pod-internal.h"

#define LOCK_FILE "pod.lck"            /* rkt's */
#define WANTED    "appsinfo/%s/wanted" /* it was started, and nobody has stopped it since */
#define STAGE1    "stage1/rootfs/"

/**
 * pod_apps_lock() - be the only one who changes a pod's apps
 * @p:      pod; waits until others are done
 * @ret_fd: the lock, which ends with it; the caller's to close
 * @e:      says what failed
 *
 * Return: 0, -ENOENT (the pod is gone), other errno of open().
 */
int pod_apps_lock(Pod *p, int *ret_fd, Error *e) {
        int fd = pod_fd(p), r = fd < 0 ? fd : lock_file_at(fd, LOCK_FILE, LOCK_MODE_EXCLUSIVE, 1, ret_fd);

        return r < 0 ? error_setf(e, r, "cannot lock the apps of pod \"%s\": %s", p->uuid, strerror(-r)) : 0;
}

/**
 * pod_apps_unknown() - apps that have files, but are not in the manifest
 * @p:   pod, its apps locked
 * @m:   its manifest
 * @ret: names; free with strv_free()
 * @e:   says what failed
 *
 * Return: 0, -ENOMEM, other errno.
 */
int pod_apps_unknown(Pod *p, const PodManifest *m, char ***ret, Error *e) {
        _cleanup_strv_free_ char **names = NULL, **unknown = NULL;
        int r = dir_list_at(pod_fd(p), "appsinfo", &names);

        if (r < 0 && r != -ENOENT)
                return error_setf(e, r, "cannot list the apps of pod \"%s\": %s", p->uuid, strerror(-r));
        STRV_FOREACH (n, names)
                if (!pod_manifest_find_app(m, *n) && ac_name_is_valid(*n) && strv_extend(&unknown, *n) < 0)
                        return error_oom(e);
        *ret = TAKE_PTR(unknown);
        return 0;
}

/* Removes DIR/NAME, whatever it is; what is not there is no error. */
static int remove_at(Pod *p, const char *dir, const char *name) {
        _cleanup_close_ int fd = pod_open_beneath(pod_fd(p), dir, O_RDONLY | O_DIRECTORY);
        int r = fd < 0 ? fd : remove_tree_at(fd, name);

        return r == -ENOENT ? 0 : r;
}

static int remove_suffixed(Pod *p, const char *dir, const char *app, const char *suffix) {
        _cleanup_free_ char *name = strf("%s%s", app, suffix);

        return name ? remove_at(p, dir, name) : -ENOMEM;
}

/* hook-APP@KIND.service and enter-APP@.service.d, too. */
static int remove_units(Pod *p, const char *app) {
        _cleanup_free_ char *hook = strf("hook-%s@", app), *enter = strf("enter-%s@.service.d", app),
                            *service = strf("%s.service", app), *log = strf("rkt-log@%s.", app);
        _cleanup_close_ int fd = pod_open_beneath(pod_fd(p), POD_UNITS_DIR, O_RDONLY | O_DIRECTORY);
        _cleanup_strv_free_ char **names = NULL;
        int r;

        if (!hook || !enter || !service || !log)
                return -ENOMEM;
        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        r = dir_list_at(fd, ".", &names);
        for (char **n = names; r >= 0 && n && *n; n++)
                if (streq(*n, enter) || streq(*n, service) || startswith(*n, hook) || startswith(*n, log))
                        r = remove_tree_at(fd, *n);
        return r;
}

/* overlay/KEY/{upper,work,lower,merged}/APP; a KEY that nobody uses any more stays, empty, until the pod goes. */
static int remove_overlays(Pod *p, const char *app) {
        static const char *const parts[] = { "upper", "work", "lower", "merged" };
        _cleanup_strv_free_ char **keys = NULL;
        int r = dir_list_at(pod_fd(p), "overlay", &keys);

        for (char **k = keys; r >= 0 && k && *k; k++)
                FOREACH_ARRAY (part, parts, ELEMENTSOF(parts)) {
                        _cleanup_free_ char *dir = strf("overlay/%s/%s", *k, *part);

                        if (r >= 0)
                                r = dir ? remove_at(p, dir, app) : -ENOMEM;
                }
        return r == -ENOENT ? 0 : r;
}

/**
 * pod_app_detours() - places of an app's volumes outside of its root
 * @p:   pod
 * @app: AC Name
 * @ret: names in stage1/rootfs/rkt/volumes; free with strv_free()
 *
 * Return: 0, -ENOMEM, other errno.
 */
int pod_app_detours(Pod *p, const char *app, char ***ret) {
        _cleanup_close_ int fd = pod_open_beneath(pod_fd(p), STAGE1 "rkt/volumes", O_RDONLY | O_DIRECTORY);
        _cleanup_strv_free_ char **names = NULL, **found = NULL;
        _cleanup_free_ char *prefix = strf("%s-", app);
        int r = fd == -ENOENT ? 0 : fd < 0 ? fd : dir_list_at(fd, ".", &names);

        if (!prefix)
                return -ENOMEM;
        for (char **n = names; r >= 0 && n && *n; n++) {
                const char *number = startswith(*n, prefix);

                if (number && *number && number[strspn(number, "0123456789")] == '\0')
                        r = strv_extend(&found, *n);
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(found);
        return 0;
}

static int remove_detours(Pod *p, const char *app) {
        _cleanup_strv_free_ char **names = NULL;
        int r = pod_app_detours(p, app, &names);

        for (char **n = names; r >= 0 && n && *n; n++)
                r = remove_at(p, STAGE1 "rkt/volumes", *n);
        return r;
}

/**
 * pod_app_forget() - remove all that an app has in the pod's directory
 * @p:   pod, its apps locked
 * @app: AC Name of an app that is not in the manifest, has no mounts and does not run
 * @e:   says what failed
 *
 * Its name goes last, so that what is interrupted is found again.
 *
 * Return: 0, errno of unlink().
 */
int pod_app_forget(Pod *p, const char *app, Error *e) {
        int r = remove_units(p, app);

        if (r >= 0)
                r = remove_at(p, STAGE1 "opt/stage2", app);
        if (r >= 0)
                r = remove_overlays(p, app);
        if (r >= 0)
                r = remove_detours(p, app);
        if (r >= 0)
                r = remove_at(p, POD_STATUS_DIR, app);
        if (r >= 0)
                r = remove_suffixed(p, POD_STATUS_DIR, app, POD_MARK_CREATED);
        if (r >= 0)
                r = remove_suffixed(p, POD_STATUS_DIR, app, POD_MARK_STARTED);
        if (r >= 0)
                r = remove_suffixed(p, POD_STATUS_DIR, app, POD_MARK_END);
        if (r >= 0)
                r = remove_at(p, "appsinfo", app);
        return r < 0 ? error_setf(e, r, "cannot remove app \"%s\" of pod \"%s\": %s", app, p->uuid,
                                  strerror(-r))
                     : 0;
}

/**
 * pod_volumes_forget() - remove the directories of empty volumes that are not in the manifest
 * @p: pod, its apps locked
 * @m: its manifest
 * @e: says what failed
 *
 * Return: 0, errno of unlink().
 */
int pod_volumes_forget(Pod *p, const PodManifest *m, Error *e) {
        _cleanup_strv_free_ char **names = NULL;
        int r = dir_list_at(pod_fd(p), "sharedVolumes", &names);

        for (char **n = names; r >= 0 && n && *n; n++)
                if (!pod_manifest_find_volume(m, *n))
                        r = remove_at(p, "sharedVolumes", *n);
        return r < 0 && r != -ENOENT
                       ? error_setf(e, r, "cannot remove volumes of pod \"%s\": %s", p->uuid, strerror(-r))
                       : 0;
}

/**
 * pod_app_set_mark() - keep the time at which something happened to an app
 * @p:    pod
 * @app:  AC Name
 * @mark: what; now
 * @e:    says what failed
 *
 * Return: 0, -EINVAL (name), -ENOSPC, other errno.
 */
int pod_app_set_mark(Pod *p, const char *app, PodAppMark mark, Error *e) {
        _cleanup_free_ char *name =
                strf("%s%s", app, mark == POD_APP_CREATED ? POD_MARK_CREATED : POD_MARK_STARTED);
        _cleanup_close_ int dir = -EBADF;
        int r = name ? pod_open_status_dir(pod_fd(p), &dir) : -ENOMEM;

        if (r >= 0 && !ac_name_is_valid(app))
                r = -EINVAL;
        if (r >= 0)
                r = file_write_at(dir, name, "", 0, 0644, FILE_WRITE_NO_SYNC);
        return r < 0 ? error_setf(e, r, "cannot keep the state of app '%.100s': %s", app, strerror(-r)) : 0;
}

/**
 * pod_app_clear_status() - forget how an app ended, because it is to run again
 * @p:   pod
 * @app: AC Name
 * @e:   says what failed
 *
 * Return: 0 (also if it never ended), -EINVAL (name), other errno.
 */
int pod_app_clear_status(Pod *p, const char *app, Error *e) {
        int r = ac_name_is_valid(app) ? remove_at(p, POD_STATUS_DIR, app) : -EINVAL;

        if (r >= 0)
                r = remove_suffixed(p, POD_STATUS_DIR, app, POD_MARK_END);
        return r < 0 ? error_setf(e, r, "cannot clear the state of app '%.100s': %s", app, strerror(-r)) : 0;
}

/**
 * pod_app_set_wanted() - note that somebody started an app, or stopped it
 * @p:      pod, its apps locked
 * @app:    of its manifest
 * @wanted: started
 * @e:      says what failed
 *
 * Return: 0, -ENOMEM, errno of the file system.
 */
int pod_app_set_wanted(Pod *p, const char *app, bool wanted, Error *e) {
        _cleanup_free_ char *path = strf(WANTED, app);
        int r = !path    ? -ENOMEM
                : wanted ? file_write_at(pod_fd(p), path, "", 0, 0644, FILE_WRITE_NO_SYNC)
                         : RET_NERRNO(unlinkat(pod_fd(p), path, 0));

        return r < 0 && r != -ENOENT
                       ? error_setf(e, r, "cannot keep the state of app '%.100s': %s", app, strerror(-r))
                       : 0;
}

/**
 * pod_apps_again() - of a pod whose apps come and go, those that are to run when it starts once more
 * @p:   pod
 * @m:   its manifest
 * @ret: names; free with strv_free()
 * @e:   says what failed
 *
 * Return: 0, -ENOMEM.
 */
int pod_apps_again(Pod *p, const PodManifest *m, char ***ret, Error *e) {
        _cleanup_strv_free_ char **names = NULL;

        FOREACH_ARRAY (a, m->apps, m->n_apps) {
                _cleanup_free_ char *path = strf(WANTED, a->name);
                struct stat st;

                if (!path || (fstatat(pod_fd(p), path, &st, AT_SYMLINK_NOFOLLOW) >= 0 &&
                              strv_extend(&names, a->name) < 0))
                        return error_oom(e);
        }
        *ret = TAKE_PTR(names);
        return 0;
}

/**
 * pod_apps_mark() - what the states of its apps go by in a pod that is about to start once more
 * @p:     pod; the place for it is there
 * @m:     its manifest
 * @again: what pod_apps_again() said
 * @e:     says what failed
 *
 * Return: 0, what pod_app_set_mark() returns.
 */
int pod_apps_mark(Pod *p, const PodManifest *m, char *const *again, Error *e) {
        int r = 0;

        FOREACH_ARRAY (a, m->apps, m->n_apps) {
                if (r >= 0)
                        r = pod_app_set_mark(p, a->name, POD_APP_CREATED, e);
                if (r >= 0 && strv_contains(again, a->name))
                        r = pod_app_set_mark(p, a->name, POD_APP_STARTED, e);
        }
        return r;
}
