/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Collects entries and makes a tree of them. So far: plain files, which rkt-untar makes in the end. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/tmpfile.h"
#include "store/frame.h"
#include "store/store-internal.h"
#include "store/tree-backend.h"

#define ENTRIES_BUFFER (128U * 1024)

struct TreeMaker {
        Store *store;
        StoreTreeBackend backend;
        size_t n_parts;
        uint64_t n_entries;
        int entries_fd; /* frames, a file without a name */
        StrBuf entries; /* not yet written there */
};

/**
 * tree_maker_new() - begin a tree, of one blob for now
 * @s:       store, must outlive it
 * @backend: from store_tree_choose()
 * @ret:     for tree_maker_free()
 * @e:       sentence on failure; may be NULL
 *
 * Return: 0, -ENOMEM, -ENOSPC, other errno of open().
 */
int tree_maker_new(Store *s, StoreTreeBackend backend, TreeMaker **ret, Error *e) {
        _cleanup_(tree_maker_freep) TreeMaker *m = new0(TreeMaker, 1);
        _cleanup_close_ int tmp = -EBADF;
        int r;

        if (!m)
                return error_oom(e);
        m->store = s;
        m->backend = backend;
        m->n_parts = 1;
        m->entries_fd = -EBADF;
        tmp = openat(s->cas_fd, "tmp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        r = tmp < 0 ? -errno : tmpfile_open_at(tmp, 0600, &m->entries_fd);
        if (r < 0)
                return error_setf(e, r, "cannot create a file in '%s/cas/tmp': %s", s->dir, strerror(-r));
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

/**
 * tree_maker_entry() - one more object
 * @m: maker
 * @t: entry that was checked; what of it is kept is copied
 * @e: sentence on failure, naming the entry; may be NULL
 *
 * Return: 0, -ENOMEM, -ENOSPC; -ENOTUNIQ, -EBADMSG, -ELOOP (it contradicts another one; some backends say so only in
 * tree_maker_write()).
 */
int tree_maker_entry(TreeMaker *m, const TarEntry *t, Error *e) {
        _cleanup_free_ uint8_t *data = NULL;
        FrameHeader h = { .type = FRAME_ENTRY };
        size_t size;
        int r = frame_encode_entry(t, &data, &size);

        if (r < 0)
                return error_setf(e, r, "cannot keep an entry: %s", strerror(-r));
        h.size = (uint32_t) size;
        strbuf_add_n(&m->entries, (const char *) &h, sizeof(h));
        strbuf_add_n(&m->entries, (const char *) data, size);
        if (m->entries.failed)
                return error_oom(e);
        m->n_entries++;
        return flush_entries(m, ENTRIES_BUFFER, e);
}

/**
 * tree_maker_next() - what comes now is in the next blob, and lies over what was there
 * @m: maker
 * @e: sentence on failure; may be NULL
 *
 * Return: 0, -EOPNOTSUPP.
 */
int tree_maker_next(TreeMaker *m, Error *e) {
        m->n_parts++;
        return error_setf(e, -EOPNOTSUPP, "a tree of several blobs cannot be made yet");
}

static int write_devices(int tree_fd, const TreeBlob *blobs, size_t n_blobs) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        FOREACH_ARRAY (blob, blobs, n_blobs)
                strbuf_addf(&b, "%s\n", blob->key);
        return b.failed ? -ENOMEM
                        : file_write_at(tree_fd, "devices", b.data, b.size, 0600, FILE_WRITE_NO_SYNC);
}

/**
 * tree_maker_write() - make the tree, synced, where nobody looks for it
 * @m:        maker, which has every entry
 * @tmp_fd:   directory from store_tmp_new(); "tree" is made in it
 * @blobs:    as many as there are parts, each open for reading
 * @n_blobs:  count
 * @ret_size: bytes that it takes beside the blobs
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0; -ENOTUNIQ, -EBADMSG, -ELOOP (entries that contradict each other), -ENOSPC, -EDQUOT, -EIO, -EPROTO.
 */
int tree_maker_write(TreeMaker *m, int tmp_fd, const TreeBlob *blobs, size_t n_blobs, uint64_t *ret_size,
                     Error *e) {
        _cleanup_close_ int tree = -EBADF;
        int r;

        assert(n_blobs == m->n_parts);
        r = flush_entries(m, 0, e);
        if (r < 0)
                return r;
        if (mkdirat(tmp_fd, TREE_TMP_NAME, 0700) < 0)
                return error_setf(e, -errno, "cannot create a tree in '%s/cas/tmp': %m", m->store->dir);
        tree = openat(tmp_fd, TREE_TMP_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (tree < 0)
                return error_setf(e, -errno, "cannot open a tree in '%s/cas/tmp': %m", m->store->dir);
        r = write_devices(tree, blobs, n_blobs);
        if (r < 0)
                return error_setf(e, r, "cannot write to '%s/cas/tmp': %s", m->store->dir, strerror(-r));
        r = tree_dir_write(m->store, m->entries_fd, m->n_entries, blobs[0].fd, tree, ret_size, e);
        if (r < 0)
                return r;
        return syncfs(tree) < 0 ? error_setf(e, -errno, "cannot sync '%s': %m", m->store->dir) : 0;
}
