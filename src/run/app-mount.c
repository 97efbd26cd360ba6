/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An app's root, mounted in the private mount namespace of stage0:
 *
 *      POD/overlay/KEY/lower/APP/0, 1, 2 ...   the trees of the image, the weakest first; KEY is the strongest
 *      POD/overlay/KEY/{upper,work}/APP        what the app writes
 *      POD/overlay/KEY/lower/APP/rw            the two again, for the pod's private users
 *      STAGE1/opt/stage2/APP/rootfs            all of that, one on the other
 *
 * An overlay cannot be translated for private users, but each of its layers can, the upper one too: so files on disk keep
 * the numbers that they have in the pod. Overlayfs acts on its layers as who mounts it; that has to be the pod's root.
 *
 * Overlayfs finds its layers by paths, and before Linux 6.8 all of them and all options have to fit into a page. So
 * they are named from the directory where they lie: 500 numbers, which is as many as overlayfs takes, fit. */
#include "run/app-mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/copy-tree.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/mount-fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "pod/pod-reset.h"
#include "store/store-tree.h"

#define UPPER       "upper"
#define WORK        "work"
#define FROM_LOWER  "../../" /* from lower/APP to overlay/KEY */
#define MAPPED      "rw"
#define FROM_MAPPED MAPPED "/"
#define LAYERS_MAX  500U
#define OPTIONS_MAX 4095U /* bytes: a page, with the NUL */

typedef struct Stack {
        const AppMountContext *c;
        const char *app;
        char **trees;    /* keys, the weakest first */
        const char *top; /* the last of them */
        size_t n_lower;  /* directories in lower_fd, called by their number */
        int lower_fd;    /* overlay/KEY/lower/APP */
        int place_fd;    /* where the root shall be */
} Stack;

static void stack_done(Stack *s) {
        strv_free(s->trees);
        (void) fd_close(s->lower_fd);
        (void) fd_close(s->place_fd);
}

static int load_trees(Stack *s, Error *e) {
        int r = pod_get_app_trees(s->c->pod, s->app, &s->trees);

        if (r < 0)
                return error_setf(e, r, "the pod does not say which tree is its root");
        STRV_FOREACH (t, s->trees) {
                if (!store_tree_key_is_valid(*t))
                        return error_setf(e, -EBADMSG, "the pod does not say which tree is its root");
                s->top = *t;
        }
        if (strv_length(s->trees) > LAYERS_MAX)
                return error_setf(e, -E2BIG, "its image has %zu layers, and at most %u can be stacked",
                                  strv_length(s->trees), LAYERS_MAX);
        return 0;
}

static int make_dir(const Stack *s, const char *name, int *ret_fd, Error *e) {
        _cleanup_free_ char *path = strf("overlay/%s/%s/%s", s->top, name, s->app);
        int r;

        if (!path)
                return error_oom(e);
        r = mkdir_parents_at(s->c->pod_fd, path, 0755);
        if (r >= 0 && ret_fd) {
                r = openat(s->c->pod_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                r = r < 0 ? -errno : (*ret_fd = r, 0);
        }
        return r < 0 ? error_setf(e, r, "cannot make '%s' in the pod's directory: %s", path, strerror(-r))
                     : 0;
}

static int add_lower(Stack *s, int *ret_fd) {
        char name[16];

        (void) snprintf(name, sizeof(name), "%zu", s->n_lower);
        if (mkdirat(s->lower_fd, name, 0755) < 0 && errno != EEXIST)
                return -errno;
        *ret_fd = openat(s->lower_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (*ret_fd < 0)
                return -errno;
        s->n_lower++;
        return 0;
}

/* Beside stage1's root, where the pod does not see it. */
static int mount_lower(Stack *s, const char *key, Error *e) {
        _cleanup_close_ int tree = -EBADF, target = -EBADF;
        int r = store_tree_mount(s->c->store, key, &tree, e);

        if (r < 0)
                return r;
        r = s->c->copy ? 0 : userns_map_mount(s->c->users, tree, false, e);
        if (r < 0)
                return error_prefixf(e, r, "its image");
        r = add_lower(s, &target);
        if (r >= 0)
                r = mount_move(tree, target);
        return r < 0 ? error_setf(e, r, "cannot mount its image: %s", strerror(-r)) : 0;
}

/* with_empty: overlayfs wants two layers at least, where nothing is written. */
static int mount_lowers(Stack *s, bool with_empty, Error *e) {
        _cleanup_close_ int empty = -EBADF;
        int r = make_dir(s, "lower", &s->lower_fd, e);

        if (r >= 0 && with_empty) {
                r = add_lower(s, &empty);
                if (r < 0)
                        return error_setf(e, r, "cannot make a directory for its layers: %s", strerror(-r));
        }
        STRV_FOREACH (t, s->trees)
                if (r >= 0)
                        r = mount_lower(s, *t, e);
        return r;
}

/* From the strongest to the weakest. */
static void add_lowerdir(const Stack *s, StrBuf *b) {
        strbuf_add(b, "lowerdir=");
        for (size_t i = s->n_lower; i > 0; i--)
                strbuf_addf(b, "%zu%s", i - 1, i > 1 ? ":" : "");
}

/* The one way to say where layers are that does not end at 255 bytes is mount(), from their directory. */
static int mount_overlay(const Stack *s, const char *options, unsigned long flags, int target_fd, Error *e) {
        _cleanup_close_ int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        char target[64];
        int r;

        if (strlen(options) > OPTIONS_MAX)
                return error_setf(e, -E2BIG, "its image has too many layers to stack");
        (void) snprintf(target, sizeof(target), "/proc/self/fd/%d", target_fd);
        if (before < 0 || fchdir(s->lower_fd) < 0)
                return error_setf(e, -errno, "cannot change the working directory: %s", strerror(errno));
        r = RET_NERRNO(mount("overlay", target, "overlay", flags, options));
        if (fchdir(before) < 0 && r >= 0)
                return error_setf(e, -errno, "cannot change the working directory: %s", strerror(errno));
        return r < 0 ? error_setf(e, r, "cannot mount its root: %s", strerror(-r)) : 0;
}

/* overlay/KEY once more, for the pod's own users, in the directory from where overlayfs looks. */
static int mount_mapped(const Stack *s, Error *e) {
        _cleanup_free_ char *path = strf("overlay/%s", s->top);
        _cleanup_close_ int dir = -EBADF, tree = -EBADF, target = -EBADF;
        int r;

        if (!path)
                return error_oom(e);
        dir = openat(s->c->pod_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        r = dir < 0 ? -errno : mount_clone(dir, MOUNT_ATTR_NODEV, &tree);
        if (r < 0)
                return error_setf(e, r, "cannot clone '%s' of the pod's directory: %s", path, strerror(-r));
        r = userns_map_mount(s->c->users, tree, false, e);
        if (r < 0)
                return error_prefixf(e, r, "the pod's directory");
        r = mkdirat(s->lower_fd, MAPPED, 0755) < 0 && errno != EEXIST ? -errno : 0;
        if (r >= 0)
                r = target = RET_NERRNO(
                        openat(s->lower_fd, MAPPED, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (r >= 0)
                r = mount_move(tree, target);
        return r < 0 ? error_setf(e, r, "cannot mount '%s' of the pod's directory: %s", path, strerror(-r))
                     : 0;
}

/* What overlayfs shows as the root is the upper directory: it is to look like the image's. */
static int copy_attributes(const Stack *s, int upper_fd, Error *e) {
        const Userns *u = s->c->users;
        char name[16];
        struct stat st;

        (void) snprintf(name, sizeof(name), "%zu", s->n_lower - 1);
        if (fstatat(s->lower_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            fchown(upper_fd, userns_inside(u, st.st_uid), userns_inside(u, st.st_gid)) < 0 ||
            fchmod(upper_fd, st.st_mode & 07777) < 0)
                return error_setf(e, -errno, "cannot set mode and owner of its root: %s", strerror(errno));
        return 0;
}

static int mount_stack(Stack *s, Error *e) {
        _cleanup_strbuf_ StrBuf options = STRBUF_INIT;
        _cleanup_close_ int upper = -EBADF;
        bool is_mapped = s->c->users->map_fd >= 0;
        const char *from = is_mapped ? FROM_MAPPED : FROM_LOWER;
        _cleanup_act_ const Userns *acting = NULL;
        int r = make_dir(s, UPPER, &upper, e);

        if (r >= 0)
                r = make_dir(s, WORK, NULL, e);
        if (r >= 0)
                r = mount_lowers(s, false, e);
        if (r >= 0)
                r = copy_attributes(s, upper, e);
        if (r >= 0 && is_mapped)
                r = mount_mapped(s, e);
        if (r < 0)
                return r;
        add_lowerdir(s, &options);
        strbuf_addf(&options, ",upperdir=%s" UPPER "/%s,workdir=%s" WORK "/%s", from, s->app, from, s->app);
        acting = userns_act(s->c->users);
        return options.failed ? error_oom(e) : mount_overlay(s, options.data, MS_NODEV, s->place_fd, e);
}

/* The layers as one directory that can only be read. */
static int open_merged(Stack *s, int *ret_fd, Error *e) {
        _cleanup_strbuf_ StrBuf options = STRBUF_INIT;
        _cleanup_close_ int target = -EBADF;
        int r = mount_lowers(s, true, e);

        if (r >= 0)
                r = make_dir(s, "merged", &target, e);
        if (r < 0)
                return r;
        add_lowerdir(s, &options);
        r = options.failed ? error_oom(e) : mount_overlay(s, options.data, MS_RDONLY | MS_NODEV, target, e);
        /* what is mounted on it is behind its name, not behind the descriptor */
        return r < 0 ? r : make_dir(s, "merged", ret_fd, e);
}

/* Overlay=no: the root is a directory of the pod's own. A single tree can be taken as it is, unless it is a layer, which has
 * whiteouts. For another start it has to be complete after a power cut, too. */
static int fill_copy(Stack *s, Error *e) {
        _cleanup_close_ int tree = -EBADF, root = -EBADF;
        bool is_whole = strv_length(s->trees) == 1 && !startswith(s->top, "sha256-");
        int r = is_whole ? store_tree_mount(s->c->store, s->top, &tree, e) : open_merged(s, &tree, e);

        if (r < 0)
                return r;
        root = openat(s->place_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r = root < 0 ? error_setf(e, -errno, "cannot open its root: %s", strerror(errno))
                     : copy_tree(tree, root, e);
        if (r < 0)
                return r;
        r = RET_NERRNO(syncfs(root));
        if (r >= 0)
                r = pod_set_app_copied(s->c->pod, s->app);
        return r < 0 ? error_setf(e, r, "cannot note that its root is copied: %s", strerror(-r)) : 0;
}

/* Once in the pod's life. */
static int copy_root(Stack *s, Error *e) {
        _cleanup_close_ int mnt = -EBADF;
        int r = pod_app_is_copied(s->c->pod, s->app) ? 0 : fill_copy(s, e);

        if (r < 0)
                return r;
        r = mount_clone(s->place_fd, MOUNT_ATTR_NODEV, &mnt);
        if (r >= 0) {
                r = userns_map_mount(s->c->users, mnt, false, e);
                if (r < 0)
                        return error_prefixf(e, r, "the pod's directory");
                r = mount_move(mnt, s->place_fd);
        }
        return r < 0 ? error_setf(e, r, "cannot mount its root: %s", strerror(-r)) : 0;
}

/**
 * app_mount_root() - mount the root of an app
 * @c:      where; the caller is in a mount namespace of its own, and has one thread
 * @app:    its name
 * @ret_fd: directory descriptor of the root
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0; -EBADMSG, -ENODATA (the pod's files are damaged), -E2BIG (more layers than overlayfs takes), what
 * store_tree_mount() and copy_tree() return, errors of the file system and of mounting.
 */
int app_mount_root(const AppMountContext *c, const char *app, int *ret_fd, Error *e) {
        _cleanup_(stack_done) Stack s = { .c = c, .app = app, .lower_fd = -EBADF, .place_fd = -EBADF };
        _cleanup_free_ char *place = strf("opt/stage2/%s/rootfs", app);
        int r;

        if (!place)
                return error_oom(e);
        r = load_trees(&s, e);
        if (r < 0)
                return r;
        s.place_fd = root_mkdirs(c->stage1_fd, place, 0755);
        if (s.place_fd < 0)
                return error_setf(e, s.place_fd, "cannot make %s: %s", place, strerror(-s.place_fd));
        r = c->copy ? copy_root(&s, e) : mount_stack(&s, e);
        if (r < 0)
                return r;
        r = root_open(c->stage1_fd, place, O_RDONLY | O_DIRECTORY);
        if (r < 0)
                return error_setf(e, r, "cannot open its root: %s", strerror(-r));
        *ret_fd = r;
        return 0;
}
