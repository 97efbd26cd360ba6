/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an app sees of the kernel's files: two trees, /proc and /sys, in which some things are hidden and some are read-only.
 * rkt-bare makes them once per pod, before the pod's systemd starts, and the units of the apps bind them in. systemd would
 * do the same for each app (InaccessiblePaths=, ProtectKernelTunables= and the like), but reads the table of all mounts
 * once per path: that was half of the processor time that it took to start an app.
 *
 * Only macros: rkt-bare has nothing else of ours. */
#pragma once

/* In the pod; its directories are made with the pod (stage1-root.c), and who has none has an older rkt's units. */
#define KERNEL_FILES      "/rkt/kernel"
#define KERNEL_FILES_PROC KERNEL_FILES "/proc"
#define KERNEL_FILES_SYS  KERNEL_FILES "/sys"
/* A mark: no app of the pod has the devices that nspawn adds to /dev, which all apps share. */
#define KERNEL_FILES_NO_DEVICES KERNEL_FILES "/no-devices"

/* Besides those that systemd's settings hide or make read-only (below). */
#define KERNEL_FILES_HIDDEN(X)                                                                               \
        X("/proc/acpi")                                                                                      \
        X("/proc/asound")                                                                                    \
        X("/proc/config.gz")                                                                                 \
        X("/proc/interrupts")                                                                                \
        X("/proc/kallsyms")                                                                                  \
        X("/proc/kcore")                                                                                     \
        X("/proc/keys")                                                                                      \
        X("/proc/kpagecgroup")                                                                               \
        X("/proc/kpagecount")                                                                                \
        X("/proc/kpageflags")                                                                                \
        X("/proc/latency_stats")                                                                             \
        X("/proc/sched_debug")                                                                               \
        X("/proc/scsi")                                                                                      \
        X("/proc/timer_list")                                                                                \
        X("/proc/timer_stats")                                                                               \
        X("/sys/devices/virtual/powercap")                                                                   \
        X("/sys/firmware")                                                                                   \
        X("/sys/fs/bpf")                                                                                     \
        X("/sys/fs/pstore")                                                                                  \
        X("/sys/fs/selinux")                                                                                 \
        X("/sys/hypervisor")                                                                                 \
        X("/sys/module")                                                                                     \
        X("/sys/power")

/* ProtectKernelLogs= */
#define KERNEL_FILES_LOG "/proc/kmsg"

/* ProtectKernelTunables=, and all of /sys. */
#define KERNEL_FILES_READ_ONLY(X)                                                                            \
        X("/proc/apm")                                                                                       \
        X("/proc/bus")                                                                                       \
        X("/proc/fs")                                                                                        \
        X("/proc/irq")                                                                                       \
        X("/proc/mtrr")                                                                                      \
        X("/proc/sysrq-trigger")

#define KERNEL_FILES_DEVICES(X)                                                                              \
        X("/dev/fuse")                                                                                       \
        X("/dev/net/tun")
