/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt-net: the networks of pods.
 *
 *   rkt-net up DATADIR [SEC]    what is wanted comes in on stdin, what was made goes to stdout, both as in run/net-state.h; 3 is
 *                               the pod's directory
 *   rkt-net check DATADIR       the same goes in; whether there are such networks
 *   rkt-net down DATADIR UUID   3 is the pod's directory, or /dev/null if it has none any more
 *   rkt-net forget DATADIR UUID the same, for the last time: what is left is said, and is no failure
 *   rkt-net restore DATADIR     rules and names are made again
 *
 * What went wrong is said on stderr, in one line. It starts plugins, which are programs of somebody else, as root: so it and
 * they have three capabilities only, and see no tree of a pod or an image. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/path.h"
#include "basic/sandbox.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/uuid.h"
#include "run/cni.h"
#include "run/net-namespace.h"
#include "run/net-up.h"

#define POD_FD    3
#define CAP(name) (UINT64_C(1) << CAP_##name)

/* Neither this program nor a plugin has business there. */
static const char *const denied[] = {
        "acct",
        "add_key",
        "bpf",
        "delete_module",
        "finit_module",
        "init_module",
        "io_uring_enter",
        "io_uring_register",
        "io_uring_setup",
        "kexec_file_load",
        "kexec_load",
        "keyctl",
        "open_by_handle_at",
        "perf_event_open",
        "pivot_root",
        "process_vm_readv",
        "process_vm_writev",
        "ptrace",
        "quotactl",
        "reboot",
        "request_key",
        "swapoff",
        "swapon",
        "userfaultfd",
        NULL,
};

/* The mount that a directory lies in. */
static int find_mount(const char *dir, char **ret) {
        _cleanup_free_ char *path = strdup(dir);
        struct statx st;

        for (; path; *strrchr(path, '/') = '\0') {
                if (statx(AT_FDCWD, *path ? path : "/", AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st) < 0)
                        return -errno;
                if (!*path || (st.stx_attributes & STATX_ATTR_MOUNT_ROOT)) {
                        *ret = *path ? TAKE_PTR(path) : strdup("/");
                        return *ret ? 0 : -ENOMEM;
                }
        }
        return -ENOMEM;
}

/* Data is covered, for us alone. All other mounts stay shared with the host: namespaces that are kept below /run must be seen
 * there. (Pods in /run are not covered: that mount could not be both.) */
static int hide(const char *dir, Error *e) {
        _cleanup_free_ char *root = NULL;
        int r;

        if (access(dir, F_OK) < 0)
                return 0;
        r = find_mount(dir, &root);
        if (r < 0)
                return error_setf(e, r, "cannot find the mount of %s: %s", dir, strerror(-r));
        if (streq(root, "/run"))
                return 0;
        if (unshare(CLONE_NEWNS) < 0)
                return error_setf(e, -errno, "cannot make a mount namespace: %m");
        if (mount(NULL, root, NULL, MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", dir, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0,size=4k") < 0)
                return error_setf(e, -errno, "cannot cover %s: %m", dir);
        return 0;
}

static int give_up_rights(const char *dir, Error *e) {
        /* iptables-legacy, which plugins start, talks to the kernel by a raw socket */
        const SandboxSpec sandbox = { .capabilities = CAP(NET_ADMIN) | CAP(NET_RAW) | CAP(SYS_ADMIN),
                                      .denied = denied,
                                      .all_paths = true,
                                      .file_size_max = UINT64_MAX };
        int r;

        (void) umask(022);
        r = net_namespace_prepare(e);
        if (r >= 0)
                r = hide(dir, e);
        return r < 0 ? r : sandbox_enter(&sandbox, e);
}

static int read_wanted(NetState **ret, Error *e) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r = fd_read_to_end(STDIN_FILENO, NET_STATE_MAX, &text, &size);

        if (r < 0)
                return error_setf(e, r, "cannot read what is wanted: %s", strerror(-r));
        return net_state_parse(text, size, ret, e);
}

static int run_up(Error *e) {
        _cleanup_net_state_ NetState *s = NULL;
        _cleanup_free_ char *answer = NULL;
        int r = read_wanted(&s, e);

        if (r >= 0)
                r = net_up(s, POD_FD, e);
        if (r < 0)
                return r;
        if (net_state_to_string(s, &answer) < 0)
                return error_oom(e);
        r = fd_write_all(STDOUT_FILENO, answer, strlen(answer));
        if (r < 0)
                return error_setf(e, r, "cannot print what was made: %s", strerror(-r));
        /* that is all that there is to say; our end takes a moment (run/net-nft.c) */
        (void) close(STDOUT_FILENO);
        (void) close(STDERR_FILENO);
        return 0;
}

static int run_check(Error *e) {
        _cleanup_net_state_ NetState *s = NULL;
        int r = read_wanted(&s, e);

        return r < 0 ? r : net_check(s, e);
}

static int run_restore(Error *e) {
        _cleanup_strv_free_ char **warnings = NULL;
        int r = net_restore(&warnings, e);

        STRV_FOREACH (w, warnings)
                log_warning("%s", *w);
        return r;
}

static bool is_directory(int fd) {
        struct stat st;

        return fstat(fd, &st) >= 0 && S_ISDIR(st.st_mode);
}

int main(int argc, char *argv[]) {
        _cleanup_error_ Error e = ERROR_INIT;
        int r = -EINVAL;

        if (argc < 3 || !path_is_absolute(argv[2])) {
                fputs("Usage: rkt-net up|check|down|forget|restore DATADIR [UUID]\n", stderr);
                return EXIT_FAILURE;
        }
        r = give_up_rights(argv[2], &e);
        if (r >= 0 && argc <= 4 && streq(argv[1], "up")) {
                if (argc == 4)
                        (void) setenv(CNI_TIMEOUT_ENV, argv[3], 1);
                r = run_up(&e);
        } else if (r >= 0 && argc <= 4 && streq(argv[1], "check")) {
                r = run_check(&e);
        } else if (r >= 0 && argc == 4 && (streq(argv[1], "down") || streq(argv[1], "forget")) &&
                   uuid_is_valid(argv[3]))
                r = net_down(argv[3], is_directory(POD_FD) ? POD_FD : -EBADF, streq(argv[1], "forget"), &e);
        else if (r >= 0 && argc == 3 && streq(argv[1], "restore"))
                r = run_restore(&e);
        else if (r >= 0)
                r = error_setf(&e, -EINVAL, "there is no '%s'", argv[1]);
        if (r != 0)
                (void) fprintf(stderr, "%s\n", error_text(&e, r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
