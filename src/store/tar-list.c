/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files and links of an archive, as frames; nothing is judged but whether somebody could read the file in one piece. */
#include "store/tar-list.h"

#include <stdlib.h>
#include <string.h>

struct TarList {
        FrameWriter *out;
        TarStream *stream;
        uint64_t n_entries;
};

/* "./a//b" becomes "a/b". False: it leads out of the archive, or nowhere. */
static bool simplify(char *path) {
        char *out = path;

        if (strlen(path) > TAR_LIST_NAME_MAX)
                return false;
        for (const char *in = path; *in;) {
                size_t n = strcspn(in, "/");
                bool last = !in[n];

                if ((n == 2 && in[0] == '.' && in[1] == '.') || n > TAR_NAME_MAX)
                        return false;
                if (n > 0 && !(n == 1 && *in == '.')) {
                        if (out > path)
                                *out++ = '/';
                        memmove(out, in, n);
                        out += n;
                }
                in += last ? n : n + 1;
        }
        *out = '\0';
        return out > path;
}

static bool is_plain(const TarEntry *t) {
        if (!simplify(t->path))
                return false;
        if (t->type == TAR_SYMLINK)
                return *t->link && strlen(t->link) <= TAR_LIST_NAME_MAX;
        if (t->type == TAR_HARDLINK)
                return simplify(t->link);
        if (t->type != TAR_FILE)
                return false;
        return t->size == 0 ||
               (t->n_segments == 1 && t->segments[0].offset == 0 && t->segments[0].size == t->size);
}

static int on_entry(void *userdata, TarStreamEntry *s, Error *e) {
        TarEntry plain = { .type = s->entry.type,
                           .path = s->entry.path,
                           .link = s->entry.link,
                           .segments = s->entry.segments,
                           .n_segments = s->entry.n_segments };
        _cleanup_free_ uint8_t *data = NULL;
        TarList *l = userdata;
        size_t size;
        int r;

        if (s->entry.type == TAR_FILE)
                plain.size = s->entry.size;
        if (!is_plain(&plain))
                return 0;
        r = frame_encode_entry(&plain, &data, &size);
        if (r >= 0)
                r = frame_writer_add(l->out, FRAME_ENTRY, data, size);
        if (r < 0)
                return error_setf(e, r, "cannot list it: %s", strerror(-r));
        l->n_entries++;
        return 0;
}

static const TarStreamOps ops = { .entry = on_entry };

/**
 * tar_list_new() - begin
 * @out:    gets a FRAME_ENTRY for each file and link; stays the caller's
 * @limits: of the archive; copied
 * @ret:    for tar_list_free()
 *
 * Return: 0, -ENOMEM.
 */
int tar_list_new(FrameWriter *out, const TarStreamLimits *limits, TarList **ret) {
        _cleanup_(tar_list_freep) TarList *l = new0(TarList, 1);
        int r;

        if (!l)
                return -ENOMEM;
        l->out = out;
        r = tar_stream_new(&ops, l, limits, &l->stream);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(l);
        return 0;
}

/**
 * tar_list_free() - free
 * @l: may be NULL
 *
 * Return: NULL.
 */
TarList *tar_list_free(TarList *l) {
        if (!l)
                return NULL;
        tar_stream_free(l->stream);
        free(l);
        return NULL;
}

/**
 * tar_list_push() - the next bytes of the archive
 * @l:    list
 * @data: @size bytes
 * @size: bytes
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, what tar_stream_push() and write() return.
 */
int tar_list_push(TarList *l, const uint8_t *data, size_t size, Error *e) {
        return tar_stream_push(l->stream, data, size, e);
}

/**
 * tar_list_finish() - that was all
 * @l: list
 * @e: sentence on failure; may be NULL
 *
 * Return: 0, what tar_stream_finish() returns.
 */
int tar_list_finish(TarList *l, Error *e) {
        return tar_stream_finish(l->stream, e);
}

/**
 * tar_list_n_entries() - how many were found
 * @l: list
 *
 * Return: number of frames.
 */
uint64_t tar_list_n_entries(const TarList *l) {
        return l->n_entries;
}
