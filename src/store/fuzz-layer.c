/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A layer, as rkt-parse and the store see it: an archive becomes entries and whiteouts, these a tree, which is laid over
 * another one. The first byte says in what pieces it comes. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/str.h"
#include "store/erofs-writer.h"
#include "store/frame.h"
#include "store/tar-check.h"

#define TAR_FUZZ_PREFIX 1U         /* bytes before the archive */
#include "store/test-tar-mutate.h" /* needs it */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Layer {
        ErofsTree *tree;
        bool is_refused; /* by the tree: entries that contradict each other */
} Layer;

/* Whatever passes must be fit for the store. */
static int on_entry(void *userdata, const TarEntry *t) {
        _cleanup_(tar_entry_done) TarEntry copy = TAR_ENTRY_INIT;
        Layer *l = userdata;
        uint8_t *frame;
        size_t n;

        if (frame_encode_entry(t, &frame, &n) < 0 || frame_decode_entry(frame, n, &copy) < 0)
                abort();
        free(frame);
        if (!l->is_refused)
                l->is_refused = erofs_tree_add(l->tree, &copy, 0, NULL) < 0;
        return 0;
}

static char *pass_path(const char *path) {
        char *copy;

        if (frame_decode_path((const uint8_t *) path, strlen(path), &copy) < 0)
                abort();
        return copy;
}

static int on_whiteout(void *userdata, const char *path) {
        _cleanup_free_ char *copy = pass_path(path);
        Layer *l = userdata;

        if (*copy == '\0')
                abort();
        if (!l->is_refused)
                l->is_refused = erofs_tree_add_whiteout(l->tree, copy, NULL) < 0;
        return 0;
}

static int on_opaque(void *userdata, const char *path) {
        _cleanup_free_ char *copy = pass_path(path);
        Layer *l = userdata;

        if (!l->is_refused)
                l->is_refused = erofs_tree_set_opaque(l->tree, copy, NULL) < 0;
        return 0;
}

static int on_manifest(void *userdata, const char *data, size_t size) {
        abort();
}

static int on_warning(void *userdata, const char *sentence) {
        return 0;
}

/* Of a layer: a whiteout has nothing of a file; nothing of it lies in what is opaque. */
static int visit_layer(void *userdata, const TarEntry *t, unsigned device, Error *e) {
        bool is_whiteout = t->type == TAR_CHRDEV && (t->major | t->minor) == 0;

        if (is_whiteout && (t->n_xattrs > 0 || t->mode != 0))
                abort();
        FOREACH_ARRAY (x, t->xattrs, t->n_xattrs)
                if (startswith(x->name, "trusted.") && t->type != TAR_DIRECTORY)
                        abort();
        return 0;
}

/* Of the result: nothing that only overlayfs understands. */
static int visit_result(void *userdata, const TarEntry *t, unsigned device, Error *e) {
        const char *slash = strrchr(t->path, '/');

        if ((t->type == TAR_CHRDEV && (t->major | t->minor) == 0) ||
            startswith(slash ? slash + 1 : t->path, ".wh."))
                abort();
        FOREACH_ARRAY (x, t->xattrs, t->n_xattrs)
                if (startswith(x->name, "trusted."))
                        abort();
        return 0;
}

static ErofsTree *make_lower(void) {
        static const struct {
                TarType type;
                const char *path;
        } entries[] = {
                { TAR_DIRECTORY, "a" }, { TAR_FILE, "a/b" }, { TAR_DIRECTORY, "a/c" },
                { TAR_FILE, "a/c/d" },  { TAR_FILE, "b" },   { TAR_DIRECTORY, "e" },
        };
        ErofsTree *t;

        if (erofs_tree_new(EROFS_TREE_REPLACE, &t) < 0)
                abort();
        FOREACH_ARRAY (n, entries, ELEMENTSOF(entries)) {
                char path[8];

                (void) snprintf(path, sizeof(path), "%s", n->path);
                if (erofs_tree_add(t, &(TarEntry){ .type = n->type, .path = path, .mode = 0755 }, 0, NULL) <
                    0)
                        abort();
        }
        return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const TarCheckOps ops = { .entry = on_entry,
                                         .manifest = on_manifest,
                                         .warning = on_warning,
                                         .whiteout = on_whiteout,
                                         .opaque = on_opaque };
        const TarStreamLimits limits = { .size_max = 1U << 20, .entries_max = 1000 };
        _cleanup_(erofs_tree_freep) ErofsTree *layer = NULL, *result = NULL;
        _cleanup_(tar_check_freep) TarCheck *c = NULL;
        Layer l = {};
        size_t piece;

        if (size < 1 || erofs_tree_new(EROFS_TREE_REPLACE, &layer) < 0 ||
            tar_check_new(&ops, &l, &limits, 0, &c) < 0)
                return 0;
        l.tree = layer;
        tar_check_layer(c);
        piece = 1 + (size_t) data[0] * 37;
        for (size_t i = 1; i < size; i += piece)
                if (tar_check_push(c, data + i, MIN(piece, size - i), NULL) < 0)
                        break;
        (void) tar_check_finish(c, NULL);
        if (l.is_refused)
                return 0;
        result = make_lower();
        if (erofs_tree_merge(result, layer, NULL) < 0 ||
            erofs_tree_walk(result, visit_result, NULL, NULL) < 0)
                abort();
        if (erofs_tree_settle(layer, NULL) < 0 || erofs_tree_walk(layer, visit_layer, NULL, NULL) < 0)
                abort();
        return 0;
}
