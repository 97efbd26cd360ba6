/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* probe: makes system calls with arguments that no kernel takes, and prints what each answers: "NAME ERRNO", 0 for success. A
 * filter answers before the kernel looks at the arguments. */

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BAD (-1L)

static const struct {
        const char *name;
        long number, first;
} calls[] = {
        { "add_key", SYS_add_key, BAD },
        { "bpf", SYS_bpf, BAD },
        { "clock_settime", SYS_clock_settime, BAD },
        { "delete_module", SYS_delete_module, BAD },
        { "fanotify_init", SYS_fanotify_init, BAD },
        { "fsopen", SYS_fsopen, BAD },
        { "init_module", SYS_init_module, BAD },
        { "io_uring_setup", SYS_io_uring_setup, BAD },
        { "kexec_load", SYS_kexec_load, BAD },
        { "keyctl", SYS_keyctl, BAD },
        { "mount", SYS_mount, BAD },
        { "move_mount", SYS_move_mount, BAD },
        { "open_by_handle_at", SYS_open_by_handle_at, BAD },
        { "perf_event_open", SYS_perf_event_open, BAD },
        { "pivot_root", SYS_pivot_root, BAD },
        { "ptrace", SYS_ptrace, BAD },
        { "quotactl", SYS_quotactl, BAD },
        { "reboot", SYS_reboot, BAD },
        { "request_key", SYS_request_key, BAD },
        { "swapon", SYS_swapon, BAD },
        { "syslog", SYS_syslog, BAD },
        { "umount2", SYS_umount2, BAD },
        { "userfaultfd", SYS_userfaultfd, BAD },
        { "setns", SYS_setns, BAD },
        { "getpid", SYS_getpid, BAD },
        { "unshare-net", SYS_unshare, CLONE_NEWNET },
        { "unshare-user", SYS_unshare, CLONE_NEWUSER },
        { "personality", SYS_personality, PER_BSD },
};

int main(void) {
        for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
                errno = 0;
                (void) syscall(calls[i].number, calls[i].first, BAD, BAD, BAD, BAD);
                printf("%s %d\n", calls[i].name, errno);
        }
        return 0;
}
