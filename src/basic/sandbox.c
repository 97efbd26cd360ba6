/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Capabilities, no_new_privs, Landlock, resource limits and a seccomp allow-list, in the order in which each is still
 * allowed by the one before. Which user a worker is, and which descriptors it has, is decided by who starts it
 * (process.c). A kernel without Landlock is no error: user and seccomp stand without it. Everything else is.
 *
 * Builds with a sanitizer leave out the filter and the limit of the address space, since a sanitizer maps terabytes and
 * makes calls of its own.
 */
#include "basic/sandbox.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/sanitizer.h"
#include "basic/str.h"

/* A sandboxed process must not be traced. */
NO_LEAK_CHECK

/* Younger than the headers of Debian 12. */
#define FS_REFER     (UINT64_C(1) << 13)
#define FS_TRUNCATE  (UINT64_C(1) << 14)
#define FS_IOCTL_DEV (UINT64_C(1) << 15)
#define FS_READ                                                                                              \
        ((uint64_t) LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_FILE                                                                                              \
        ((uint64_t) LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |                             \
         LANDLOCK_ACCESS_FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

static uint64_t landlock_rights(long abi) {
        uint64_t all = (UINT64_C(1) << 13) - 1;

        if (abi >= 2)
                all |= FS_REFER;
        if (abi >= 3)
                all |= FS_TRUNCATE;
        if (abi >= 5)
                all |= FS_IOCTL_DEV;
        return all;
}

static int landlock_allow(int ruleset, uint64_t rights, const SandboxPath *p) {
        _cleanup_close_ int opened = -EBADF;
        struct landlock_path_beneath_attr rule;
        struct stat st;
        int fd = p->fd;

        if (p->path) {
                opened = open(p->path, O_PATH | O_CLOEXEC);
                if (opened < 0)
                        return errno == ENOENT ? 0 : -errno;
                fd = opened;
        }
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!p->writable)
                rights &= FS_READ;
        if (!S_ISDIR(st.st_mode))
                rights &= FS_FILE;
        rule = (struct landlock_path_beneath_attr){ .allowed_access = rights, .parent_fd = fd };
        return RET_NERRNO(
                (int) syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0));
}

static int restrict_paths(const SandboxSpec *spec, Error *e) {
        _cleanup_close_ int ruleset = -EBADF;
        struct landlock_ruleset_attr attr = {};
        long abi;

        abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
        if (abi < 1)
                return 0;
        attr.handled_access_fs = landlock_rights(abi);
        ruleset = (int) syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);
        if (ruleset < 0)
                return error_setf(e, -errno, "sandbox: cannot make a Landlock ruleset: %m");
        FOREACH_ARRAY (p, spec->paths, spec->n_paths) {
                int r = landlock_allow(ruleset, attr.handled_access_fs, p);

                if (r < 0)
                        return error_setf(e, r, "sandbox: cannot allow a path: %s", strerror(-r));
        }
        if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
                return error_setf(e, -errno, "sandbox: Landlock: %m");
        return 0;
}

static int drop_capabilities(uint64_t keep, Error *e) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2];

        /* The bounding set needs CAP_SETPCAP; without it there is nothing that an exec could give. */
        for (int i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
                if (!(keep & (UINT64_C(1) << i)) && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0 && errno != EPERM)
                        return error_setf(e, -errno, "sandbox: cannot drop capability %d: %m", i);
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
                return error_setf(e, -errno, "sandbox: cannot clear ambient capabilities: %m");
        if (syscall(SYS_capget, &header, data) < 0)
                return error_setf(e, -errno, "sandbox: capget: %m");
        for (int i = 0; i < 2; i++) {
                uint32_t half = (uint32_t) (keep >> (32 * i));

                data[i].permitted &= half;
                data[i].effective = data[i].permitted;
                data[i].inheritable = 0;
        }
        if (syscall(SYS_capset, &header, data) < 0)
                return error_setf(e, -errno, "sandbox: capset: %m");
        return 0;
}

static int limit(__rlimit_resource_t what, uint64_t value, Error *e) {
        struct rlimit old, l;

        if (getrlimit(what, &old) < 0)
                return error_setf(e, -errno, "sandbox: getrlimit: %m");
        l.rlim_max = l.rlim_cur = MIN((rlim_t) value, old.rlim_max);
        if (setrlimit(what, &l) < 0)
                return error_setf(e, -errno, "sandbox: setrlimit: %m");
        return 0;
}

static int set_limits(const SandboxSpec *spec, Error *e) {
        int r;

        r = limit(RLIMIT_CORE, 0, e);
        if (r >= 0 && spec->memory_max > 0 && !HAVE_SANITIZER)
                r = limit(RLIMIT_AS, spec->memory_max, e);
        if (r >= 0 && spec->data_max > 0 && !HAVE_SANITIZER)
                r = limit(RLIMIT_DATA, spec->data_max, e);
        if (r >= 0 && spec->file_size_max != UINT64_MAX)
                r = limit(RLIMIT_FSIZE, spec->file_size_max, e);
        if (r >= 0 && spec->cpu_sec_max > 0)
                r = limit(RLIMIT_CPU, spec->cpu_sec_max, e);
        if (r >= 0 && spec->n_fds_max > 0)
                r = limit(RLIMIT_NOFILE, spec->n_fds_max, e);
        return r;
}

/* Threads, but no processes: those would outlive the worker. clone3() takes its flags where a filter cannot look; libc goes
 * on with clone() when there is none. */
static int add_clone(scmp_filter_ctx c) {
        int r;

        r = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                             SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
        return r < 0 ? r : seccomp_rule_add(c, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

static int add_rules(scmp_filter_ctx c, uint32_t action, const char *const *names) {
        for (; names && *names; names++) {
                int n = seccomp_syscall_resolve_name(*names), r;

                if (action == SCMP_ACT_ALLOW && streq(*names, "clone")) {
                        r = add_clone(c);
                        if (r < 0)
                                return r;
                        continue;
                }

                if (n == __NR_SCMP_ERROR) /* a name that this libseccomp does not know yet */
                        continue;
                r = seccomp_rule_add(c, action, n, 0);
                /* -EDOM: not on this architecture */
                if (r < 0 && r != -EDOM)
                        return r;
        }
        return 0;
}

static int load_filter(const SandboxSpec *spec, Error *e) {
        scmp_filter_ctx c;
        int r;

        c = seccomp_init(spec->syscalls ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ALLOW);
        if (!c)
                return error_oom(e);
        r = add_rules(c, SCMP_ACT_ALLOW, spec->syscalls);
        if (r >= 0)
                r = add_rules(c, SCMP_ACT_ALLOW, spec->more_syscalls);
        if (r >= 0)
                r = add_rules(c, SCMP_ACT_ERRNO(ENOSYS), spec->denied);
        if (r >= 0)
                r = seccomp_load(c);
        seccomp_release(c);
        return r < 0 ? error_setf(e, r, "sandbox: cannot load the seccomp filter: %s", strerror(-r)) : 0;
}

/* A dynamically linked program that reads files: the linker, libc, memory, threads that exist already, time, input and
 * output. Neither sockets nor processes, nothing that changes a file. */
const char *const sandbox_program_syscalls[] = {
        "access",
        "arch_prctl",
        "brk",
        "clock_getres",
        "clock_gettime",
        "clock_nanosleep",
        "close",
        "dup",
        "dup2",
        "exit",
        "exit_group",
        "faccessat",
        "faccessat2",
        "fadvise64",
        "fcntl",
        "fstat",
        "futex",
        "getcwd",
        "getdents64",
        "getegid",
        "geteuid",
        "getgid",
        "getpid",
        "getrandom",
        "getrlimit",
        "gettid",
        "getuid",
        "ioctl",
        "lseek",
        "madvise",
        "membarrier",
        "mmap",
        "mprotect",
        "mremap",
        "munmap",
        "newfstatat",
        "open",
        "openat",
        "poll",
        "ppoll",
        "pread64",
        "prlimit64",
        "read",
        "readlink",
        "readlinkat",
        "readv",
        "restart_syscall",
        "rseq",
        "rt_sigaction",
        "rt_sigprocmask",
        "rt_sigreturn",
        "sched_getaffinity",
        "sched_yield",
        "set_robust_list",
        "set_tid_address",
        "sigaltstack",
        "stat",
        "statx",
        "sysinfo",
        "tgkill",
        "time",
        "uname",
        "write",
        "writev",
        NULL,
};

/**
 * sandbox_enter() - give up everything that is not in @spec, for good
 * @spec: what stays
 * @e:    sentence on failure; may be NULL
 *
 * Call it once, single-threaded, with everything open that is needed, before the first foreign byte is read. The process
 * is not dumpable afterwards and gains nothing by exec.
 *
 * Return: 0, negative errno of the call that failed; the process must then exit.
 */
int sandbox_enter(const SandboxSpec *spec, Error *e) {
        int r;

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return error_setf(e, -errno, "sandbox: prctl: %m");
        if (!spec->all_paths) {
                r = restrict_paths(spec, e);
                if (r < 0)
                        return r;
        }
        r = drop_capabilities(spec->capabilities, e);
        if (r < 0)
                return r;
        r = set_limits(spec, e);
        if (r < 0)
                return r;
        if ((spec->syscalls || spec->denied) && !HAVE_SANITIZER)
                return load_filter(spec, e);
        return 0;
}
