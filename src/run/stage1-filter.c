/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* In place of nspawn's own filter. That is a list of what is allowed, some 350 calls for each of three architectures, and
 * libseccomp takes 40 ms of every start to compile it. What it leaves out is a short list, compiled in a third of one. Each
 * app has a list of what it may do besides (app-confine.c); this one is for the pod's systemd and journald, and for apps
 * whose list the administrator has switched off. */
#include "run/stage1-filter.h"

#include <errno.h>
#include <linux/netlink.h>
#include <seccomp.h>
#include <string.h>
#include <sys/socket.h>

#include "basic/macro.h"
#include "basic/strv.h"

/* Who has the capability may call; NULL: nobody may. */
static const struct {
        const char *capability, *calls;
} denied[] = {
        { "CAP_SYSLOG", "syslog" },
        { "CAP_SYS_MODULE",
          "create_module delete_module finit_module get_kernel_syms init_module query_module" },
        { "CAP_SYS_PACCT", "acct" },
        { "CAP_SYS_RAWIO", "ioperm iopl pciconfig_iobase pciconfig_read pciconfig_write" },
        { "CAP_SYS_TIME",
          "adjtimex clock_adjtime clock_adjtime64 clock_settime clock_settime64 settimeofday stime" },
        { NULL, "add_key keyctl request_key" },
        { NULL, "fanotify_init lookup_dcookie open_by_handle_at perf_event_open userfaultfd" },
        { NULL, "kexec_file_load kexec_load nfsservctl quotactl quotactl_fd swapoff swapon" },
        { NULL, "modify_ldt subpage_prot switch_endian vm86 vm86old" },
        { NULL,
          "_sysctl afs_syscall bdflush break ftime getpmsg gtty idle lock mpx prof profil putpmsg security "
          "sgetmask ssetmask stty sysfs tuxcall ulimit uselib ustat vserver" },
};

/* What else runs on this processor, as nspawn has it. */
static const uint32_t others[] = {
#if defined(__x86_64__)
        SCMP_ARCH_X86,
        SCMP_ARCH_X32,
#elif defined(__aarch64__)
        SCMP_ARCH_ARM,
#endif
};

static int deny(scmp_filter_ctx c, const char *calls) {
        _cleanup_strv_free_ char **names = NULL;
        int r = strv_split(calls, " ", &names);

        STRV_FOREACH (n, names) {
                int number = seccomp_syscall_resolve_name(*n);

                if (r >= 0 && number != __NR_SCMP_ERROR)
                        r = seccomp_rule_add(c, SCMP_ACT_ERRNO(EPERM), number, 0);
        }
        return r;
}

static int fill(scmp_filter_ctx c, const Stage1Filter *f) {
        int r = seccomp_attr_set(c, SCMP_FLTATR_CTL_NNP, 0);

        for (size_t i = 0; i < ELEMENTSOF(others) && r >= 0; i++)
                r = seccomp_arch_add(c, others[i]);
        FOREACH_ARRAY (d, denied, ELEMENTSOF(denied)) {
                bool has = d->capability &&
                           (f->all_capabilities || strv_contains(f->capabilities, d->capability));

                if (r >= 0 && !has)
                        r = deny(c, d->calls);
        }
        /* no namespace keeps them apart: records would be the host's */
        if (r >= 0)
                r = seccomp_rule_add(c, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 2,
                                     SCMP_A0(SCMP_CMP_EQ, AF_NETLINK), SCMP_A2(SCMP_CMP_EQ, NETLINK_AUDIT));
        return r >= 0 && !f->bpf ? deny(c, "bpf") : r;
}

/**
 * stage1_filter_load() - bind this process, and all that it becomes and starts
 * @f: what is let through
 * @e: sentence on failure; may be NULL
 *
 * The process has CAP_SYS_ADMIN; no_new_privs is not set.
 *
 * Return: 0, -ENOMEM, -EACCES (no capability), -EINVAL (a kernel without seccomp).
 */
int stage1_filter_load(const Stage1Filter *f, Error *e) {
        scmp_filter_ctx c = seccomp_init(SCMP_ACT_ALLOW);
        int r;

        if (!c)
                return error_oom(e);
        r = fill(c, f);
        if (r >= 0)
                r = seccomp_load(c);
        seccomp_release(c);
        return r < 0 ? error_setf(e, r, "cannot load the pod's filter of system calls: %s", strerror(-r)) : 0;
}
