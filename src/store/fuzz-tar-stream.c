/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The first two bytes say in what pieces the rest comes; then it is an archive. */
#include <stdint.h>
#include <stdlib.h>

#include "store/frame.h"
#include "store/tar-check.h"
#include "store/tar-list.h"

#define TAR_FUZZ_PREFIX 2U         /* bytes before the archive */
#include "store/test-tar-mutate.h" /* needs it */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever passes must be fit for the store. */
static int on_entry(void *userdata, const TarEntry *t) {
        _cleanup_(tar_entry_done) TarEntry copy = TAR_ENTRY_INIT;
        uint8_t *frame;
        size_t n;
        int r;

        r = frame_encode_entry(t, &frame, &n);
        if (r < 0)
                abort();
        if (frame_decode_entry(frame, n, &copy) < 0)
                abort();
        free(frame);
        return 0;
}

static int on_manifest(void *userdata, const char *data, size_t size) {
        return 0;
}

static int on_warning(void *userdata, const char *sentence) {
        return 0;
}

/* What is listed must be possible to read. */
static void list(const uint8_t *data, size_t size, size_t piece, const TarStreamLimits *limits) {
        _cleanup_(tar_list_freep) TarList *l = NULL;
        FrameWriter out = FRAME_WRITER_INIT;

        /* collected, not written: with the limits above nothing has to leave */
        if (tar_list_new(&out, limits, &l) >= 0) {
                for (size_t i = 2; i < size; i += piece)
                        if (tar_list_push(l, data + i, MIN(piece, size - i), NULL) < 0)
                                break;
                (void) tar_list_finish(l, NULL);
        }
        frame_writer_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const TarCheckOps ops = { .entry = on_entry, .manifest = on_manifest, .warning = on_warning };
        const TarStreamLimits limits = { .size_max = 1U << 20, .entries_max = 1000 };
        _cleanup_(tar_check_freep) TarCheck *c = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        size_t piece;

        if (size < 2 || tar_check_new(&ops, NULL, &limits, 4096, &c) < 0)
                return 0;
        piece = 1 + (size_t) data[0] + 256 * (size_t) data[1];
        list(data, size, piece, &limits);
        for (size_t i = 2; i < size; i += piece)
                if (tar_check_push(c, data + i, MIN(piece, size - i), &e) < 0)
                        return 0;
        (void) tar_check_finish(c, &e);
        return 0;
}
