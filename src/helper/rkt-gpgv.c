/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Becomes gpgv: first gives up the network, every path but gpgv's own program and libraries, and all privileges.
 *
 *   0 signed data, 2 messages, 3 status lines out, 4 the signature, 5 the keys (both sealed files in memory) */
#include <stdlib.h>
#include <unistd.h>

#include "basic/log.h"
#include "basic/sandbox.h"

#define GPGV       "/usr/bin/gpgv"
#define MEMORY_MAX (UINT64_C(512) << 20)
#define CPU_SEC    3600

/* To become gpgv. No sockets. */
static const char *const gpgv_syscalls[] = { "execve", "umask", NULL };
static const char *const denied[] = { "socket", "connect",  "clone",  "clone3",    "fork",  "vfork",
                                      "mlock",  "mlock2",   "prctl",  "setrlimit", "mkdir", "mkdirat",
                                      "unlink", "unlinkat", "rename", NULL };

int main(void) {
        static const SandboxPath paths[] = {
                { .path = GPGV },
                { .path = "/usr/lib" },
                { .path = "/lib" },
                { .path = "/lib64" },
                { .path = "/usr/lib64" },
                { .path = "/etc/ld.so.cache" },
                { .path = "/usr/share/gnupg" },
                { .path = "/usr/share/locale" },
                { .path = "/dev/null" },
                { .path = "/dev/urandom" },
        };
        SandboxSpec spec = SANDBOX_INIT;
        /* Names of descriptors: gpgv takes keys and signature by path only. */
        char *const argv[] = { (char[]){ "gpgv" },
                               (char[]){ "--homedir" },
                               (char[]){ "/nonexistent" },
                               (char[]){ "--quiet" },
                               (char[]){ "--status-fd" },
                               (char[]){ "3" },
                               (char[]){ "--logger-fd" },
                               (char[]){ "1" },
                               (char[]){ "--keyring" },
                               (char[]){ "/proc/self/fd/5" },
                               (char[]){ "/proc/self/fd/4" },
                               (char[]){ "-" },
                               NULL };
        char *const envp[] = { (char[]){ "PATH=/usr/bin:/bin" }, (char[]){ "LANG=C.UTF-8" }, NULL };
        Error e = ERROR_INIT;
        int r;

        log_set_prefix("rkt-gpgv");
        spec.syscalls = sandbox_program_syscalls;
        spec.more_syscalls = gpgv_syscalls;
        spec.denied = denied;
        spec.paths = paths;
        spec.n_paths = ELEMENTSOF(paths);
        spec.memory_max = MEMORY_MAX;
        spec.file_size_max = 0;
        spec.cpu_sec_max = CPU_SEC;
        spec.n_fds_max = 64;
        r = sandbox_enter(&spec, &e);
        if (r < 0) {
                log_error("%s", error_text(&e, r));
                return EXIT_FAILURE;
        }
        (void) execve(GPGV, argv, envp);
        log_error("cannot run %s: %m", GPGV);
        return 127;
}
