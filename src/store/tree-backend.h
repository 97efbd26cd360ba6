/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How trees are made and mounted: between store-tree.c, the import, and the backends.
 *
 *      r = tree_maker_new(s, backend, 0, &m, e);               (when bytes begin to come)
 *      for each checked entry, from any one thread:
 *              tree_maker_entry(m, &t, e);
 *      r = tree_maker_write(m, tmp_fd, blobs, n, &size, e);    (tmp_fd/tree, synced)
 *      r = tree_commit(s, key, tmp_fd, e);                     (cas/tree/KEY; under store_commit_lock())
 *
 * A tree of several images needs TREE_MAKER_MERGE, and tree_maker_part() before the entries of each.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "store/erofs-writer.h"
#include "store/store-tree.h"
#include "store/tar-entry.h"

#define TREE_DEVICES_NAME "devices"
/* Of a layer, empty files: nothing below shows; its root is unlike that of others; it has directories that it says nothing of. */
#define TREE_OPAQUE_NAME  "opaque"
#define TREE_ROOT_NAME    "root"
#define TREE_IMPLIED_NAME "implied"
#define TREE_TMP_NAME     "tree" /* what a maker writes into the directory from store_tmp_new() */

/* A blob that has a tree's bytes; in the order of devices. */
typedef struct TreeBlob {
        const char *key;
        int fd;
} TreeBlob;

/* The two that mount differently. */
typedef struct TreeBackend {
        StoreTreeBackend id;
        const char *name; /* the file or directory in cas/tree/KEY by which one knows it */
        int (*mount)(Store *s, const char *key, int *ret_fd, Error *e);
} TreeBackend;

extern const TreeBackend tree_index;
extern const TreeBackend tree_image;
extern const TreeBackend tree_dir;

typedef enum TreeMakerFlags {
        TREE_MAKER_MERGE = 1 << 0,
        TREE_MAKER_LAYER = 1 << 1, /* of an OCI image; with TREE_MAKER_MERGE: several, whiteouts applied */
} TreeMakerFlags;

typedef struct TreeMaker TreeMaker;

int tree_maker_new(Store *s, StoreTreeBackend backend, TreeMakerFlags flags, TreeMaker **ret, Error *e);
TreeMaker *tree_maker_free(TreeMaker *m);
DEFINE_CLEANUP(TreeMaker *, tree_maker_free);
int tree_maker_part(TreeMaker *m, const StoreTreePart *part, unsigned device, Error *e);
int tree_maker_entry(TreeMaker *m, const TarEntry *t, Error *e);
int tree_maker_whiteout(TreeMaker *m, const char *path, Error *e);
int tree_maker_opaque(TreeMaker *m, const char *path, Error *e);
int tree_maker_write(TreeMaker *m, int tmp_fd, const TreeBlob *blobs, size_t n_blobs, uint64_t *ret_size,
                     Error *e);
int tree_maker_walk(TreeMaker *m, ErofsTreeVisit visit, void *userdata, Error *e);
int tree_backend_of(Store *s, const char *key, StoreTreeBackend *ret);
int tree_make(Store *s, StoreTreeBackend backend, const StoreTreePart *parts, size_t n_parts,
              TreeMakerFlags flags, int tmp_fd, Error *e);
int tree_make_top(Store *s, StoreTreeBackend backend, char *const *stack, int tmp_fd, Error *e);
int tree_commit(Store *s, const char *key, int tmp_fd, Error *e);

int tree_dir_write(Store *s, int entries_fd, uint64_t n_entries, const TreeBlob *blobs, size_t n_blobs,
                   int tree_fd, uint64_t *ret_size, Error *e);
StoreTreeBackend tree_erofs_probe(Store *s);

/* store-import.c: parses the blob of an image into a maker; its digest must be its key. */
int store_blob_parse(Store *s, const char *key, TreeMaker *m, int *ret_fd, Error *e);
