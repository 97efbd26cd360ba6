/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt-parse: compressed bytes come in on stdin, frames go out on stdout (store/frame.h). It has nothing else: no file, no
 * socket, no capability, a user of its own, and the system calls below. Whatever takes it over can write to one pipe.
 *
 *      rkt-parse SIZE_MAX ENTRIES_MAX RATIO_MAX RATIO_AFTER MANIFEST_MAX [strict|layer|plain-layer]
 *      rkt-parse SIZE_MAX ENTRIES_MAX RATIO_MAX RATIO_AFTER MANIFEST_MAX list|list-data
 *
 * With "list" it only says which files are where; with "list-data" it also hands out the inflated bytes.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/parse.h"
#include "basic/sandbox.h"
#include "basic/str.h"
#include "store/frame.h"
#include "store/inflate.h"
#include "store/tar-check.h"
#include "store/tar-list.h"

#define PIECE      (256U * 1024)
#define MEMORY_MAX (UINT64_C(256) << 20)
#define CPU_SEC    3600 /* xz: 100 GB; more is a loop */

typedef struct Arguments {
        TarStreamLimits limits;
        uint64_t ratio_max;
        uint64_t ratio_after;
        uint64_t manifest_max;
        bool strict;   /* as the standard says, where we would take more */
        bool is_layer; /* of an OCI image; else an ACI */
        bool is_plain; /* a layer that is not compressed */
} Arguments;

static const char *const syscalls[] = {
        "read",    "write", "writev",    "brk",          "mmap", "mremap",     "munmap",
        "madvise", "futex", "getrandom", "rt_sigreturn", "exit", "exit_group", NULL,
};

/* Entries and the manifest travel with the bytes that they were found in. */
static int on_entry(void *userdata, const TarEntry *t) {
        _cleanup_free_ uint8_t *data = NULL;
        size_t size;
        int r;

        r = frame_encode_entry(t, &data, &size);
        return r < 0 ? r : frame_writer_add(userdata, FRAME_ENTRY, data, size);
}

static int on_manifest(void *userdata, const char *data, size_t size) {
        return frame_writer_add(userdata, FRAME_MANIFEST, data, size);
}

static int on_warning(void *userdata, const char *sentence) {
        return frame_writer_add(userdata, FRAME_WARNING, sentence, strlen(sentence));
}

static int on_whiteout(void *userdata, const char *path) {
        return frame_writer_add(userdata, FRAME_WHITEOUT, path, strlen(path));
}

static int on_opaque(void *userdata, const char *path) {
        return frame_writer_add(userdata, FRAME_OPAQUE, path, strlen(path));
}

static const TarCheckOps ops = { .entry = on_entry,
                                 .manifest = on_manifest,
                                 .warning = on_warning,
                                 .whiteout = on_whiteout,
                                 .opaque = on_opaque };

static int check_ratio(const Arguments *a, uint64_t n_in, uint64_t n_out, Error *e) {
        if (n_out <= a->ratio_after || n_out / a->ratio_max <= n_in)
                return 0;
        return error_setf(e, -E2BIG,
                          "the image is compressed more than %" PRIu64
                          " to 1; it looks made to fill the disk, and is refused",
                          a->ratio_max);
}

static int run(const Arguments *a, FrameWriter *out, Error *e) {
        _cleanup_(inflate_freep) Inflate *in = NULL;
        _cleanup_(tar_check_freep) TarCheck *check = NULL;
        _cleanup_free_ uint8_t *buffer = NULL;
        FrameEnd end = {};
        int r;

        buffer = malloc(PIECE);
        if (!buffer || tar_check_new(&ops, out, &a->limits, a->manifest_max, &check) < 0)
                return error_oom(e);
        if (a->strict)
                tar_check_strict(check);
        if (a->is_layer)
                tar_check_layer(check);
        r = inflate_new(STDIN_FILENO, (a->is_layer ? INFLATE_LAYER : 0) | (a->is_plain ? INFLATE_PLAIN : 0),
                        &in, e);
        if (r < 0)
                return r;
        for (;;) {
                ssize_t n = inflate_read(in, buffer, PIECE, e);

                if (n < 0)
                        return (int) n;
                if (n == 0)
                        break;
                end.size += (uint64_t) n;
                r = check_ratio(a, inflate_n_in(in), end.size, e);
                if (r >= 0)
                        r = tar_check_push(check, buffer, (size_t) n, e);
                if (r < 0)
                        return r;
                r = frame_writer_send(out, FRAME_DATA, buffer, (size_t) n);
                if (r < 0)
                        return error_setf(e, r, "cannot write to the store");
        }
        r = tar_check_finish(check, e);
        if (r < 0)
                return r;
        end.n_entries = tar_check_n_entries(check);
        return frame_writer_send(out, FRAME_END, &end, sizeof(end));
}

static int run_list(const Arguments *a, bool with_data, FrameWriter *out, Error *e) {
        _cleanup_(inflate_freep) Inflate *in = NULL;
        _cleanup_(tar_list_freep) TarList *list = NULL;
        _cleanup_free_ uint8_t *buffer = malloc(PIECE);
        FrameEnd end = {};
        ssize_t n;
        int r;

        if (!buffer || tar_list_new(out, &a->limits, &list) < 0)
                return error_oom(e);
        r = inflate_new(STDIN_FILENO, 0, &in, e);
        if (r < 0)
                return r;
        while ((n = inflate_read(in, buffer, PIECE, e)) > 0) {
                end.size += (uint64_t) n;
                r = with_data ? check_ratio(a, inflate_n_in(in), end.size, e) : 0;
                if (r >= 0)
                        r = tar_list_push(list, buffer, (size_t) n, e);
                if (r >= 0 && with_data && frame_writer_send(out, FRAME_DATA, buffer, (size_t) n) < 0)
                        r = error_setf(e, -EPIPE, "cannot write to the store");
                if (r < 0)
                        return r;
        }
        r = n < 0 ? (int) n : tar_list_finish(list, e);
        if (r < 0)
                return r;
        end.n_entries = tar_list_n_entries(list);
        return frame_writer_send(out, FRAME_END, &end, sizeof(end));
}

static int parse_arguments(int argc, char *argv[], Arguments *ret) {
        uint64_t *const fields[] = { &ret->limits.size_max, &ret->limits.entries_max, &ret->ratio_max,
                                     &ret->ratio_after, &ret->manifest_max };

        if (argc == 2 + (int) ELEMENTSOF(fields)) {
                ret->strict = streq(argv[argc - 1], "strict");
                ret->is_plain = streq(argv[argc - 1], "plain-layer");
                ret->is_layer = ret->is_plain || streq(argv[argc - 1], "layer");
        }
        if (argc - ret->strict - ret->is_layer != 1 + (int) ELEMENTSOF(fields))
                return -EINVAL;
        for (size_t i = 0; i < ELEMENTSOF(fields); i++)
                if (parse_uint64(argv[1 + i], fields[i]) < 0)
                        return -EINVAL;
        return ret->ratio_max > 0 ? 0 : -EINVAL;
}

int main(int argc, char *argv[]) {
        SandboxSpec sandbox = SANDBOX_INIT;
        FrameWriter out = FRAME_WRITER_INIT;
        _cleanup_error_ Error e = ERROR_INIT;
        const char *mode = argc > 1 ? argv[argc - 1] : "";
        bool list_data = streq(mode, "list-data"), list = list_data || streq(mode, "list");
        Arguments a = {};
        int r;

        if (parse_arguments(argc - list, argv, &a) < 0) {
                (void) fprintf(stderr, "rkt-parse is started by rkt, not by hand\n");
                return EXIT_FAILURE;
        }
        (void) signal(SIGPIPE, SIG_IGN);
        out.fd = STDOUT_FILENO;
        sandbox.syscalls = syscalls;
        sandbox.memory_max = MEMORY_MAX;
        sandbox.cpu_sec_max = CPU_SEC;
        sandbox.file_size_max = 0;
        r = sandbox_enter(&sandbox, &e);
        if (r >= 0)
                r = list ? run_list(&a, list_data, &out, &e) : run(&a, &out, &e);
        frame_writer_done(&out);
        if (r < 0)
                (void) frame_write_error(STDOUT_FILENO, r, error_text(&e, r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
