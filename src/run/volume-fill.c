/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/volume-fill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/copy-tree.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/mount-fd.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "pod/pod-compose.h"

static bool is_copy_up(const PodApp *a, const AcVolume *v) {
        const char *names = pod_app_annotation(a, APP_ANNOTATION_COPY_UP);
        size_t n = strlen(v->name);

        for (const char *p = names; p && *p; p += strcspn(p, " "), p += strspn(p, " "))
                if (strcspn(p, " ") == n && memcmp(p, v->name, n) == 0)
                        return true;
        return false;
}

/* The image's files have the numbers of the pod's private users here; through such a mount they get those of the disk. */
static int copy_mapped(const Userns *u, int from_fd, int to_fd, Error *e) {
        _cleanup_close_ int mnt = -EBADF, to = -EBADF;
        _cleanup_act_ const Userns *acting = NULL;
        int r;

        if (u->map_fd < 0)
                return copy_tree(from_fd, to_fd, e);
        r = mount_clone(to_fd, 0, &mnt);
        if (r < 0)
                return error_setf(e, r, "cannot clone its mount: %s", strerror(-r));
        r = userns_map_mount(u, mnt, false, e);
        if (r < 0)
                return r;
        to = openat(mnt, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (to < 0)
                return error_setf(e, -errno, "cannot open it: %s", strerror(errno));
        acting = userns_act(u);
        return copy_tree(from_fd, to, e);
}

/* A volume that is kept is filled beside its place: whatever ends this, it is either empty, and filled the next time, or
 * complete. */
static int fill_kept(const VolumeContext *c, const AcVolume *v, int from_fd, Error *e) {
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
                r = copy_mapped(c->users, from_fd, to, e);
        if (r >= 0)
                r = syncfs(to) < 0 || renameat(dir, part, dir, slash + 1) < 0 || fsync(dir) < 0 ? -errno : 0;
        if (r < 0 && dir >= 0)
                (void) remove_tree_at(dir, part);
        if (r < 0 && e && e->message)
                return r;
        return r < 0 ? error_setf(e, r, "cannot fill %s from the image: %s", v->source, strerror(-r)) : 0;
}

/* With owner and mode of the directory; once. */
static int copy_up(const VolumeContext *c, const AcVolume *v, const char *path, int root_fd, Error *e) {
        bool kept = v->kind == AC_VOLUME_HOST;
        _cleanup_free_ char *place = kept ? strdup(v->source) : strf(VOLUME_EMPTY_DIR "/%s", v->name);
        _cleanup_close_ int from = root_open(root_fd, path, O_RDONLY | O_DIRECTORY), to = -EBADF;
        _cleanup_strv_free_ char **content = NULL;
        int r;

        if (!place)
                return error_oom(e);
        if (from == -ENOENT || from == -ENOTDIR)
                return 0;
        r = from < 0 ? from : dir_list_at(c->pod_fd, place, &content);
        if (r >= 0 && content && *content)
                return 0;
        if (r >= 0 && kept)
                return fill_kept(c, v, from, e);
        if (r >= 0) {
                to = openat(c->pod_fd, place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                r = to < 0 ? -errno : 0;
        }
        return r < 0 ? error_setf(e, r, "cannot fill it from %s: %s", path, strerror(-r))
                     : copy_mapped(c->users, from, to, e);
}

/**
 * volume_fill_all() - put what an app's image has at the places of its volumes into those that want it and have nothing
 * @c:       the pod
 * @a:       app of it, with its "app" object
 * @root_fd: the app's root, mounted, no volume in it yet
 * @e:       sentence on failure; may be NULL
 *
 * Before any app has a volume mounted: a volume that is kept is replaced when it is filled.
 *
 * Return: 0; errors of the file system.
 */
int volume_fill_all(const VolumeContext *c, const PodApp *a, int root_fd, Error *e) {
        FOREACH_ARRAY (mount, a->mounts, a->n_mounts) {
                const AcVolume *v = volume_of(c->manifest, mount);
                _cleanup_free_ char *path = path_clean(mount->path);
                int r;

                if (!path)
                        return error_oom(e);
                if (!v || !is_copy_up(a, v))
                        continue;
                r = copy_up(c, v, path, root_fd, e);
                if (r < 0)
                        return error_prefixf(e, r, "app '%s': volume '%s'", a->name, v->name);
        }
        return 0;
}
