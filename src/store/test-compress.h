/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Archives compressed by the programs that everybody uses. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"

#define COMPRESSED_MAX (1U << 24)

/* program: gzip, xz, bzip2, zstd. */
static inline void compress_by(const char *program, const StrBuf *in, StrBuf *out) {
        _cleanup_close_ int from = memfd_create("plain", MFD_CLOEXEC),
                            to = memfd_create("compressed", MFD_CLOEXEC);
        _cleanup_free_ char *data = NULL;
        size_t size = 0;
        int status;
        pid_t pid;

        assert_int_equal(fd_write_all(from, in->data, in->size), 0);
        assert_int_equal(lseek(from, 0, SEEK_SET), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                if (dup2(from, STDIN_FILENO) < 0 || dup2(to, STDOUT_FILENO) < 0)
                        _exit(126);
                (void) execlp(program, program, "-c", NULL);
                _exit(127);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_int_equal(lseek(to, 0, SEEK_SET), 0);
        assert_int_equal(fd_read_to_end(to, COMPRESSED_MAX, &data, &size), 0);
        strbuf_add_n(out, data, size);
}
