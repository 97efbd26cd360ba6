/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mounts of volumes, made in the private mount namespace of stage0, by descriptor: the source is cloned (open_tree), the
 * target is resolved inside the app's root, and one is put on the other (move_mount). No path of an image ever meets the
 * host's file system.
 *
 * The pod's systemd mounts /proc, /sys and /dev of an app when it starts it, over anything that lies there: volumes for
 * such places are kept at /rkt/volumes of the stage1 root, and its unit binds them in. */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/copy-tree.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/parse.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "pod/pod-compose.h"
#include "run/app-root.h"
#include "run/volume.h"

#define SHARED_VOLUMES "sharedVolumes"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

static int make_one(const AcVolume *v, int dir_fd, Error *e) {
        _cleanup_close_ int fd = -EBADF;
        unsigned mode;
        char *end;

        mode = (unsigned) strtoul(str_or(v->mode, "0755"), &end, 8);
        if (*end || mode > 07777)
                return error_setf(e, -EINVAL, "volume '%s': mode '%s' is not 0000 to 7777", v->name, v->mode);
        if (mkdirat(dir_fd, v->name, 0700) < 0 && errno != EEXIST)
                return error_setf(e, -errno, "volume '%s': cannot make its directory: %s", v->name,
                                  strerror(errno));
        fd = openat(dir_fd, v->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fchown(fd, v->uid < 0 ? 0 : (uid_t) v->uid, v->gid < 0 ? 0 : (gid_t) v->gid) < 0 ||
            fchmod(fd, mode) < 0)
                return error_setf(e, -errno, "volume '%s': cannot set mode and owner: %s", v->name,
                                  strerror(errno));
        return 0;
}

/**
 * volume_make_empty() - make the directories of a pod's empty volumes
 * @m:      manifest
 * @pod_fd: the pod's directory; they lie in its sharedVolumes/
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL (mode), errors of the file system.
 */
int volume_make_empty(const PodManifest *m, int pod_fd, Error *e) {
        _cleanup_close_ int dir = -EBADF;

        if (m->n_volumes == 0)
                return 0;
        if (mkdirat(pod_fd, SHARED_VOLUMES, 0755) < 0 && errno != EEXIST)
                return error_setf(e, -errno, "cannot make %s: %s", SHARED_VOLUMES, strerror(errno));
        dir = openat(pod_fd, SHARED_VOLUMES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return error_setf(e, -errno, "cannot open %s: %s", SHARED_VOLUMES, strerror(errno));
        for (size_t i = 0; i < m->n_volumes; i++) {
                int r = m->volumes[i].kind == AC_VOLUME_EMPTY ? make_one(&m->volumes[i], dir, e) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

static int open_source(const AcVolume *v, int pod_fd, Error *e) {
        _cleanup_close_ int dir = -EBADF;
        int fd;

        if (v->kind == AC_VOLUME_HOST) {
                fd = open(v->source, O_PATH | O_CLOEXEC);
                return fd < 0 ? error_setf(e, -errno, "volume '%s': Failed to stat %s: %s", v->name,
                                           v->source, strerror(errno))
                              : fd;
        }
        dir = openat(pod_fd, SHARED_VOLUMES, O_PATH | O_DIRECTORY | O_CLOEXEC);
        fd = dir < 0 ? -1 : openat(dir, v->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? error_setf(e, -errno, "volume '%s': %s", v->name, strerror(errno)) : fd;
}

/* A detached copy of the source's mount, with the attributes that it is to have in the app. */
static int clone_source(int source_fd, bool read_only, bool recursive) {
        struct mount_attr attr = {
                .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (read_only ? MOUNT_ATTR_RDONLY : 0),
        };
        unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        if (fstat(source_fd, &st) < 0)
                return -errno;
        if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
                attr.attr_set &= ~(uint64_t) MOUNT_ATTR_NODEV;
        fd = (int) syscall(SYS_open_tree, source_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);
        if (fd < 0)
                return -errno;
        if (syscall(SYS_mount_setattr, fd, "", flags, &attr, sizeof(attr)) < 0)
                return -errno;
        return TAKE_FD(fd);
}

static int make_file(int dir_fd, const char *name) {
        _cleanup_close_ int fd =
                openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

        return fd < 0 && errno != EEXIST ? -errno : 0;
}

/* The place in the app's root: as it is, or made: a directory for a directory, a file for anything else. */
static int open_target(int root_fd, const char *path, bool directory) {
        _cleanup_free_ char *parent = NULL;
        _cleanup_close_ int dir = -EBADF;
        const char *slash = strrchr(path, '/');
        int fd, r;

        if (directory)
                return root_mkdirs(root_fd, path, 0755);
        fd = root_open(root_fd, path, O_PATH);
        if (fd != -ENOENT)
                return fd;
        parent = strndup(path, slash ? (size_t) (slash - path) : 0);
        if (!parent)
                return -ENOMEM;
        dir = root_mkdirs(root_fd, *parent ? parent : "/", 0755);
        if (dir < 0)
                return dir;
        r = make_file(dir, slash ? slash + 1 : path);
        return r < 0 ? r : root_open(root_fd, path, O_PATH);
}

/* For a place that the pod's systemd covers: at /rkt/volumes/APP-N in stage1, and from there by the unit. */
static int open_detour(const PodApp *a, const char *path, bool directory, bool read_only, int stage1_fd,
                       AppFacts *f) {
        _cleanup_free_ char *place = strf("rkt/volumes/%s-%zu", a->name, f->n_binds);
        AppBind b = { .read_only = read_only };
        _cleanup_close_ int fd = -EBADF;

        if (!place)
                return -ENOMEM;
        if (strpbrk(path, ": \t\"\\"))
                return -EINVAL;
        fd = open_target(stage1_fd, place, directory);
        if (fd < 0)
                return fd;
        b.source = strf("/%s", place);
        b.target = strdup(path);
        if (!b.source || !b.target || !GREEDY_GROW(f->binds, f->n_binds)) {
                free(b.source);
                free(b.target);
                return -ENOMEM;
        }
        f->binds[f->n_binds++] = b;
        return TAKE_FD(fd);
}

static bool is_read_only(const PodApp *a, const PodMount *mount, const AcVolume *v) {
        if (v->read_only >= 0)
                return v->read_only > 0;
        for (size_t i = 0; i < a->app->n_mount_points; i++)
                if (streq(a->app->mount_points[i].path, mount->path))
                        return a->app->mount_points[i].read_only;
        return false;
}

static bool is_copy_up(const PodApp *a, const AcVolume *v) {
        const char *names = pod_app_annotation(a, APP_ANNOTATION_COPY_UP);
        size_t n = strlen(v->name);

        for (const char *p = names; p && *p; p += strcspn(p, " "), p += strspn(p, " "))
                if (strcspn(p, " ") == n && memcmp(p, v->name, n) == 0)
                        return true;
        return false;
}

/* A volume that is kept is filled beside its place: whatever ends this, it is either empty, and filled the next time, or
 * complete. */
static int fill_kept(const AcVolume *v, int from_fd, Error *e) {
        const char *slash = strrchr(v->source, '/');
        _cleanup_free_ char *parent = slash ? strndup(v->source, (size_t) (slash - v->source)) : NULL,
                            *part = slash ? strf(".%s.part", slash + 1) : NULL;
        _cleanup_close_ int dir = -EBADF, to = -EBADF;
        int r;

        if (!parent || !part)
                return error_oom(e);
        dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r = dir < 0 ? -errno : remove_tree_at(dir, part);
        if (r >= 0)
                r = RET_NERRNO(mkdirat(dir, part, 0700));
        if (r >= 0)
                r = to = RET_NERRNO(openat(dir, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (r >= 0)
                r = copy_tree(from_fd, to, e);
        if (r >= 0)
                r = syncfs(to) < 0 || renameat(dir, part, dir, slash + 1) < 0 || fsync(dir) < 0 ? -errno : 0;
        if (r < 0 && dir >= 0)
                (void) remove_tree_at(dir, part);
        if (r < 0 && e && e->message)
                return r;
        return r < 0 ? error_setf(e, r, "cannot fill %s from the image: %s", v->source, strerror(-r)) : 0;
}

/* What the image has where the volume will be goes into the volume, with owner and mode of the directory; once. */
static int copy_up(const AcVolume *v, const char *path, int pod_fd, int root_fd, Error *e) {
        bool kept = v->kind == AC_VOLUME_HOST;
        _cleanup_free_ char *place = kept ? strdup(v->source) : strf(SHARED_VOLUMES "/%s", v->name);
        _cleanup_close_ int from = root_open(root_fd, path, O_RDONLY | O_DIRECTORY), to = -EBADF;
        _cleanup_strv_free_ char **content = NULL;
        int r;

        if (!place)
                return error_oom(e);
        if (from == -ENOENT || from == -ENOTDIR)
                return 0;
        r = from < 0 ? from : dir_list_at(pod_fd, place, &content);
        if (r >= 0 && content && *content)
                return 0;
        if (r >= 0 && kept)
                return fill_kept(v, from, e);
        if (r >= 0) {
                to = openat(pod_fd, place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                r = to < 0 ? -errno : 0;
        }
        return r < 0 ? error_setf(e, r, "cannot fill it from %s: %s", path, strerror(-r))
                     : copy_tree(from, to, e);
}

static const AcVolume *volume_of(const PodManifest *m, const PodMount *mount) {
        return mount->app_volume ? mount->app_volume : pod_manifest_find_volume(m, mount->volume);
}

static int mount_one(const PodManifest *m, const PodApp *a, const PodMount *mount, int pod_fd, int stage1_fd,
                     int root_fd, AppFacts *f, Error *e) {
        const AcVolume *v = volume_of(m, mount);
        _cleanup_close_ int source = -EBADF, tree = -EBADF, target = -EBADF;
        _cleanup_free_ char *path = path_clean(mount->path);
        bool read_only, directory;
        struct stat st;
        int r;

        if (!path)
                return error_oom(e);
        if (!v)
                return error_setf(e, -ENOENT, "no volume '%s' for %s", mount->volume, mount->path);
        read_only = is_read_only(a, mount, v);
        source = open_source(v, pod_fd, e);
        if (source < 0)
                return source;
        if (fstat(source, &st) < 0)
                return error_setf(e, -errno, "volume '%s': %s", v->name, strerror(errno));
        directory = S_ISDIR(st.st_mode);
        tree = clone_source(source, read_only, v->recursive != 0);
        if (tree < 0)
                return error_setf(e, tree, "volume '%s': cannot clone its mount: %s", v->name,
                                  strerror(-tree));
        target = app_root_api_directory(path) ? open_detour(a, path, directory, read_only, stage1_fd, f)
                                              : open_target(root_fd, path, directory);
        if (target < 0)
                return error_setf(e, target, "volume '%s': cannot make its place %s: %s", v->name, path,
                                  strerror(-target));
        if (syscall(SYS_move_mount, tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
            0)
                return error_setf(e, -errno, "volume '%s': cannot mount it on %s: %s", v->name, path,
                                  strerror(errno));
        r = read_only ? 0 : strv_extend(&f->writable, path);
        /* who mounts a device into an app means it to be used */
        if (r >= 0 && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))
                r = strv_extendf(&f->devices, "/dev/%s/%u:%u %s", S_ISCHR(st.st_mode) ? "char" : "block",
                                 major(st.st_rdev), minor(st.st_rdev), read_only ? "r" : "rw");
        return r < 0 ? error_oom(e) : 0;
}

/**
 * volume_fill_all() - put what an app's image has at the places of its volumes into those that want it and have nothing
 * @m:       manifest
 * @a:       app of it, with its "app" object
 * @pod_fd:  the pod's directory
 * @root_fd: the app's root, mounted, no volume in it yet
 * @e:       sentence on failure; may be NULL
 *
 * Before any app has a volume mounted: a volume that is kept is replaced when it is filled.
 *
 * Return: 0; errors of the file system.
 */
int volume_fill_all(const PodManifest *m, const PodApp *a, int pod_fd, int root_fd, Error *e) {
        FOREACH_ARRAY (mount, a->mounts, a->n_mounts) {
                const AcVolume *v = volume_of(m, mount);
                _cleanup_free_ char *path = path_clean(mount->path);
                int r;

                if (!path)
                        return error_oom(e);
                if (!v || !is_copy_up(a, v))
                        continue;
                r = copy_up(v, path, pod_fd, root_fd, e);
                if (r < 0)
                        return error_prefixf(e, r, "app '%s': volume '%s'", a->name, v->name);
        }
        return 0;
}

/**
 * volume_mount_all() - mount an app's volumes into its root
 * @m:         manifest
 * @a:         app of it, with its "app" object
 * @pod_fd:    the pod's directory
 * @stage1_fd: the stage1 root
 * @root_fd:   the app's root, mounted
 * @f:         writable and binds are added to
 * @e:         sentence on failure; may be NULL
 *
 * Two mounts with the same target are one: the last. The caller is in a mount namespace of its own.
 *
 * Return: 0; -ENOENT: no such volume, no such source; other errors of the file system.
 */
int volume_mount_all(const PodManifest *m, const PodApp *a, int pod_fd, int stage1_fd, int root_fd,
                     AppFacts *f, Error *e) {
        for (size_t i = 0; i < a->n_mounts; i++) {
                int r = mount_one(m, a, &a->mounts[i], pod_fd, stage1_fd, root_fd, f, e);

                if (r < 0)
                        return error_prefixf(e, r, "app '%s'", a->name);
        }
        return 0;
}
