/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Collects entries and makes a tree of them. For EROFS they go into a tree in memory, which is written in the end; for
 * plain files into a file, from which rkt-untar makes them. Images that lie over one another are merged in memory first,
 * also for plain files: rkt-untar never replaces anything. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/hex.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "store/erofs-writer.h"
#include "store/frame.h"
#include "store/store-internal.h"
#include "store/tree-backend.h"

#define ENTRIES_BUFFER (128U * 1024)

struct TreeMaker {
        Store *store;
        StoreTreeBackend backend;

        /* In memory. */
        ErofsTree *tree;  /* all parts that are whole */
        ErofsTree *part;  /* the one that comes in; NULL: straight into tree */
        char **whitelist; /* NULL: empty */
        bool has_whitelist;
        unsigned device;
        bool is_merged;
        bool is_layer;
        char **marks; /* layer as plain files: attributes for overlayfs and the directories that have them, in turn */

        /* Plain files. */
        int entries_fd; /* frames, a file without a name; -EBADF: in memory */
        StrBuf entries; /* not yet written there */
        uint64_t n_entries;
};

static int open_entries(TreeMaker *m, Error *e) {
        _cleanup_close_ int tmp =
                openat(m->store->cas_fd, "tmp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int r = tmp < 0 ? -errno : tmpfile_open_at(tmp, 0600, &m->entries_fd);

        return r < 0 ? error_setf(e, r, "cannot create a file in '%s/cas/tmp': %s", m->store->dir,
                                  strerror(-r))
                     : 0;
}

/**
 * tree_maker_new() - begin a tree
 * @s:       store, must outlive it
 * @backend: from store_tree_choose()
 * @flags:   TREE_MAKER_*
 * @ret:     for tree_maker_free()
 * @e:       sentence on failure; may be NULL
 *
 * Return: 0, -ENOMEM, -ENOSPC, other errno of open().
 */
int tree_maker_new(Store *s, StoreTreeBackend backend, TreeMakerFlags flags, TreeMaker **ret, Error *e) {
        _cleanup_(tree_maker_freep) TreeMaker *m = new0(TreeMaker, 1);
        int r;

        if (!m)
                return error_oom(e);
        m->store = s;
        m->backend = backend;
        m->entries_fd = -EBADF;
        m->is_merged = flags & TREE_MAKER_MERGE;
        m->is_layer = flags & TREE_MAKER_LAYER;
        if (backend == STORE_TREE_DIR && flags == 0)
                r = open_entries(m, e);
        else {
                r = erofs_tree_new(m->is_layer ? EROFS_TREE_REPLACE : 0, &m->tree);
                if (r < 0)
                        r = error_setf(e, r, "cannot begin a tree: %s", strerror(-r));
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

/**
 * tree_maker_free() - end it; what was not committed is nowhere
 * @m: may be NULL
 *
 * Return: NULL.
 */
TreeMaker *tree_maker_free(TreeMaker *m) {
        if (!m)
                return NULL;
        erofs_tree_free(m->tree);
        erofs_tree_free(m->part);
        strv_free(m->whitelist);
        strv_free(m->marks);
        (void) fd_close(m->entries_fd);
        strbuf_done(&m->entries);
        free(m);
        return NULL;
}

static int flush_entries(TreeMaker *m, size_t at_least, Error *e) {
        int r;

        if (m->entries.size <= at_least)
                return 0;
        r = fd_write_all(m->entries_fd, m->entries.data, m->entries.size);
        m->entries.size = 0;
        return r < 0 ? error_setf(e, r, "cannot write to '%s/cas/tmp': %s", m->store->dir, strerror(-r)) : 0;
}

static int write_frame(TreeMaker *m, FrameType type, const void *data, size_t size, Error *e) {
        FrameHeader h = { .type = (uint32_t) type, .size = (uint32_t) size };

        strbuf_add_n(&m->entries, (const char *) &h, sizeof(h));
        strbuf_add_n(&m->entries, data, size);
        if (m->entries.failed)
                return error_oom(e);
        m->n_entries++;
        return flush_entries(m, ENTRIES_BUFFER, e);
}

static int write_entry(TreeMaker *m, const TarEntry *t, Error *e) {
        _cleanup_free_ uint8_t *data = NULL;
        size_t size;
        int r = frame_encode_entry(t, &data, &size);

        return r < 0 ? error_setf(e, r, "cannot keep an entry: %s", strerror(-r))
                     : write_frame(m, FRAME_ENTRY, data, size, e);
}

/**
 * tree_maker_entry() - one more object
 * @m: maker
 * @t: entry that was checked; what of it is kept is copied
 * @e: sentence on failure, naming the entry; may be NULL
 *
 * Return: 0, -ENOMEM, -ENOSPC; -ENOTUNIQ, -EBADMSG, -ELOOP (it contradicts another one; with plain files
 * tree_maker_write() says so).
 */
int tree_maker_entry(TreeMaker *m, const TarEntry *t, Error *e) {
        return m->entries_fd >= 0 ? write_entry(m, t, e)
                                  : erofs_tree_add(m->part ? m->part : m->tree, t, m->device, e);
}

static int name_error(const char *path, int r, Error *e) {
        char buffer[TAR_NAME_ESCAPED_MAX];

        return r < 0 ? error_prefixf(e, r, "whiteout in '%s'", tar_name_escape(path, buffer)) : 0;
}

/**
 * tree_maker_whiteout() - a layer says that something of the layers below is not there
 * @m:    maker of layers
 * @path: of it, as in entries
 * @e:    sentence on failure, naming it; may be NULL
 *
 * Return: 0, -EPROTO (no layer), -EBADMSG, -ELOOP (its folder is none), -E2BIG, -ENOMEM.
 */
int tree_maker_whiteout(TreeMaker *m, const char *path, Error *e) {
        if (!m->is_layer || *path == '\0')
                return error_setf(e, -EPROTO, "a whiteout that cannot be");
        return name_error(path, erofs_tree_add_whiteout(m->part ? m->part : m->tree, path, e), e);
}

/**
 * tree_maker_opaque() - a layer says that nothing that the layers below have in a directory is there
 * @m:    maker of layers
 * @path: of the directory, as in entries
 * @e:    sentence on failure, naming it; may be NULL
 *
 * Return: as tree_maker_whiteout().
 */
int tree_maker_opaque(TreeMaker *m, const char *path, Error *e) {
        if (!m->is_layer)
                return error_setf(e, -EPROTO, "a whiteout that cannot be");
        return name_error(path, erofs_tree_set_opaque(m->part ? m->part : m->tree, path, e), e);
}

/* Cuts a part down, and lays it over those before it. */
static int finish_part(TreeMaker *m, Error *e) {
        static const char *const nothing[] = { NULL };
        int r = 0;

        if (!m->part)
                return 0;
        if (m->has_whitelist)
                r = erofs_tree_keep(m->part, m->whitelist ? (const char *const *) m->whitelist : nothing, 0,
                                    e);
        if (r >= 0)
                r = erofs_tree_merge(m->tree, m->part, e);
        m->part = erofs_tree_free(m->part);
        m->whitelist = strv_free(m->whitelist);
        return r;
}

/**
 * tree_maker_part() - what comes now is of another image, and lies over what came before
 * @m:      maker that merges
 * @part:   image; copied
 * @device: its place among the blobs of tree_maker_write()
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0, -ENOMEM, -E2BIG (too much for one tree).
 */
int tree_maker_part(TreeMaker *m, const StoreTreePart *part, unsigned device, Error *e) {
        int r = finish_part(m, e);

        if (r < 0)
                return r;
        m->device = device;
        m->has_whitelist = part->whitelist;
        r = erofs_tree_new(m->is_layer ? EROFS_TREE_REPLACE : 0, &m->part);
        if (r >= 0 && part->whitelist)
                r = strv_copy(part->whitelist, &m->whitelist);
        return r < 0 ? error_setf(e, r, "cannot begin a tree: %s", strerror(-r)) : 0;
}

/* A tree without this list is made from the blob of its own name. */
static int write_devices(int tree_fd, const TreeBlob *blobs, size_t n_blobs) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        FOREACH_ARRAY (blob, blobs, n_blobs)
                strbuf_addf(&b, "%s\n", blob->key);
        return b.failed ? -ENOMEM : file_write_at(tree_fd, TREE_DEVICES_NAME, b.data, b.size, 0600, 0);
}

/* What one must know of a layer before its tree is stacked; on disk with the tree. */
static int write_markers(const ErofsTree *t, int tree_fd) {
        int r = 0;

        if (erofs_tree_is_opaque(t))
                r = file_write_at(tree_fd, TREE_OPAQUE_NAME, "", 0, 0600, FILE_WRITE_NO_SYNC);
        if (r >= 0 && erofs_tree_has_root(t))
                r = file_write_at(tree_fd, TREE_ROOT_NAME, "", 0, 0600, FILE_WRITE_NO_SYNC);
        if (r >= 0 && erofs_tree_has_implied(t))
                r = file_write_at(tree_fd, TREE_IMPLIED_NAME, "", 0, 0600, FILE_WRITE_NO_SYNC);
        return r;
}

/* The walk says what a layer takes away as overlayfs wants it. rkt-untar may make devices 0:0, by a frame of their own, but
 * not set attributes that begin with "trusted.": those are noted, and the entry goes without. It is lent, but their order
 * does not matter. */
static int keep_entry(void *userdata, const TarEntry *t, unsigned device, Error *e) {
        TreeMaker *m = userdata;
        TarEntry entry = *t;

        if (m->is_layer && t->type == TAR_CHRDEV && (t->major | t->minor) == 0)
                return write_frame(m, FRAME_WHITEOUT, t->path, strlen(t->path), e);
        entry.device = (uint16_t) device;
        for (size_t i = 0; m->is_layer && i < entry.n_xattrs;) {
                TarXattr x = entry.xattrs[i];

                if (!startswith(x.name, "trusted.")) {
                        i++;
                        continue;
                }
                if (strv_extend(&m->marks, x.name) < 0 || strv_extend(&m->marks, t->path) < 0)
                        return error_oom(e);
                entry.xattrs[i] = entry.xattrs[--entry.n_xattrs];
                entry.xattrs[entry.n_xattrs] = x;
        }
        return write_entry(m, &entry, e);
}

/* What a user's own store lacks so, nobody can mount anyway. */
static int set_marks(const TreeMaker *m, int tree_fd, Error *e) {
        _cleanup_close_ int root =
                openat(tree_fd, tree_dir.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (root < 0)
                return error_setf(e, -errno, "cannot open a tree in '%s/cas/tmp': %m", m->store->dir);
        for (char *const *p = m->marks; p && *p && geteuid() == 0; p += 2) {
                const char *value = streq(*p, EROFS_OPAQUE) ? "y" : "";
                _cleanup_close_ int fd =
                        root_open(root, *p[1] ? p[1] : "/", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

                if (fd < 0 || fsetxattr(fd, *p, value, strlen(value), 0) < 0)
                        return error_setf(e, fd < 0 ? fd : -errno,
                                          "cannot set the attribute '%s' in '%s/cas/tmp': %s", *p,
                                          m->store->dir, strerror(fd < 0 ? -fd : errno));
        }
        return 0;
}

static int write_files(TreeMaker *m, int tree_fd, const TreeBlob *blobs, size_t n_blobs, uint64_t *ret_size,
                       Error *e) {
        int r = 0;

        if (m->tree) {
                r = open_entries(m, e);
                if (r >= 0)
                        r = erofs_tree_walk(m->tree, keep_entry, m, e);
        }
        if (r >= 0)
                r = flush_entries(m, 0, e);
        if (r >= 0)
                r = tree_dir_write(m->store, m->entries_fd, m->n_entries, blobs, n_blobs, tree_fd, ret_size,
                                   e);
        if (r >= 0)
                r = set_marks(m, tree_fd, e);
        if (r < 0)
                return r;
        return syncfs(tree_fd) < 0 ? error_setf(e, -errno, "cannot sync '%s': %m", m->store->dir) : 0;
}

/* The same blobs give the same bytes. */
static void make_uuid(const TreeBlob *blobs, size_t n_blobs, uint8_t uuid[EROFS_UUID_SIZE]) {
        memset(uuid, 0, EROFS_UUID_SIZE);
        FOREACH_ARRAY (b, blobs, n_blobs) {
                const char *hex = b->key + STORE_KEY_PREFIX_SIZE;
                uint8_t bytes[EROFS_UUID_SIZE];

                if (hex_to_bytes(hex, 2 * sizeof(bytes), bytes) < 0)
                        continue;
                for (size_t i = 0; i < sizeof(bytes); i++)
                        uuid[i] = (uint8_t) ((uuid[i] << 1 | uuid[i] >> 7) ^ bytes[i]);
        }
}

static int write_erofs(TreeMaker *m, int tree_fd, const TreeBlob *blobs, size_t n_blobs, uint64_t *ret_size,
                       Error *e) {
        bool is_image = m->backend == STORE_TREE_IMAGE;
        _cleanup_free_ ErofsDevice *devices = new0(ErofsDevice, n_blobs);
        _cleanup_close_ int fd = openat(tree_fd, is_image ? tree_image.name : tree_index.name,
                                        O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        uint8_t uuid[EROFS_UUID_SIZE];
        int r;

        if (!devices)
                return error_oom(e);
        if (fd < 0)
                return error_setf(e, -errno, "cannot create a tree in '%s/cas/tmp': %m", m->store->dir);
        for (size_t i = 0; i < n_blobs; i++)
                devices[i] = (ErofsDevice){ .fd = blobs[i].fd, .tag = blobs[i].key };
        make_uuid(blobs, n_blobs, uuid);
        r = is_image ? erofs_write_image(m->tree, devices, n_blobs, uuid, fd, ret_size, e)
                     : erofs_write_index(m->tree, devices, n_blobs, uuid, fd, ret_size, e);
        if (r < 0)
                return r;
        if (fsync(fd) < 0 || fsync(tree_fd) < 0)
                return error_setf(e, -errno, "cannot sync a tree in '%s/cas/tmp': %m", m->store->dir);
        return 0;
}

/**
 * tree_maker_write() - make the tree, synced, where nobody looks for it
 * @m:        maker, which has every entry
 * @tmp_fd:   directory from store_tmp_new(); "tree" is made in it
 * @blobs:    those that parts or entries were said to be in, each open for reading
 * @n_blobs:  count
 * @ret_size: bytes that it takes beside the blobs
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0; -ENOTUNIQ, -EBADMSG, -ELOOP (entries that contradict each other), -ENOSPC, -EDQUOT, -EIO, -EPROTO, -E2BIG.
 */
int tree_maker_write(TreeMaker *m, int tmp_fd, const TreeBlob *blobs, size_t n_blobs, uint64_t *ret_size,
                     Error *e) {
        _cleanup_close_ int tree = -EBADF;
        int r = finish_part(m, e);

        if (r < 0)
                return r;
        if (m->is_layer && !m->is_merged)
                r = erofs_tree_settle(m->tree, e);
        if (r < 0)
                return r;
        if (mkdirat(tmp_fd, TREE_TMP_NAME, 0700) < 0)
                return error_setf(e, -errno, "cannot create a tree in '%s/cas/tmp': %m", m->store->dir);
        tree = openat(tmp_fd, TREE_TMP_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (tree < 0)
                return error_setf(e, -errno, "cannot open a tree in '%s/cas/tmp': %m", m->store->dir);
        if (m->is_merged)
                r = write_devices(tree, blobs, n_blobs);
        else if (m->is_layer)
                r = write_markers(m->tree, tree);
        if (r < 0)
                return error_setf(e, r, "cannot write to '%s/cas/tmp': %s", m->store->dir, strerror(-r));
        return m->backend == STORE_TREE_DIR ? write_files(m, tree, blobs, n_blobs, ret_size, e)
                                            : write_erofs(m, tree, blobs, n_blobs, ret_size, e);
}

/**
 * tree_maker_walk() - hand out what would be made
 * @m:        maker that merges, which has every entry
 * @visit:    gets each entry
 * @userdata: for it
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0, -ENOMEM, -E2BIG, what @visit returned.
 */
int tree_maker_walk(TreeMaker *m, ErofsTreeVisit visit, void *userdata, Error *e) {
        int r = finish_part(m, e);

        return r < 0 ? r : erofs_tree_walk(m->tree, visit, userdata, e);
}
