/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a worker does to itself before it reads the first foreign byte: it gives up everything that it does not need. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "basic/error.h"

/* A directory or file that stays reachable by path when Landlock is there. */
typedef struct SandboxPath {
        const char *path; /* NULL: use fd; a path that does not exist is skipped */
        int fd;
        bool writable; /* else: read files and directories */
} SandboxPath;

typedef struct SandboxSpec {
        uint64_t capabilities; /* bits 1 << CAP_...; all others leave every set, for good */
        const char *const *
                syscalls; /* names, NULL-terminated; everything else kills the process. "clone" makes threads only. NULL: all but denied */
        const char *const *more_syscalls; /* allowed too; may be NULL */
        const char *const *denied;        /* names that fail with ENOSYS instead of killing; may be NULL */
        const SandboxPath *paths;         /* may be NULL: no path at all */
        size_t n_paths;
        bool all_paths;         /* leave the file system as it is (no Landlock) */
        uint64_t memory_max;    /* bytes of address space; 0: as it is */
        uint64_t data_max;      /* bytes of memory of its own; 0: as it is */
        uint64_t file_size_max; /* bytes of one file that it writes; UINT64_MAX: as it is */
        uint64_t cpu_sec_max;   /* seconds; 0: as it is */
        unsigned n_fds_max;     /* descriptors; 0: as it is */
} SandboxSpec;

#define SANDBOX_INIT ((SandboxSpec){ .file_size_max = UINT64_MAX })

/* For syscalls: what rkt-pull and rkt-gpgv have in common; each adds its own. NULL-terminated. */
extern const char *const sandbox_program_syscalls[];

int sandbox_enter(const SandboxSpec *spec, Error *e);
