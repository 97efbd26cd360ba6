/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* EROFS file systems made from the entries of archives.
 *
 *      erofs_tree_new(0, &t);
 *      for each checked entry of the archive:
 *              erofs_tree_add(t, &entry, 0, e);                (while it comes in; 0: its bytes are in devices[0])
 *      erofs_write_index(t, devices, 1, uuid, fd, &size, e);   (mount -t erofs -o device=BLOB INDEX)
 *
 * Several images, weakest first: one tree each, whose entries name their own device; erofs_tree_keep() takes out what
 * a pathWhitelist does not name; erofs_tree_merge() puts one over the others; then one index over all blobs
 * (mount -t erofs -o device=BLOB0,device=BLOB1,... INDEX, in the order of devices[]). For a plain directory,
 * erofs_tree_walk() hands the result out as entries again, each with its device.
 *
 * A layer of an OCI image is a tree with EROFS_TREE_REPLACE. Whiteouts and opaque directories are about the layers below
 * and nothing else, so their order among the entries does not matter: what the layer itself has stays, and a directory
 * that it both has and takes away is opaque. erofs_tree_settle() ends it. When such a tree is merged over others, they are
 * applied; in a file system of its own they are as overlayfs wants them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "basic/error.h"
#include "store/tar-entry.h"

#define EROFS_UUID_SIZE   16
#define EROFS_DEVICES_MAX 1024
#define EROFS_TAG_MAX     64                       /* bytes of a device's tag */
#define EROFS_OPAQUE      "trusted.overlay.opaque" /* "y" */
#define EROFS_ORIGIN      "trusted.overlay.origin" /* empty: whiteouts may be in the directory */

typedef struct ErofsTree ErofsTree;

typedef enum ErofsTreeFlags {
        /* A later entry of a name replaces the earlier one, as in layers; else -ENOTUNIQ, as rkt-untar says it. */
        EROFS_TREE_REPLACE = 1 << 0,
} ErofsTreeFlags;

typedef enum ErofsKeepFlags {
        /* Directories that are not named stay as they are: for an image's own pathWhitelist. Without it they stay only
         * if something in them does, 0755 and root's: for the list of an image that depends on this one. */
        EROFS_KEEP_DIRECTORIES = 1 << 0,
} ErofsKeepFlags;

/* A blob: an uncompressed tar. */
typedef struct ErofsDevice {
        int fd; /* readable by pread(); the writer reads what it must copy, and the size */
        const char
                *tag; /* noted in the index, cut after EROFS_TAG_MAX bytes, never interpreted; may be NULL */
} ErofsDevice;

/* One object: parents come before what is in them, a file before hard links to it; names ascend in each directory. The
 * entry is lent. What tells implied directories: their time is that of the entry that implied them. */
typedef int (*ErofsTreeVisit)(void *userdata, const TarEntry *entry, unsigned device, Error *e);

int erofs_tree_new(ErofsTreeFlags flags, ErofsTree **ret);
ErofsTree *erofs_tree_free(ErofsTree *t);
DEFINE_CLEANUP(ErofsTree *, erofs_tree_free);

int erofs_tree_add(ErofsTree *t, const TarEntry *entry, unsigned device, Error *e);
int erofs_tree_add_whiteout(ErofsTree *t, const char *path, Error *e);
int erofs_tree_set_opaque(ErofsTree *t, const char *path, Error *e);
bool erofs_tree_is_opaque(const ErofsTree *t);
bool erofs_tree_has_root(const ErofsTree *t);
bool erofs_tree_has_implied(const ErofsTree *t);
int erofs_tree_settle(ErofsTree *t, Error *e);
int erofs_tree_keep(ErofsTree *t, const char *const *paths, ErofsKeepFlags flags, Error *e);
int erofs_tree_merge(ErofsTree *t, ErofsTree *over, Error *e);
int erofs_tree_walk(ErofsTree *t, ErofsTreeVisit visit, void *userdata, Error *e);

int erofs_write_index(ErofsTree *t, const ErofsDevice *devices, size_t n_devices,
                      const uint8_t uuid[EROFS_UUID_SIZE], int fd, uint64_t *ret_size, Error *e);
int erofs_write_image(ErofsTree *t, const ErofsDevice *devices, size_t n_devices,
                      const uint8_t uuid[EROFS_UUID_SIZE], int fd, uint64_t *ret_size, Error *e);
