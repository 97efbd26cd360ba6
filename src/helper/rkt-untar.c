/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt-untar: entries, which were checked twice, come in on stdin, and become objects beneath one directory. It never sees
 * an archive: what it reads is a list of files and where their bytes are in the blob.
 *
 *      0  frames: FRAME_ENTRY, FRAME_WHITEOUT ...
 *      1  one frame: FRAME_END or FRAME_ERROR
 *      3  the directory: the only one that it can reach
 *      4  the blobs, for reading: as many as its argument says (none: one)
 *      ...
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/parse.h"
#include "basic/sandbox.h"
#include "store/frame.h"
#include "store/untar.h"

#define ROOT_FD    3
#define BLOB_FD    4
#define BLOBS_MAX  1024U
#define MEMORY_MAX (UINT64_C(512) << 20)
#define CPU_SEC    3600
#define CAP(name)  (UINT64_C(1) << CAP_##name)

static const char *const syscalls[] = {
        "read",      "pread64", "write",        "writev",    "lseek",      "ftruncate", "openat",
        "openat2",   "close",   "mkdirat",      "symlinkat", "linkat",     "mknodat",   "fchown",
        "fchownat",  "fchmod",  "fchmodat",     "fchmodat2", "fsetxattr",  "utimensat", "newfstatat",
        "fstat",     "brk",     "mmap",         "mremap",    "munmap",     "madvise",   "futex",
        "getrandom", "geteuid", "rt_sigreturn", "exit",      "exit_group", NULL,
};

static int make_one(Untar *u, FrameType type, const uint8_t *data, size_t size, Error *e) {
        _cleanup_(tar_entry_done) TarEntry t = TAR_ENTRY_INIT;
        _cleanup_free_ char *path = NULL;
        int r;

        if (type == FRAME_WHITEOUT) {
                r = frame_decode_path(data, size, &path);
                return r < 0 ? error_setf(e, r, "a whiteout that cannot be") : untar_whiteout(u, path, e);
        }
        r = type == FRAME_ENTRY ? frame_decode_entry(data, size, &t) : -EPROTO;
        return r < 0 ? error_setf(e, r, "an entry that cannot be") : untar_entry(u, &t, e);
}

static int run(unsigned n_blobs, FrameEnd *ret, Error *e) {
        FrameReader reader = FRAME_READER_INIT;
        _cleanup_(untar_freep) Untar *u = NULL;
        int fds[BLOBS_MAX], r;

        reader.fd = STDIN_FILENO;
        for (unsigned i = 0; i < n_blobs; i++)
                fds[i] = BLOB_FD + (int) i;
        r = untar_new(ROOT_FD, fds, n_blobs, &u, e);
        while (r >= 0) {
                const uint8_t *data;
                FrameType type;
                size_t size;

                r = frame_read(&reader, &type, &data, &size, e);
                if (r <= 0)
                        break;
                r = make_one(u, type, data, size, e);
        }
        if (r >= 0)
                r = untar_finish(u, &ret->size, &ret->n_entries, e);
        frame_reader_done(&reader);
        return r;
}

int main(int argc, char *argv[]) {
        const SandboxPath root = { .fd = ROOT_FD, .writable = true };
        SandboxSpec sandbox = SANDBOX_INIT;
        _cleanup_error_ Error e = ERROR_INIT;
        FrameEnd end = {};
        unsigned n_blobs = 1;
        struct stat st;
        int r;

        if (argc > 2 || (argc == 2 && parse_uint(argv[1], BLOBS_MAX, &n_blobs) < 0) ||
            fstat(ROOT_FD, &st) < 0 || !S_ISDIR(st.st_mode)) {
                (void) fprintf(stderr, "rkt-untar is started by rkt, not by hand\n");
                return EXIT_FAILURE;
        }
        (void) signal(SIGPIPE, SIG_IGN);
        (void) umask(0);
        sandbox.capabilities =
                CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(FOWNER) | CAP(FSETID) | CAP(MKNOD) | CAP(SETFCAP);
        sandbox.syscalls = syscalls;
        sandbox.paths = &root;
        sandbox.n_paths = 1;
        sandbox.memory_max = MEMORY_MAX;
        sandbox.cpu_sec_max = CPU_SEC;
        r = sandbox_enter(&sandbox, &e);
        if (r >= 0)
                r = run(n_blobs, &end, &e);
        if (r < 0)
                (void) frame_write_error(STDOUT_FILENO, r, error_text(&e, r));
        else
                r = frame_write(STDOUT_FILENO, FRAME_END, &end, sizeof(end));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
