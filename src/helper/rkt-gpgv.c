/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Becomes gpgv: first gives up the network, every path but gpgv's own program and libraries, and all privileges.
 *
 *   0 signed data, 2 messages, 3 status lines out, 4 the signature, 5 the keys (both sealed files in memory)
 *
 * Called with "message", 4 is a message that contains what it signs, which goes to 1; 6 is /dev/null. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/log.h"
#include "basic/sandbox.h"

#define GPGV       "/usr/bin/gpgv"
#define MEMORY_MAX (UINT64_C(512) << 20)
#define CPU_SEC    3600

#define GPGV_ARGUMENTS(logger_fd)                                                                            \
        (char[]){ "gpgv" }, (char[]){ "--homedir" }, (char[]){ "/nonexistent" }, (char[]){ "--quiet" },      \
                (char[]){ "--status-fd" }, (char[]){ "3" }, (char[]){ "--logger-fd" },                       \
                (char[]){ logger_fd }, (char[]){ "--keyring" }, (char[]) {                                   \
                "/proc/self/fd/5"                                                                            \
        }

/* To become gpgv, whose libgcrypt stirs what getrusage() says into its random numbers. No sockets. */
static const char *const gpgv_syscalls[] = { "execve", "getrusage", "umask", NULL };
static const char *const denied[] = { "socket", "connect",  "clone",  "clone3",    "fork",  "vfork",
                                      "mlock",  "mlock2",   "prctl",  "setrlimit", "mkdir", "mkdirat",
                                      "unlink", "unlinkat", "rename", NULL };

int main(int argc, char *argv[]) {
        const bool message = argc == 2 && strcmp(argv[1], "message") == 0;
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
        char *const detached[] = { GPGV_ARGUMENTS("1"), (char[]){ "/proc/self/fd/4" }, (char[]){ "-" },
                                   NULL };
        char *const whole[] = { GPGV_ARGUMENTS("6"), (char[]){ "--output" }, (char[]){ "-" },
                                (char[]){ "/proc/self/fd/4" }, NULL };
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
        (void) execve(GPGV, message ? whole : detached, envp);
        log_error("cannot run %s: %m", GPGV);
        return 127;
}
