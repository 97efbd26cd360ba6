/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Part of rkt-bare: linked statically, nothing but system calls. All paths are the kernel's or the pod's own: no app runs yet.
 *
 * The trees are private: what is mounted in them is not to appear in the /proc and /sys of the pod's systemd. */
#include "helper/kernel-files.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/kernel-files.h"

#define HIDDEN_DIR  "/run/host/inaccessible/dir" /* nspawn makes them */
#define HIDDEN_FILE "/run/host/inaccessible/reg"
#define HIDDEN_NODE "/run/host/inaccessible/chr"

#define IN_TREES(path) KERNEL_FILES path,
#define IN_PLACE(path) path,

static const char *const hidden[] = { KERNEL_FILES_HIDDEN(IN_TREES) KERNEL_FILES KERNEL_FILES_LOG };
static const char *const devices[] = { KERNEL_FILES_DEVICES(IN_PLACE) };
static const char *const read_only[] = { KERNEL_FILES_READ_ONLY(IN_TREES) };

static int attach(int mount, const char *path) {
        int r = move_mount(mount, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;

        (void) close(mount);
        return r;
}

/* Returns the mount, or -errno. */
static int clone_tree(const char *path, uint64_t attributes) {
        struct mount_attr attr = { .attr_set = attributes, .propagation = MS_PRIVATE };
        int mount = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE), r;

        if (mount < 0)
                return -errno;
        if (mount_setattr(mount, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) >= 0)
                return mount;
        r = -errno;
        (void) close(mount);
        return r;
}

/* What the kernel does not have is not hidden. */
static int bind_tree(const char *source, const char *target, uint64_t attributes) {
        int mount = clone_tree(source, attributes);

        return mount >= 0 ? attach(mount, target) : mount == -ENOENT ? 0 : mount;
}

/* nspawn cannot always make a node. */
static int hide(const char *path) {
        static const uint64_t nothing =
                MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
        struct stat st;
        int mount;

        if (lstat(path, &st) < 0)
                return errno == ENOENT ? 0 : -errno;
        mount = clone_tree(S_ISDIR(st.st_mode)   ? HIDDEN_DIR
                           : S_ISCHR(st.st_mode) ? HIDDEN_NODE
                                                 : HIDDEN_FILE,
                           nothing);
        if (mount == -ENOENT)
                mount = clone_tree(HIDDEN_FILE, nothing);
        return mount < 0 ? mount : attach(mount, path);
}

/* Without the processes of others. */
static int new_proc(void) {
        int fs = fsopen("proc", FSOPEN_CLOEXEC), mount = -1, r;

        if (fs >= 0 && fsconfig(fs, FSCONFIG_SET_STRING, "hidepid", "invisible", 0) >= 0 &&
            fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) >= 0)
                mount = fsmount(fs, FSMOUNT_CLOEXEC,
                                MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        r = mount >= 0 ? mount : -errno;
        if (fs >= 0)
                (void) close(fs);
        return r;
}

/* With users of its own the pod may not have another one, where nspawn has hidden something in the one that it has. */
static int make_proc(void) {
        int mount = new_proc(), r;

        if (mount == -EPERM)
                mount = clone_tree("/proc", 0);
        r = mount < 0 ? mount : attach(mount, KERNEL_FILES_PROC);
        return r < 0 ? r : bind_tree("/proc/sys", KERNEL_FILES_PROC "/sys", MOUNT_ATTR_RDONLY);
}

/* Groups stay writable: ProtectControlGroups= decides, and leaves an app the file by which it watches its memory. */
static int make_sys(void) {
        int r = bind_tree("/sys", KERNEL_FILES_SYS, MOUNT_ATTR_RDONLY);

        return r < 0 ? r : bind_tree("/sys/fs/cgroup", KERNEL_FILES_SYS "/fs/cgroup", 0);
}

static int make_read_only(const char *path) {
        return bind_tree(path, path, MOUNT_ATTR_RDONLY);
}

static int each(const char *const *paths, size_t n, int (*func)(const char *path), const char **reterr_path) {
        int r = 0;

        for (size_t i = 0; i < n && r >= 0; i++) {
                *reterr_path = paths[i];
                r = func(paths[i]);
        }
        return r;
}

/**
 * kernel_files_make() - mount the trees that apps get
 * @reterr_path: what could not be mounted, when something could not; never freed
 *
 * A pod of an older rkt has no place for them, and needs none.
 *
 * Return: 0; -errno.
 */
int kernel_files_make(const char **reterr_path) {
        int r;

        if (access(KERNEL_FILES, F_OK) < 0)
                return errno == ENOENT ? 0 : -errno;
        *reterr_path = KERNEL_FILES_PROC;
        r = make_proc();
        if (r >= 0) {
                *reterr_path = KERNEL_FILES_SYS;
                r = make_sys();
        }
        if (r >= 0)
                r = each(read_only, sizeof(read_only) / sizeof(*read_only), make_read_only, reterr_path);
        if (r >= 0)
                r = each(hidden, sizeof(hidden) / sizeof(*hidden), hide, reterr_path);
        if (r >= 0 && access(KERNEL_FILES_NO_DEVICES, F_OK) == 0)
                r = each(devices, sizeof(devices) / sizeof(*devices), hide, reterr_path);
        return r;
}
