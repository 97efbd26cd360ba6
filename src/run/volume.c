/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mounts of volumes, made in the private mount namespace of stage0, by descriptor: the source is cloned (open_tree), the
 * target is resolved inside the app's root, and one is put on the other (move_mount). No path of an image ever meets the
 * host's file system.
 *
 * The pod's systemd mounts /proc, /sys and /dev of an app when it starts it, over anything that lies there: volumes for
 * such places are kept at /rkt/volumes of the stage1 root, and its unit binds them in (app-place.c), as it does with slaves.
 *
 * A slave is a clone that still belongs to the host's mount as one that only receives. Attributes and users are those of the
 * clone: what comes later comes as the host mounts it. */
#include "run/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/mount-fd.h"
#include "basic/parse.h"
#include "basic/path.h"
#include "basic/str.h"
#include "pod/pod-compose.h"
#include "run/app-device.h"

/* Only the first start of a pod makes it: owner and mode are the apps' from then on. */
static int make_one(const AcVolume *v, int dir_fd, Error *e) {
        _cleanup_free_ char *new = strf(".%s", v->name);
        _cleanup_close_ int fd = -EBADF;
        unsigned mode;
        char *end;

        mode = (unsigned) strtoul(str_or(v->mode, "0755"), &end, 8);
        if (*end || mode > 07777)
                return error_setf(e, -EINVAL, "volume '%s': mode '%s' is not 0000 to 7777", v->name, v->mode);
        if (!new)
                return error_oom(e);
        if (faccessat(dir_fd, v->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return 0;
        if (mkdirat(dir_fd, new, 0700) < 0 && errno != EEXIST)
                return error_setf(e, -errno, "volume '%s': cannot make its directory: %s", v->name,
                                  strerror(errno));
        fd = openat(dir_fd, new, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fchown(fd, v->uid < 0 ? 0 : (uid_t) v->uid, v->gid < 0 ? 0 : (gid_t) v->gid) < 0 ||
            fchmod(fd, mode) < 0 || renameat(dir_fd, new, dir_fd, v->name) < 0)
                return error_setf(e, -errno, "volume '%s': cannot set mode and owner: %s", v->name,
                                  strerror(errno));
        return 0;
}

/**
 * volume_make_empty() - make the directories of a pod's empty volumes
 * @c: the pod
 * @e: sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL (mode), errors of the file system.
 */
int volume_make_empty(const VolumeContext *c, Error *e) {
        const PodManifest *m = c->manifest;
        _cleanup_close_ int dir = -EBADF;

        if (m->n_volumes == 0)
                return 0;
        if (mkdirat(c->pod_fd, VOLUME_EMPTY_DIR, 0755) < 0 && errno != EEXIST)
                return error_setf(e, -errno, "cannot make %s: %s", VOLUME_EMPTY_DIR, strerror(errno));
        dir = openat(c->pod_fd, VOLUME_EMPTY_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return error_setf(e, -errno, "cannot open %s: %s", VOLUME_EMPTY_DIR, strerror(errno));
        for (size_t i = 0; i < m->n_volumes; i++) {
                int r = m->volumes[i].kind == AC_VOLUME_EMPTY ? make_one(&m->volumes[i], dir, e) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

static int open_source(const VolumeContext *c, const AcVolume *v, Error *e) {
        _cleanup_close_ int dir = -EBADF;
        int fd;

        if (v->kind == AC_VOLUME_HOST) {
                fd = open(v->source, O_PATH | O_CLOEXEC);
                return fd < 0 ? error_setf(e, -errno, "Failed to stat %s: %s", v->source, strerror(errno))
                              : fd;
        }
        dir = openat(c->pod_fd, VOLUME_EMPTY_DIR, O_PATH | O_DIRECTORY | O_CLOEXEC);
        fd = dir < 0 ? -1 : openat(dir, v->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? error_setf(e, -errno, "%s", strerror(errno)) : fd;
}

static bool is_read_only(const PodApp *a, const PodMount *mount, const AcVolume *v) {
        if (v->read_only >= 0)
                return v->read_only > 0;
        for (size_t i = 0; i < a->app->n_mount_points; i++)
                if (streq(a->app->mount_points[i].path, mount->path))
                        return a->app->mount_points[i].read_only;
        return false;
}

/**
 * volume_of() - the volume of a mount
 * @m:     manifest
 * @mount: of an app of it
 *
 * Return: the volume, owned by one of them; NULL: there is none of that name.
 */
const AcVolume *volume_of(const PodManifest *m, const PodMount *mount) {
        return mount->app_volume ? mount->app_volume : pod_manifest_find_volume(m, mount->volume);
}

/* Words "VOLUME:OPTION,OPTION" of the pod's annotation. */
static bool has_option(const PodManifest *m, const AcVolume *v, const char *option) {
        const size_t n = strlen(option);

        for (const char *p = pod_manifest_annotation(m, POD_ANNOTATION_VOLUMES); p && *p;
             p += strspn(p, " ")) {
                const char *end = p + strcspn(p, " "), *o = startswith(p, v->name);

                for (o = o && *o == ':' ? o + 1 : end; o < end; o += strcspn(o, ", "), o += *o == ',')
                        if (strcspn(o, ", ") == n && memcmp(o, option, n) == 0)
                                return true;
                p = end;
        }
        return false;
}

/**
 * volume_has_devices() - may device nodes of a volume be opened in the pod?
 * @m: manifest
 *
 * Return: true if one says "dev": which devices these are, is then for the apps' device policies.
 */
bool volume_has_devices(const PodManifest *m) {
        FOREACH_ARRAY (a, m->apps, m->n_apps)
                FOREACH_ARRAY (mount, a->mounts, a->n_mounts) {
                        const AcVolume *v = volume_of(m, mount);

                        if (v && has_option(m, v, "dev"))
                                return true;
                }
        return false;
}

/* A detached copy of the source's mount, with the attributes that it is to have in the app. */
static int clone_source(const PodManifest *m, const AcVolume *v, int source_fd, bool read_only, int *ret_fd) {
        struct mount_attr attr = { .propagation = has_option(m, v, "slave") ? MS_SLAVE : MS_PRIVATE };

        if (read_only)
                attr.attr_set |= MOUNT_ATTR_RDONLY;
        if (!has_option(m, v, "suid"))
                attr.attr_set |= MOUNT_ATTR_NOSUID;
        if (!has_option(m, v, "dev"))
                attr.attr_set |= MOUNT_ATTR_NODEV;
        if (has_option(m, v, "noexec"))
                attr.attr_set |= MOUNT_ATTR_NOEXEC;
        return mount_clone_tree(source_fd, &attr, v->recursive != 0, ret_fd);
}

/* Sockets are found by whom their permissions allow it, also when the file system cannot give them another owner. */
static int map_source(const VolumeContext *c, const AcVolume *v, const struct stat *st, int tree, Error *e) {
        int r;

        if (has_option(c->manifest, v, "noidmap"))
                return 0;
        if (c->users->map_fd >= 0 && has_option(c->manifest, v, "slave"))
                return error_setf(e, -EINVAL,
                                  "it is a slave, and what the host mounts there later would not have the "
                                  "users of PrivateUsers=: leave one of them out, or say noidmap");
        r = userns_map_mount(c->users, tree, v->recursive != 0, e);
        if (r >= 0 || S_ISSOCK(st->st_mode))
                return 0;
        return error_setf(
                e, r,
                "%s, as PrivateUsers= asks for: the option noidmap mounts it without, and all its files are "
                "nobody's in the pod",
                e && e->message ? e->message : strerror(-r));
}

/* Who asks for a slave is to have one. */
static int check_slave(const AcVolume *v, const struct stat *st, int source, Error *e) {
        int r;

        if (!S_ISDIR(st->st_mode))
                return error_setf(e, -ENOTDIR, "%s is not a directory, and cannot be a slave", v->source);
        r = mount_is_slave(source);
        if (r < 0)
                return error_setf(e, r, "cannot find the mount of %s: %s", v->source, strerror(-r));
        return r > 0 ? 0
                     : error_setf(e, -EINVAL,
                                  "it cannot be a slave: the mount in which %s lies is private on the host "
                                  "(mount --make-shared)",
                                  v->source);
}

static int open_tree_of(const VolumeContext *c, const AppPlace *place, const AcVolume *v, bool read_only,
                        int *ret_fd, Error *e) {
        _cleanup_close_ int source = open_source(c, v, e), tree = -EBADF;
        struct stat st;
        int r;

        if (source < 0)
                return source;
        if (fstat(source, &st) < 0)
                return error_setf(e, -errno, "%s", strerror(errno));
        r = has_option(c->manifest, v, "slave") ? check_slave(v, &st, source, e) : 0;
        if (r < 0)
                return r;
        if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
                if (app_device_allow(place, &st, read_only ? "r" : "rw") < 0)
                        return error_oom(e);
                return app_device_clone(place, &st, source, ret_fd, e);
        }
        r = clone_source(c->manifest, v, source, read_only, &tree);
        if (r < 0)
                return error_setf(e, r, "cannot clone its mount: %s", strerror(-r));
        r = map_source(c, v, &st, tree, e);
        if (r < 0)
                return r;
        *ret_fd = TAKE_FD(tree);
        return 0;
}

static int mount_one(const VolumeContext *c, const AppPlace *place, const PodMount *mount, Error *e) {
        const AcVolume *v = volume_of(c->manifest, mount);
        _cleanup_free_ char *path = path_clean(mount->path);
        _cleanup_close_ int tree = -EBADF;
        bool read_only;
        int r;

        if (!path)
                return error_oom(e);
        if (!v)
                return error_setf(e, -ENOENT, "no volume '%s' for %s", mount->volume, mount->path);
        read_only = is_read_only(place->app, mount, v);
        r = open_tree_of(c, place, v, read_only, &tree, e);
        if (r >= 0)
                r = has_option(c->manifest, v, "slave")
                            ? app_place_mount_slave(place, &tree, path, read_only, e)
                            : app_place_mount(place, tree, path, read_only, e);
        return r < 0 ? error_prefixf(e, r, "volume '%s'", v->name) : 0;
}

/**
 * volume_mount_all() - mount an app's volumes into its root
 * @c:     the pod
 * @place: the app
 * @e:     sentence on failure; may be NULL
 *
 * Two mounts with the same target are one: the last.
 *
 * Return: 0; -ENOENT: no such volume, no such source; -EINVAL: its files cannot be mapped to the pod's private users; other
 * errors of the file system.
 */
int volume_mount_all(const VolumeContext *c, const AppPlace *place, Error *e) {
        FOREACH_ARRAY (mount, place->app->mounts, place->app->n_mounts) {
                int r = mount_one(c, place, mount, e);

                if (r < 0)
                        return error_prefixf(e, r, "app '%s'", place->app->name);
        }
        return 0;
}

/* Who is connected to a socket is told whom he talks to, by number; what a host has such things in is /run. */
static int need_of_source(const VolumeContext *c, const AcVolume *v, int source, char **ret_why) {
        _cleanup_error_ Error why = ERROR_INIT;
        _cleanup_close_ int tree = -EBADF;
        _cleanup_free_ char *path = realpath(v->source, NULL);
        struct stat st;
        int r;

        if (!path)
                return errno == ENOMEM ? -ENOMEM : 0;
        if (fstat(source, &st) < 0 || S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
                return 0;
        if (has_option(c->manifest, v, "slave"))
                *ret_why = strf("volume '%s' is a slave of the host's mounts", v->name);
        else if (S_ISSOCK(st.st_mode) || path_is_beneath(path, "/run"))
                *ret_why = strf("volume '%s' is %s", v->name,
                                S_ISSOCK(st.st_mode) ? "a socket of the host" : "in the host's /run");
        else if (st.st_uid >= c->users->length || st.st_gid >= c->users->length)
                *ret_why = strf("volume '%s' belongs to user %u, group %u", v->name, (unsigned) st.st_uid,
                                (unsigned) st.st_gid);
        if (*ret_why)
                return 1;
        r = clone_source(c->manifest, v, source, false, &tree);
        if (r >= 0)
                r = userns_map_mount(c->users, tree, v->recursive != 0, &why);
        if (r >= 0)
                return 0;
        *ret_why = strf("volume '%s': %s", v->name, error_text(&why, r));
        return *ret_why ? 1 : -ENOMEM;
}

/**
 * volume_need_host_users() - is there a volume that a pod can use only with the host's users?
 * @c:       the pod, and the users that it would have
 * @ret_why: half a sentence if there is one, to be freed
 * @e:       sentence on failure; may be NULL
 *
 * A source that is missing is somebody else's to complain about.
 *
 * Return: 1: there is; 0; -ENOMEM, other errno.
 */
int volume_need_host_users(const VolumeContext *c, char **ret_why, Error *e) {
        const PodManifest *m = c->manifest;
        int r = 0;

        for (size_t i = 0; i < m->n_apps; i++)
                FOREACH_ARRAY (mount, m->apps[i].mounts, m->apps[i].n_mounts) {
                        const AcVolume *v = volume_of(m, mount);
                        _cleanup_close_ int source = -EBADF;

                        if (!v || v->kind != AC_VOLUME_HOST || has_option(m, v, "noidmap"))
                                continue;
                        source = open_source(c, v, NULL);
                        r = source < 0 ? 0 : need_of_source(c, v, source, ret_why);
                        if (r != 0)
                                return r < 0 ? error_setf(e, r, "volume '%s': %s", v->name, strerror(-r)) : r;
                }
        return 0;
}
