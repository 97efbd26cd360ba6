/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/app-place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/mount-fd.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "run/app-root.h"

#define SLAVES "slaveVolumes" /* in the pod's directory */

static int make_file(int dir_fd, const char *name) {
        _cleanup_close_ int fd =
                openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

        return fd < 0 && errno != EEXIST ? -errno : 0;
}

/* A place in a root: as it is, or made: a directory for a directory, a file for anything else. */
static int open_target(int root_fd, const char *path, bool directory) {
        _cleanup_free_ char *parent = NULL;
        _cleanup_close_ int dir = -EBADF;
        const char *slash = strrchr(path, '/');
        int fd, r;

        if (directory)
                return root_mkdirs_through(root_fd, path, 0755);
        fd = root_open(root_fd, path, O_PATH);
        if (fd != -ENOENT)
                return fd;
        parent = strndup(path, slash ? (size_t) (slash - path) : 0);
        if (!parent)
                return -ENOMEM;
        dir = root_mkdirs_through(root_fd, *parent ? parent : "/", 0755);
        if (dir < 0)
                return dir;
        r = make_file(dir, slash ? slash + 1 : path);
        return r < 0 ? r : root_open(root_fd, path, O_PATH);
}

static int open_in_root(const AppPlace *p, const char *path, bool directory) {
        _cleanup_act_ const Userns *acting = userns_act(p->users);

        return open_target(p->root_fd, path, directory);
}

static int add_bind(AppFacts *f, const char *place, const char *path, bool read_only) {
        AppBind b = { .source = strf("/%s", place),
                      .target = strdup(path),
                      .read_only = read_only,
                      .mount_fd = -EBADF };

        if (!b.source || !b.target || !GREEDY_GROW(f->binds, f->n_binds)) {
                free(b.source);
                free(b.target);
                return -ENOMEM;
        }
        f->binds[f->n_binds++] = b;
        return 0;
}

/* At /rkt/volumes/APP-N in stage1, and from there by the unit. The pod may be running, and put links there. */
static int open_detour(const AppPlace *p, const char *path, bool directory, bool read_only) {
        _cleanup_free_ char *place = strf(APP_PLACES "/%s-%zu", p->app->name, p->facts->n_binds);
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (!place)
                return -ENOMEM;
        if (strpbrk(path, ": \t\"\\"))
                return -EINVAL;
        fd = open_target(p->stage1_fd, place, directory);
        if (fd < 0)
                return fd;
        r = add_bind(p->facts, place, path, read_only);
        return r < 0 ? r : TAKE_FD(fd);
}

/**
 * app_place_mount() - give a mount its place in an app
 * @p:         the app; facts' binds and writable places are added to
 * @mount_fd:  a mount without a place
 * @path:      in the app, clean
 * @read_only: is it? Else the place stays writable in an app whose root is not
 * @e:         sentence on failure, without the name of what is mounted; may be NULL
 *
 * A directory's place is a directory; links of the image lead to places in its root.
 *
 * Return: 0; -EINVAL: a path with blanks or colons below /dev, /proc, /sys; -ENOTDIR, other errors of the file system.
 */
int app_place_mount(const AppPlace *p, int mount_fd, const char *path, bool read_only, Error *e) {
        _cleanup_close_ int target = -EBADF;
        struct stat st;
        bool directory;
        int r;

        if (fstat(mount_fd, &st) < 0)
                return error_setf(e, -errno, "%s", strerror(errno));
        directory = S_ISDIR(st.st_mode);
        target = app_root_api_directory(path) ? open_detour(p, path, directory, read_only)
                                              : open_in_root(p, path, directory);
        if (target < 0)
                return error_setf(e, target, "cannot make its place %s: %s", path, strerror(-target));
        r = mount_move(mount_fd, target);
        if (r < 0)
                return error_setf(e, r, "cannot mount it on %s: %s", path, strerror(-r));
        r = read_only ? 0 : strv_extend(&p->facts->writable, path);
        return r < 0 ? error_oom(e) : 0;
}

/**
 * app_place_run() - the app's own /run, for where the pod's systemd mounts one of its own
 * @p: the app, all that is mounted in it in place; facts' binds are added to
 * @e: sentence on failure; may be NULL
 *
 * Its path would not do as the source of a bind mount: systemd follows the links of the image in the pod's root. Slaves have
 * left the root already: one of them may be /run.
 *
 * Return: 0, errors of the file system and of mounting.
 */
int app_place_run(const AppPlace *p, Error *e) {
        struct mount_attr attr = { .propagation = MS_PRIVATE };
        _cleanup_close_ int run = root_open(p->root_fd, "/run", O_PATH | O_DIRECTORY), tree = -EBADF,
                            target = -EBADF;
        int r;

        FOREACH_ARRAY (b, p->facts->binds, p->facts->n_binds)
                if (streq(b->target, "/run"))
                        return 0;
        r = run < 0 ? run : mount_clone_tree(run, &attr, true, &tree);
        if (r >= 0)
                r = target = open_detour(p, "/run", true, false);
        if (r >= 0)
                r = mount_move(tree, target);
        return r < 0 ? error_setf(e, r, "app '%s': cannot mount its /run: %s", p->app->name, strerror(-r))
                     : 0;
}

/**
 * app_place_mount_slave() - give a slave its place in an app
 * @p:         the app; facts' binds and writable places are added to
 * @mount_fd:  a directory's mount without a place; taken over on success
 * @path:      in the app, clean
 * @read_only: as of app_place_mount()
 * @e:         sentence on failure, without the name of what is mounted; may be NULL
 *
 * It is there until app_place_move_slaves() is called; in /dev, /proc and /sys from then on.
 *
 * Return: as app_place_mount(); -EINVAL: a path with blanks or colons.
 */
int app_place_mount_slave(const AppPlace *p, int *mount_fd, const char *path, bool read_only, Error *e) {
        _cleanup_close_ int place = open_detour(p, path, true, read_only);
        AppBind *b;
        int r = 0;

        if (place < 0)
                return error_setf(e, place, "cannot make its place %s: %s", path, strerror(-place));
        if (!app_root_api_directory(path))
                r = app_place_mount(p, *mount_fd, path, read_only, e);
        if (r < 0)
                return r;
        b = &p->facts->binds[p->facts->n_binds - 1];
        b->slave = true;
        b->mount_fd = TAKE_FD(*mount_fd);
        return 0;
}

static char *slave_path(const AppBind *b) {
        return path_join(SLAVES, b->source + strlen("/" APP_PLACES "/"));
}

static int move_slave(const AppPlace *p, AppBind *b, int pod_fd) {
        _cleanup_free_ char *path = pod_fd < 0 ? strdup(b->source) : slave_path(b);
        _cleanup_close_ int target =
                path ? open_target(pod_fd < 0 ? p->stage1_fd : pod_fd, path, true) : -ENOMEM;
        int r = target < 0 ? target : mount_move(b->mount_fd, target);

        if (r >= 0)
                b->mount_fd = fd_close(b->mount_fd);
        return r;
}

/**
 * app_place_move_slaves() - leave slaves to the app's unit
 * @p:      the app, complete
 * @pod_fd: the pod's directory, where nspawn will find them; -EBADF: nspawn is running, and they go to their places in stage1
 * @e:      sentence on failure; may be NULL
 *
 * What is mounted on a slave goes along.
 *
 * Return: 0, errors of the file system and of mounting.
 */
int app_place_move_slaves(const AppPlace *p, int pod_fd, Error *e) {
        FOREACH_ARRAY (b, p->facts->binds, p->facts->n_binds) {
                int r = b->mount_fd < 0 ? 0 : move_slave(p, b, pod_fd);

                if (r < 0)
                        return error_setf(e, r, "app '%s': cannot move the mount of %s aside: %s",
                                          p->app->name, b->target, strerror(-r));
        }
        return 0;
}

/**
 * app_place_find_slaves() - what nspawn has to bind
 * @f:   facts of an app
 * @pod: path of the pod's directory
 * @ret: paths are added, whose last words are names in APP_PLACES of stage1
 *
 * Return: 0, -ENOMEM.
 */
int app_place_find_slaves(const AppFacts *f, const char *pod, char ***ret) {
        int r = 0;

        FOREACH_ARRAY (b, f->binds, f->n_binds) {
                _cleanup_free_ char *path = b->slave && r >= 0 ? slave_path(b) : NULL;

                if (b->slave && r >= 0)
                        r = path ? strv_extendf(ret, "%s/%s", pod, path) : -ENOMEM;
        }
        return r;
}
