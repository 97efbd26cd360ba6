/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looks into an app's root and puts in what the standard promises (appc 12). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/mount-fd.h"
#include "basic/parse.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "pod/pod-compose.h"
#include "run/app-root.h"

static bool is_program(int root_fd, const char *path) {
        _cleanup_close_ int fd = root_open(root_fd, path, O_PATH);
        struct stat st;

        return fd >= 0 && fstat(fd, &st) >= 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111);
}

/**
 * app_root_find_program() - where the first word of an app's exec is
 * @a:       app, with its "app" object and at least one word
 * @root_fd: the app's root directory
 * @f:       exec_path is set. A word without "/" is looked up in the app's PATH, one with "/" but relative begins in the
 *           working directory; an absolute one stays as it is, whether it exists or not: systemd says so best
 * @e:       sentence on failure; may be NULL
 *
 * Return: 0; -ENOENT: not in PATH; -ENOMEM.
 */
int app_root_find_program(const PodApp *a, int root_fd, AppFacts *f, Error *e) {
        const char *word = a->app->exec[0], *path, *directory = a->app->working_directory;
        _cleanup_strv_free_ char **dirs = NULL;

        if (*word == '/')
                f->exec_path = strdup(word);
        else if (strchr(word, '/'))
                f->exec_path = path_join(directory && *directory ? directory : "/", word);
        if (strchr(word, '/'))
                return f->exec_path ? 0 : error_oom(e);
        path = ac_pairs_get(a->app->environment, a->app->n_environment, "PATH");
        if (strv_split(str_or(path, APP_DEFAULT_PATH), ":", &dirs) < 0)
                return error_oom(e);
        for (char **d = dirs; d && *d; d++) {
                _cleanup_free_ char *candidate = path_join(*d, word);

                if (!candidate)
                        return error_oom(e);
                if (**d == '/' && is_program(root_fd, candidate)) {
                        f->exec_path = TAKE_PTR(candidate);
                        return 0;
                }
        }
        return error_setf(e, -ENOENT, "app '%s': no program '%s' in the image's PATH (%s)", a->name, word,
                          str_or(path, APP_DEFAULT_PATH));
}

static const char *find_top(const char *const *tops, size_t n, const char *path) {
        FOREACH_ARRAY (top, tops, n)
                if (path_is_beneath(path, *top))
                        return *top;
        return NULL;
}

/**
 * app_root_api_directory() - is a place in an app the kernel's, where the pod's systemd mounts over what is in the root?
 * @path: absolute, clean
 *
 * Return: "/dev", "/proc" or "/sys"; NULL: it is not.
 */
const char *app_root_api_directory(const char *path) {
        static const char *const api[] = { "/dev", "/proc", "/sys" };

        return find_top(api, ELEMENTSOF(api), path);
}

/* Where the app, or what is started before it, may make directories of its own. */
static bool is_scratch(const char *path) {
        static const char *const scratch[] = { "/run", "/tmp", "/var/tmp" };

        return find_top(scratch, ELEMENTSOF(scratch), path) != NULL;
}

/* Is there no link on the way to a directory that is not there? */
static int check_missing(int root_fd, const char *path) {
        for (const char *end = path + 1; *end; end += strspn(end, "/")) {
                _cleanup_free_ char *part = NULL;
                _cleanup_close_ int fd = -EBADF;
                struct stat st;

                end += strcspn(end, "/");
                part = strndup(path, (size_t) (end - path));
                if (!part)
                        return -ENOMEM;
                fd = root_open(root_fd, part, O_PATH | O_NOFOLLOW);
                if (fd == -ENOENT)
                        return 0;
                if (fd < 0 || fstat(fd, &st) < 0)
                        return fd < 0 ? fd : -errno;
                if (!S_ISDIR(st.st_mode))
                        return S_ISLNK(st.st_mode) ? -ENOENT : -ENOTDIR;
        }
        return 0;
}

static int fd_path(int fd, char **ret) {
        char link[sizeof("/proc/self/fd/") + 3 * sizeof(int)], path[PATH_MAX];
        ssize_t n;

        (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, path, sizeof(path));
        if (n < 0 || (size_t) n == sizeof(path))
                return n < 0 ? -errno : -ENAMETOOLONG;
        *ret = strndup(path, (size_t) n);
        return *ret ? 0 : -ENOMEM;
}

/* The same directory after all links, as the app sees it. */
static int path_in_root(int root_fd, int fd, char **ret) {
        _cleanup_free_ char *root = NULL, *path = NULL;
        int r = fd_path(root_fd, &root);

        if (r >= 0)
                r = fd_path(fd, &path);
        if (r < 0)
                return r;
        assert(root && path);
        if (!path_is_beneath(path, root))
                return -EXDEV;
        *ret = strdup(path[strlen(root)] ? path + strlen(root) : "/");
        return *ret ? 0 : -ENOMEM;
}

static int open_directory(const PodApp *a, int root_fd, const char *path) {
        /* Docker makes it, too */
        return !is_scratch(path) && pod_app_annotation(a, APP_ANNOTATION_DOCKER)
                       ? root_mkdirs(root_fd, path, 0755)
                       : root_open(root_fd, path, O_PATH | O_DIRECTORY);
}

static int find_directory(const PodApp *a, int root_fd, const char *path, AppFacts *f) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        for (size_t i = 0; i < f->n_binds; i++)
                if (f->binds[i].mount_fd < 0 && path_is_beneath(path, f->binds[i].target))
                        return str_replace(&f->directory, path);
        fd = open_directory(a, root_fd, path);
        if (fd >= 0)
                return path_in_root(root_fd, fd, &f->directory);
        if (fd != -ENOENT || !is_scratch(path))
                return fd;
        r = check_missing(root_fd, path);
        return r < 0 ? r : str_replace(&f->directory, path);
}

/**
 * app_root_find_directory() - the working directory, after all links
 * @a:       app
 * @root_fd: the app's root directory, its volumes mounted
 * @users:   of the pod
 * @f:       facts, with the volumes that systemd mounts later; directory is set, unless it is not a plain path ("-/path", "~")
 * @e:       sentence on failure; may be NULL
 *
 * systemd would name neither the directory nor the app, and 252 goes there before it takes rights away: where an image's link
 * leads to is said to it plainly. What is mounted only inside the pod cannot be seen from here and is left to it.
 * Directories of the kernel's are refused, as 257 does: below /proc are links that lead out of the root.
 *
 * Return: 0, -EINVAL, -ENOENT, -ENOTDIR, other errno of openat2().
 */
int app_root_find_directory(const PodApp *a, int root_fd, const Userns *users, AppFacts *f, Error *e) {
        const char *directory = a->app->working_directory, *top;
        _cleanup_act_ const Userns *acting = userns_act(users);
        _cleanup_free_ char *path = NULL;
        int r = 0;

        if (!directory || *directory != '/')
                return 0;
        path = path_clean(directory);
        if (!path)
                return error_oom(e);
        top = app_root_api_directory(path);
        if (!top)
                r = find_directory(a, root_fd, path, f);
        if (r < 0)
                return error_setf(e, r, "app '%s': working directory '%s' in its root: %s", a->name,
                                  directory, strerror(-r));
        if (!top && f->directory)
                top = app_root_api_directory(f->directory);
        return top ? error_setf(e, -EINVAL,
                                "app '%s': working directory '%s' is in %s, which is the kernel's", a->name,
                                directory, top)
                   : 0;
}

/* Engines that build images leave empty files behind, as places for their own. */
static bool has_text(int root_fd, const char *name) {
        _cleanup_close_ int dir = root_open(root_fd, "/etc", O_PATH | O_DIRECTORY);
        struct stat st;

        return dir >= 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) >= 0 &&
               !(S_ISREG(st.st_mode) && st.st_size == 0);
}

/* One file for all apps, that is kept up to date. */
static int mount_hosts(int root_fd, const char *path) {
        _cleanup_close_ int file = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC), tree = -EBADF,
                            target = root_open(root_fd, "/etc/hosts", O_PATH | O_NOFOLLOW);
        int r;

        if (file < 0)
                return -errno;
        if (target < 0)
                return target;
        r = mount_clone(file, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
                        &tree);
        return r < 0 ? r : mount_move(tree, target);
}

/* Writes a file of the app's /etc anew; a link that the image has there is removed, not followed. */
static int write_etc(int root_fd, const char *name, const char *text) {
        _cleanup_close_ int dir = root_mkdirs(root_fd, "/etc", 0755), fd = -EBADF;

        if (dir < 0)
                return dir;
        if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
                return -errno;
        fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0 || fchmod(fd, 0644) < 0)
                return -errno;
        return fd_write_all(fd, text, strlen(text));
}

/* mount(8) and others of before 2010 look there. */
static int make_mtab(int root_fd) {
        _cleanup_close_ int dir = root_open(root_fd, "/etc", O_PATH | O_DIRECTORY);

        if (dir < 0)
                return dir;
        return symlinkat("../proc/self/mounts", dir, "mtab") < 0 && errno != EEXIST ? -errno : 0;
}

/* What systemd mounts there, and what it protects beneath, would lie where the image's links say. What is above is a directory. */
static int replace_link(int root_fd, const char *path) {
        const char *name = path + 1;
        struct stat st;

        if (fstatat(root_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : -errno;
        return S_ISLNK(st.st_mode) ? RET_NERRNO(unlinkat(root_fd, name, 0)) : 0;
}

static int make_dir(int root_fd, const char *path, mode_t mode) {
        _cleanup_close_ int fd = root_open(root_fd, path, O_PATH | O_DIRECTORY), made = -EBADF;

        if (fd >= 0)
                return 0;
        made = root_mkdirs(root_fd, path, 0755);
        if (made < 0)
                return made;
        fd = root_open(root_fd, path, O_RDONLY | O_DIRECTORY);
        return fd < 0 ? fd : RET_NERRNO(fchmod(fd, mode));
}

/* Of the app's /etc: what we write only if the image has none, or was one of Docker's or OCI's: engines for these always do,
 * and what the image has there is left from its making. The notes outlive the run, and the files do. */
enum {
        NOTED_HOSTS,
        NOTED_RESOLV_CONF,
        N_NOTED,
};

static const char *const noted[N_NOTED] = { "hosts", "resolv.conf" };

/* The note comes before the file: a start that ends between the two leaves an app without, not one with somebody else's. */
static int find_ours(const PodApp *a, int root_fd, int pod_fd, bool ret[N_NOTED], Error *e) {
        for (size_t i = 0; i < N_NOTED; i++) {
                _cleanup_free_ char *path = strf("appsinfo/%s/own-%s", a->name, noted[i]);
                int r = path ? RET_NERRNO(faccessat(pod_fd, path, F_OK, AT_SYMLINK_NOFOLLOW)) : -ENOMEM;

                ret[i] = r >= 0 || pod_app_annotation(a, APP_ANNOTATION_DOCKER) ||
                         !has_text(root_fd, noted[i]);
                if (r == -ENOENT && ret[i])
                        r = file_write_at(pod_fd, path, "", 0, 0644, FILE_WRITE_NO_SYNC);
                if (r < 0 && r != -ENOENT)
                        return error_setf(e, r, "app '%s': cannot note its /etc/%s: %s", a->name, noted[i],
                                          strerror(-r));
        }
        return 0;
}

static int furnish(const PodApp *a, int root_fd, const AppRootContext *c, const bool ours[N_NOTED],
                   Error *e) {
        static const struct {
                const char *path;
                mode_t mode;
                bool is_mounted; /* by the pod's systemd */
        } dirs[] = {
                { "/proc", 0755, true },        { "/sys", 0755, true },
                { "/dev", 0755, true },         { "/run", 0755, true },
                { "/tmp", 01777, false },       { "/etc", 0755, false },
                { "/run/systemd", 0755, true }, { "/run/systemd/journal", 0755, true },
        };
        _cleanup_free_ char *hostname = strf("%s\n", c->hostname);
        _cleanup_act_ const Userns *acting = userns_act(c->users);
        int r = 0;

        if (!hostname)
                return error_oom(e);
        FOREACH_ARRAY (d, dirs, ELEMENTSOF(dirs)) {
                r = d->is_mounted ? replace_link(root_fd, d->path) : 0;
                if (r >= 0)
                        r = make_dir(root_fd, d->path, d->mode);
                if (r < 0)
                        return error_setf(e, r, "app '%s': cannot make %s in its root: %s", a->name, d->path,
                                          strerror(-r));
        }
        r = make_mtab(root_fd);
        if (r >= 0)
                r = write_etc(root_fd, "hostname", hostname);
        if (r >= 0 && (c->replace_hosts || ours[NOTED_HOSTS])) {
                r = write_etc(root_fd, "hosts", c->hosts);
                if (r >= 0 && c->hosts_file)
                        r = mount_hosts(root_fd, c->hosts_file);
        }
        if (r >= 0 && c->resolv_conf && (!c->weak_resolv_conf || ours[NOTED_RESOLV_CONF]))
                r = write_etc(root_fd, "resolv.conf", c->resolv_conf);
        return r < 0 ? error_setf(e, r, "app '%s': cannot write its /etc: %s", a->name, strerror(-r)) : 0;
}

/**
 * app_root_furnish() - put into an app's root what has to be there
 * @a:       app
 * @root_fd: the app's root directory, writable
 * @c:       what to put in
 * @e:       sentence on failure; may be NULL
 *
 * The places of the API file systems, /run, /tmp, /etc/mtab, /etc/hostname; /etc/hosts if the image has none or was Docker's, or if it
 * was asked for; /etc/resolv.conf. Where systemd mounts, links become directories.
 *
 * A file that was ours at an earlier start of the pod counts as one that the image does not have.
 *
 * Return: 0, errors of the file system (the image has a file where a directory must be).
 */
int app_root_furnish(const PodApp *a, int root_fd, const AppRootContext *c, Error *e) {
        bool ours[N_NOTED] = {};
        int r = find_ours(a, root_fd, c->pod_fd, ours, e);

        return r < 0 ? r : furnish(a, root_fd, c, ours, e);
}
