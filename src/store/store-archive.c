/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The trusted side: starts the worker, believes nothing of what it says but bounds, and looks names up. */
#include "store/store-archive.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "basic/process.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "basic/worker.h"
#include "store/frame.h"
#include "store/store-internal.h"

#define PIPE_SIZE (1024 * 1024)
#define LINKS_MAX 8 /* one after the other */

typedef struct ArchiveEntry {
        char *path; /* without "./" in front */
        char *link; /* symbolic and hard links: what they lead to, from the top of the archive; NULL: a file */
        uint64_t offset;
        uint64_t size;
} ArchiveEntry;

struct StoreArchive {
        StoreImportLimits limits;
        int fd; /* an uncompressed tar */
        bool copied;
        uint64_t size; /* of it */
        ArchiveEntry *entries;
        size_t n_entries;
        uint64_t last_byte; /* the highest one that an entry has */
};

/**
 * store_archive_close() - free
 * @a: may be NULL
 *
 * Return: NULL.
 */
StoreArchive *store_archive_close(StoreArchive *a) {
        if (!a)
                return NULL;
        FOREACH_ARRAY (x, a->entries, a->n_entries) {
                free(x->path);
                free(x->link);
        }
        free(a->entries);
        (void) fd_close(a->fd);
        free(a);
        return NULL;
}

/**
 * store_archive_fd() - the archive, uncompressed
 * @a: archive
 *
 * Return: a descriptor for pread(), owned by @a.
 */
int store_archive_fd(const StoreArchive *a) {
        return a->fd;
}

/* "./a//b/." is "a/b"; what leads out of the archive is nothing. */
static int clean(const char *path, const char *beneath, char **ret) {
        _cleanup_strv_free_ char **parts = NULL, **kept = NULL;
        _cleanup_free_ char *whole = strf("%s/%s", beneath, path);
        size_t n = 0;

        if (!whole || strv_split(whole, "/", &parts) < 0)
                return -ENOMEM;
        kept = new0(char *, strv_length(parts) + 1);
        if (!kept)
                return -ENOMEM;
        STRV_FOREACH (p, parts) {
                if (streq(*p, "."))
                        continue;
                if (streq(*p, "..")) {
                        if (n == 0)
                                return -EINVAL;
                        n--;
                        free(TAKE_PTR(kept[n]));
                        continue;
                }
                kept[n] = strdup(*p);
                if (!kept[n++])
                        return -ENOMEM;
        }
        if (n == 0)
                return -EINVAL;
        return strv_join(kept, "/", ret);
}

static int make_entry(const TarEntry *t, ArchiveEntry *ret) {
        _cleanup_free_ char *path = NULL, *link = NULL, *folder = NULL;
        const char *slash;
        int r;

        r = clean(t->path, "", &path);
        if (r >= 0 && t->link) {
                slash = strrchr(path, '/');
                folder = strndup(path, slash && t->type == TAR_SYMLINK && *t->link != '/'
                                               ? (size_t) (slash - path)
                                               : 0);
                r = folder ? clean(t->link, folder, &link) : -ENOMEM;
        }
        if (r < 0)
                return r;
        *ret = (ArchiveEntry){ .path = TAKE_PTR(path),
                               .link = TAKE_PTR(link),
                               .offset = t->n_segments > 0 ? t->segments[0].source : 0,
                               .size = t->size };
        return 0;
}

static int take_entry(StoreArchive *a, const uint8_t *data, size_t size, Error *e) {
        _cleanup_(tar_entry_done) TarEntry t = TAR_ENTRY_INIT;
        int r;

        r = frame_decode_entry(data, size, &t);
        if (r < 0)
                return error_setf(e, r == -ENOMEM ? r : -EPROTO, "rkt-parse sent an entry that cannot be");
        if (t.n_segments > 1 || (t.n_segments == 0 && t.size > 0) ||
            (t.n_segments == 1 && t.segments[0].size != t.size))
                return error_setf(e, -EPROTO, "rkt-parse sent an entry that cannot be");
        if (a->n_entries >= STORE_ARCHIVE_ENTRIES_MAX)
                return error_setf(e, -E2BIG, "the archive has more than %u files", STORE_ARCHIVE_ENTRIES_MAX);
        if (!GREEDY_GROW(a->entries, a->n_entries))
                return error_oom(e);
        r = make_entry(&t, &a->entries[a->n_entries]);
        if (r == -ENOMEM)
                return error_oom(e);
        if (r < 0) /* it leads out of the archive, so nobody can ask for it */
                return 0;
        if (t.n_segments == 1)
                a->last_byte = MAX(a->last_byte, t.segments[0].source + t.size);
        a->n_entries++;
        return 0;
}

static int take_data(StoreArchive *a, const uint8_t *data, size_t size, Error *e) {
        int r;

        if (!a->copied || size > a->limits.size_max - a->size)
                return error_setf(e, -EPROTO, "rkt-parse sent more bytes than it may");
        a->size += size;
        r = fd_write_all(a->fd, data, size);
        return r < 0 ? error_setf(e, r, "cannot unpack it in the store: %s", strerror(-r)) : 0;
}

static int take_end(StoreArchive *a, const uint8_t *data, size_t size, Error *e) {
        FrameEnd end;

        if (frame_decode_end(data, size, &end) < 0 || end.size != a->size || a->last_byte > a->size)
                return error_setf(e, -EPROTO, "rkt-parse contradicts itself");
        return 1;
}

static int take_frames(StoreArchive *a, int fd, Error *e) {
        FrameReader reader = FRAME_READER_INIT;
        bool complete = false;
        int r;

        reader.fd = fd;
        for (;;) {
                const uint8_t *data = NULL;
                size_t size = 0;
                FrameType type;

                r = frame_read(&reader, &type, &data, &size, e);
                if (r <= 0)
                        break;
                if (complete)
                        r = error_setf(e, -EPROTO, "rkt-parse goes on after its end");
                else if (type == FRAME_ENTRY)
                        r = take_entry(a, data, size, e);
                else if (type == FRAME_DATA)
                        r = take_data(a, data, size, e);
                else if (type == FRAME_END)
                        r = take_end(a, data, size, e);
                else
                        r = type == FRAME_ERROR ? frame_decode_error(data, size, e)
                                                : error_setf(e, -EPROTO, "rkt-parse sent an unknown frame");
                if (r < 0)
                        break;
                complete = complete || r > 0;
        }
        frame_reader_done(&reader);
        if (r == 0 && !complete)
                r = error_setf(e, -EPROTO, "rkt-parse ended without a word; see the system's log");
        return r;
}

static int walk(StoreArchive *a, int source, Error *e) {
        const StoreImportLimits *l = &a->limits;
        _cleanup_close_ int frames = -EBADF, out = -EBADF;
        _cleanup_(process_done) Process parse = PROCESS_INIT;
        char numbers[5][24], list[] = "list", list_data[] = "list-data";
        char *argv[] = {
                (char[]){ "rkt-parse" },      numbers[0], numbers[1], numbers[2], numbers[3], numbers[4],
                a->copied ? list_data : list, NULL
        };
        const uint64_t values[] = { l->size_max, l->entries_max, l->ratio_max, l->ratio_after,
                                    l->manifest_max };
        int fds[2], r, status;

        for (size_t i = 0; i < ELEMENTSOF(values); i++)
                (void) snprintf(numbers[i], sizeof(numbers[i]), "%" PRIu64, values[i]);
        if (pipe2(fds, O_CLOEXEC) < 0)
                return error_setf(e, -errno, "cannot make a pipe: %s", strerror(errno));
        frames = fds[0];
        out = fds[1];
        (void) fcntl(out, F_SETPIPE_SZ, PIPE_SIZE);
        r = worker_spawn("rkt-parse", "rkt-parse", argv, (const int[]){ source, out, STDERR_FILENO }, 3,
                         &parse, e);
        if (r < 0)
                return r;
        (void) fd_close(TAKE_FD(out));
        r = take_frames(a, frames, e);
        (void) fd_close(TAKE_FD(frames));
        if (r < 0)
                return r;
        r = process_reap(&parse, &status, e);
        return r < 0 || status == 0 ? r : error_setf(e, -EPROTO, "rkt-parse failed with status %d", status);
}

/* By the first bytes of what gzip, zstd, bzip2 and xz write: no tar begins so. */
static bool is_compressed(int fd) {
        static const char *const magics[] = { "\x1f\x8b", "\x28\xb5\x2f\xfd", "BZh", "\xfd\x37zXZ" };
        char head[6] = "";

        if (pread(fd, head, sizeof(head), 0) <= 0)
                return false;
        FOREACH_ARRAY (m, magics, ELEMENTSOF(magics))
                if (memcmp(head, *m, strlen(*m)) == 0)
                        return true;
        return false;
}

static int open_copy(Store *s, int *ret_fd, Error *e) {
        _cleanup_close_ int tmp = openat(s->cas_fd, "tmp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int r = tmp < 0 ? -errno : tmpfile_open_at(tmp, 0600, ret_fd);

        return r < 0 ? error_setf(e, r, "cannot write to '%s/cas/tmp': %s", s->dir, strerror(-r)) : 0;
}

/**
 * store_archive_open() - find out what is in an archive
 * @s:      opened for writing
 * @path:   of a tar, which may be compressed; the user's, so links are followed
 * @limits: size_max and ratio_max for what was compressed, entries_max
 * @ret:    for store_archive_close()
 * @e:      sentence on failure, with the path; may be NULL
 *
 * Return: 0; -ENOENT and others of open(), -EINVAL (no file), -EBADMSG (no tar, damaged), -E2BIG, -EPROTO (the worker broke
 * down), -ENOSPC.
 */
int store_archive_open(Store *s, const char *path, const StoreImportLimits *limits, StoreArchive **ret,
                       Error *e) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        _cleanup_(store_archive_closep) StoreArchive *a = NULL;
        struct stat st;
        int r = 0;

        if (fd < 0 || fstat(fd, &st) < 0)
                return error_setf(e, -errno, "cannot open '%s': %s", path, strerror(errno));
        if (!S_ISREG(st.st_mode))
                return error_setf(e, -EINVAL, "cannot use '%s': it is not a regular file", path);
        a = new0(StoreArchive, 1);
        if (!a)
                return error_oom(e);
        a->limits = *limits;
        a->fd = -EBADF;
        a->copied = is_compressed(fd);
        if (a->copied)
                r = open_copy(s, &a->fd, e);
        else
                a->size = (uint64_t) st.st_size;
        if (r >= 0)
                r = walk(a, fd, e);
        if (r < 0)
                return error_prefixf(e, r, "'%s'", path);
        if (!a->copied)
                a->fd = TAKE_FD(fd);
        *ret = TAKE_PTR(a);
        return 0;
}

static int find(const StoreArchive *a, const char *path, const ArchiveEntry **ret, Error *e) {
        *ret = NULL;
        FOREACH_ARRAY (x, a->entries, a->n_entries) {
                if (!streq(x->path, path))
                        continue;
                if (*ret)
                        return error_setf(e, -ENOTUNIQ, "the archive has '%s' twice", path);
                *ret = x;
        }
        return *ret ? 0 : error_setf(e, -ENOENT, "there is no file '%s' in the archive", path);
}

/**
 * store_archive_find() - where a file is
 * @a:          archive
 * @path:       from its top; links in the archive are followed, but no directory that is one
 * @ret_offset: in store_archive_fd()
 * @ret_size:   bytes
 * @e:          sentence on failure; may be NULL
 *
 * Return: 0, -ENOENT, -ENOTUNIQ (it is there twice), -ELOOP.
 */
int store_archive_find(const StoreArchive *a, const char *path, uint64_t *ret_offset, uint64_t *ret_size,
                       Error *e) {
        const char *next = path;

        for (unsigned i = 0; i <= LINKS_MAX; i++) {
                const ArchiveEntry *x;
                int r = find(a, next, &x, e);

                if (r < 0)
                        return r;
                assert(x);
                if (!x->link) {
                        *ret_offset = x->offset;
                        *ret_size = x->size;
                        return 0;
                }
                next = x->link;
        }
        return error_setf(e, -ELOOP, "'%s' in the archive is a link that leads nowhere", path);
}
