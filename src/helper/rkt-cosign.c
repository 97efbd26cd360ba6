/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt-cosign: keys, names and foreign signatures come in on stdin (oci/cosign-protocol.h), one verdict for each goes out on
 * stdout. It has nothing else: no file, no socket, no capability, a user of its own, and the system calls below. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/sandbox.h"
#include "oci/cosign-protocol.h"

#define MEMORY_MAX (UINT64_C(256) << 20)
#define CPU_SEC    120 /* 64 signatures by 64 keys of 16384 bits take a tenth of it */

static const char *const syscalls[] = {
        "read",  "write",     "brk",          "mmap", "mremap",     "munmap", "madvise",
        "futex", "getrandom", "rt_sigreturn", "exit", "exit_group", NULL,
};

static int run(Error *e) {
        _cleanup_(cosign_request_done) CosignRequest q = {};
        _cleanup_free_ CosignVerdict *verdicts = NULL;
        _cleanup_free_ char *data = NULL, *answer = NULL;
        size_t size = 0;
        int r;

        r = fd_read_to_end(STDIN_FILENO, COSIGN_REQUEST_MAX, &data, &size);
        if (r < 0)
                return error_setf(e, r, "cannot read the request");
        r = cosign_request_decode(data, size, &q, e);
        if (r < 0)
                return r;
        verdicts = new0(CosignVerdict, q.n_signatures);
        if (!verdicts)
                return error_oom(e);
        cosign_judge(&q, verdicts);
        if (cosign_answer_encode(verdicts, q.n_signatures, &answer, &size) < 0)
                return error_oom(e);
        r = fd_write_all(STDOUT_FILENO, answer, size);
        return r < 0 ? error_setf(e, r, "cannot write the answer") : 0;
}

int main(int argc, char *argv[]) {
        SandboxSpec sandbox = SANDBOX_INIT;
        _cleanup_error_ Error e = ERROR_INIT;
        int r;

        (void) argv;
        if (argc != 1 || isatty(STDIN_FILENO)) {
                (void) fprintf(stderr, "rkt-cosign is started by rkt, not by hand\n");
                return EXIT_FAILURE;
        }
        (void) signal(SIGPIPE, SIG_IGN);
        sandbox.syscalls = syscalls;
        sandbox.memory_max = MEMORY_MAX;
        sandbox.cpu_sec_max = CPU_SEC;
        sandbox.file_size_max = 0;
        r = sandbox_enter(&sandbox, &e);
        if (r >= 0)
                r = run(&e);
        if (r < 0) /* not stdio: it would ask what stderr is */
                (void) dprintf(STDERR_FILENO, "rkt-cosign: %s\n", error_text(&e, r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
