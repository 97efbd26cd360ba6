/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tree as erofs-tree.c, erofs-whiteout.c, erofs-merge.c, erofs-xattr.c and erofs-layout.c see it. */
#pragma once

#include "store/erofs-intern.h"
#include "store/erofs-writer.h"

#define EROFS_NONE         UINT32_MAX
#define EROFS_NODES_MAX    (UINT32_C(1) << 24)
#define EROFS_MERGE_MAX    (UINT32_C(1) << 22)   /* nodes of images that are laid over one another: 256 MiB */
#define EROFS_TEXT_MAX     (UINT32_C(256) << 20) /* bytes of all names and targets */
#define EROFS_XATTRS_MAX   (UINT32_C(16) << 20)  /* bytes of all different attributes */
#define EROFS_SEGMENTS_MAX (UINT32_C(1) << 20)   /* pieces of all sparse files */

typedef enum ErofsNodeFlags {
        EROFS_NODE_HIDDEN = 1 << 0,  /* replaced or taken out; hard links may still lead to it */
        EROFS_NODE_IMPLIED = 1 << 1, /* a directory that no entry described */
        EROFS_NODE_PIECES = 1 << 2,  /* a file of several pieces, or with holes */
        EROFS_NODE_INLINE = 1 << 3,  /* layout: the last piece of its bytes stands behind the inode */
        EROFS_NODE_NAMED = 1 << 4,   /* erofs_tree_keep(): in the list */
        EROFS_NODE_NEEDED = 1 << 5,  /* erofs_tree_keep(): something in it is in the list */
        EROFS_NODE_OPAQUE = 1 << 6,  /* a directory that hides what is below; has the attribute, too */
        EROFS_NODE_COVERED = 1 << 7, /* erofs_tree_settle(): it or a directory above it is opaque */
} ErofsNodeFlags;

/* A name in a directory and, unless it is a hard link, the inode behind it. 64 bytes, a million times. */
typedef struct ErofsNode {
        uint32_t parent;
        uint32_t name; /* in text: a byte of length, then the bytes */
        uint64_t
                size; /* file: bytes; link: bytes of its target; directory: bytes of its blocks, set by the layout */
        union {
                uint64_t source; /* file: where in the blob; a file without bytes: 0 */
                struct {
                        uint32_t first;
                        uint32_t n;
                } list;          /* EROFS_NODE_PIECES: in segments; directory: its names in order */
                uint32_t target; /* hard link: the node whose inode it is; symbolic link: in text */
                struct {
                        uint32_t major;
                        uint32_t minor;
                } number;
        } u;
        int64_t mtime_sec;
        uint32_t mtime_nsec;
        uint32_t uid;
        uint32_t gid;
        uint32_t xattrs;  /* in sets: a count, then so many offsets in xattrs; 0: none */
        uint32_t n_links; /* erofs_tree_sort() */
        uint32_t nid;     /* layout: where the inode is, in slots; 0: not placed */
        uint16_t mode;    /* low 12 bits */
        uint16_t device;
        uint8_t type; /* TarType */
        uint8_t flags;
        uint8_t chunk_bits; /* layout: of a file that is described in chunks */
} ErofsNode;

struct ErofsTree {
        ErofsTreeFlags flags;
        HashKey key;
        ErofsNode *nodes; /* 0 is the root */
        size_t n_nodes;
        char *text;
        size_t n_text;
        size_t text_allocated;
        uint32_t *table; /* (parent, name) to node */
        size_t table_size;
        TarSegment *segments;
        size_t n_segments;
        Intern xattrs; /* as they stand in the image's area of shared attributes */
        Intern sets;
        char *parent_path; /* of the last entry, and where it led */
        uint32_t parent;

        /* erofs_tree_sort() */
        uint32_t *order; /* names by directory, ascending */
        uint32_t *dirs;  /* what can be reached, parents first */
        size_t n_dirs;
};

static inline bool erofs_node_is_visible(const ErofsNode *n) {
        return !(n->flags & EROFS_NODE_HIDDEN);
}

/* What overlayfs takes for "not there". No entry may be one. */
static inline bool erofs_node_is_whiteout(const ErofsNode *n) {
        return n->type == TAR_CHRDEV && (n->u.number.major | n->u.number.minor) == 0;
}

/* erofs-tree.c */
int erofs_tree_find(ErofsTree *t, uint32_t parent, const char *name, size_t size, uint32_t **ret_slot);
int erofs_tree_add_node(ErofsTree *t, uint32_t parent, const char *name, size_t size, TarType type,
                        uint32_t *slot, uint32_t *ret);
int erofs_tree_add_text(ErofsTree *t, const char *text, size_t size, bool counted, uint32_t *ret);
int erofs_tree_lookup(ErofsTree *t, const char *path, uint32_t *ret);
int erofs_tree_find_parent(ErofsTree *t, const TarEntry *entry, uint32_t *ret, const char **ret_name,
                           Error *e);
int erofs_tree_find_directory(ErofsTree *t, const char *path, uint32_t *ret, Error *e);
int erofs_tree_full(int r, Error *e);
int erofs_tree_sort(ErofsTree *t);
void erofs_tree_changed(ErofsTree *t);

/* erofs-whiteout.c */
int erofs_tree_make_opaque(ErofsTree *t, uint32_t id, Error *e);
void erofs_tree_hide_content(ErofsTree *t, uint32_t parent);

/* erofs-xattr.c */
int erofs_xattrs_add(ErofsTree *t, const TarEntry *entry, uint32_t old, uint16_t *mode, uint32_t *ret,
                     Error *e);
int erofs_xattrs_set(ErofsTree *t, const TarXattr *x, uint32_t old, uint32_t *ret, Error *e);
int erofs_xattrs_unset(ErofsTree *t, const char *name, uint32_t old, uint32_t *ret);
int erofs_xattrs_copy(ErofsTree *t, const ErofsTree *from, uint32_t set, uint32_t *ret);
int erofs_xattrs_to_entry(const ErofsTree *t, uint32_t set, TarEntry *entry);
const uint32_t *erofs_xattrs_get(const ErofsTree *t, uint32_t set, size_t *ret_n);
