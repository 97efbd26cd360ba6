/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Spools of downloads. See store-spool.h for what they are and what they are not. */
#include "store/store-spool.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "basic/digest.h"
#include "basic/fd.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "store/store-internal.h"

#define MAGIC       "rkt-download 1"
#define BOOT_ID     "/proc/sys/kernel/random/boot_id"
#define BOOT_ID_MAX 64U
#define ROOM_FACTOR 8U /* so many times the download must be free */
#define PATH_PREFIX "tmp/download-"

struct StoreSpool {
        Store *store;
        char *path; /* beneath cas */
        char *boot;
        int fd; /* -EBADF: there is nothing */
        char *tag;
        uint64_t size, total;
};

/**
 * store_spool_free() - let go of it; what is in it stays
 * @p: may be NULL
 *
 * Return: NULL.
 */
StoreSpool *store_spool_free(StoreSpool *p) {
        if (!p)
                return NULL;
        (void) fd_close(p->fd);
        free(p->path);
        free(p->boot);
        free(p->tag);
        free(p);
        return NULL;
}

/**
 * store_spool_head_parse() - read what stands before the bytes
 * @data:      @size bytes
 * @size:      bytes
 * @boot:      ID of this boot
 * @ret_tag:   for free()
 * @ret_total: bytes of the whole, not 0
 *
 * Return: 0, -EBADMSG (damaged), -ESTALE (of another boot), -ENOMEM.
 */
int store_spool_head_parse(const char *data, size_t size, const char *boot, char **ret_tag,
                           uint64_t *ret_total) {
        _cleanup_strv_free_ char **lines = NULL;
        _cleanup_free_ char *text = strndup(data, size);
        const char *boot_found, *tag, *total;
        uint64_t n;

        if (!text || strv_split(text, "\n", &lines) < 0)
                return -ENOMEM;
        if (strv_length(lines) != 4 || !streq(lines[0], MAGIC) || text[strlen(text) - 1] != '\n')
                return -EBADMSG;
        boot_found = startswith(lines[1], "boot ");
        tag = startswith(lines[2], "tag ");
        total = startswith(lines[3], "total ");
        if (!boot_found || !tag || !*tag || strlen(tag) > STORE_SPOOL_TAG_MAX || !total ||
            parse_uint64(total, &n) < 0 || n == 0)
                return -EBADMSG;
        if (!streq(boot_found, boot))
                return -ESTALE;
        *ret_tag = strdup(tag);
        *ret_total = n;
        return *ret_tag ? 0 : -ENOMEM;
}

static void forget(StoreSpool *p) {
        p->fd = fd_close(p->fd);
        free(TAKE_PTR(p->tag));
        p->size = p->total = 0;
}

/* All or nothing. */
static int load(StoreSpool *p) {
        char head[STORE_SPOOL_HEAD_SIZE];
        struct stat st;
        int r;

        p->fd = openat(p->store->cas_fd, p->path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (p->fd < 0 || fstat(p->fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || (uint64_t) st.st_size <= sizeof(head) ||
            fd_read_full(p->fd, head, sizeof(head)) != sizeof(head))
                return -EBADMSG;
        r = store_spool_head_parse(head, sizeof(head), p->boot, &p->tag, &p->total);
        if (r < 0)
                return r;
        p->size = (uint64_t) st.st_size - sizeof(head);
        if (p->size > p->total)
                return -EBADMSG;
        /* All is here, but whoever got it did not live to use it. Asking for the last byte again shows whether it is still
         * that version. */
        if (p->size == p->total)
                p->size--;
        if (p->size == 0 || ftruncate(p->fd, (off_t) (p->size + sizeof(head))) < 0 ||
            lseek(p->fd, 0, SEEK_END) < 0 || futimens(p->fd, NULL) < 0)
                return -EBADMSG;
        return 0;
}

static int make_path(const char *url, char **ret) {
        _cleanup_(digest_freep) Digest *d = NULL;
        char hex[DIGEST_HEX_MAX];

        if (digest_new(DIGEST_SHA512, &d) < 0 || digest_update(d, url, strlen(url)) < 0 ||
            digest_final_hex(d, hex) < 0)
                return -ENOMEM;
        *ret = strf(PATH_PREFIX "%.*s", STORE_KEY_HEX, hex);
        return *ret ? 0 : -ENOMEM;
}

/**
 * store_spool_open() - what is there of a URL
 * @s:   store, must outlive the spool
 * @url: the caller has its lock
 * @ret: for store_spool_free(); store_spool_size() is 0 if nothing useful is there, what is useless was removed
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, -ENOMEM, -EROFS, errno of reading the boot's ID.
 */
int store_spool_open(Store *s, const char *url, StoreSpool **ret, Error *e) {
        _cleanup_(store_spool_freep) StoreSpool *p = new0(StoreSpool, 1);
        size_t size;
        int r;

        if (!p)
                return error_oom(e);
        p->store = s;
        p->fd = -EBADF;
        if (s->read_only)
                return error_setf(e, -EROFS, "the store '%s' is open for reading only", s->dir);
        r = file_read_at(AT_FDCWD, BOOT_ID, BOOT_ID_MAX, &p->boot, &size);
        if (r < 0)
                return error_setf(e, r, "cannot read '" BOOT_ID "': %s", strerror(-r));
        (void) str_strip(p->boot);
        if (make_path(url, &p->path) < 0)
                return error_oom(e);
        if (load(p) < 0)
                store_spool_remove(p);
        *ret = TAKE_PTR(p);
        return 0;
}

/**
 * store_spool_size() - how much is there
 * @p: spool
 *
 * Return: bytes, fewer than store_spool_total(); 0: nothing.
 */
uint64_t store_spool_size(const StoreSpool *p) {
        return p->size;
}

/**
 * store_spool_total() - how much there will be
 * @p: spool with something in it
 *
 * Return: bytes.
 */
uint64_t store_spool_total(const StoreSpool *p) {
        return p->total;
}

/**
 * store_spool_tag() - of which version it is
 * @p: spool
 *
 * Return: the server's tag, owned by @p; NULL: there is nothing.
 */
const char *store_spool_tag(const StoreSpool *p) {
        return p->tag;
}

/* The image is unpacked on the same disk, and needs its room more than the copy does. */
static bool has_room(const StoreSpool *p, uint64_t total) {
        struct statvfs v;

        return fstatvfs(p->store->cas_fd, &v) >= 0 &&
               (uint64_t) v.f_bavail * v.f_frsize / ROOM_FACTOR >= total;
}

/**
 * store_spool_begin() - forget what is there, and begin anew
 * @p:     spool
 * @tag:   of the version, one line
 * @total: bytes of the whole, not 0
 *
 * Return: 0, -EINVAL (no such tag), -ENOSPC (too little room for a mere copy), -ENOMEM, errno of open() and write(); nothing is there then.
 */
int store_spool_begin(StoreSpool *p, const char *tag, uint64_t total) {
        char head[STORE_SPOOL_HEAD_SIZE] = {};
        int r;

        store_spool_remove(p);
        if (!*tag || strlen(tag) > STORE_SPOOL_TAG_MAX || strchr(tag, '\n') || total == 0)
                return -EINVAL;
        (void) snprintf(head, sizeof(head), MAGIC "\nboot %s\ntag %s\ntotal %" PRIu64 "\n", p->boot, tag,
                        total);
        if (!has_room(p, total))
                return -ENOSPC;
        p->tag = strdup(tag);
        if (!p->tag)
                return -ENOMEM;
        p->total = total;
        p->fd = openat(p->store->cas_fd, p->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        r = p->fd < 0 ? -errno : fd_write_all(p->fd, head, sizeof(head));
        if (r < 0)
                store_spool_remove(p);
        return r;
}

/**
 * store_spool_append() - more bytes
 * @p:    spool after store_spool_begin(), or with something in it
 * @data: @size bytes
 * @size: bytes
 *
 * Return: 0, -ENOSPC and others of write(): the spool is gone then, and further bytes are not taken.
 */
int store_spool_append(StoreSpool *p, const void *data, size_t size) {
        int r;

        if (p->fd < 0)
                return -EBADF;
        r = fd_write_all(p->fd, data, size);
        if (r < 0)
                store_spool_remove(p);
        else
                p->size += size;
        return r;
}

/**
 * store_spool_read() - bytes that are there
 * @p:        spool
 * @offset:   of the first one, less than store_spool_size()
 * @buffer:   @size bytes
 * @size:     not 0
 * @ret_size: bytes, not 0
 *
 * Return: 0, -EIO and others of pread().
 */
int store_spool_read(StoreSpool *p, uint64_t offset, void *buffer, size_t size, size_t *ret_size) {
        ssize_t n;

        if (offset >= p->size)
                return -EINVAL;
        do
                n = pread(p->fd, buffer, MIN((uint64_t) size, p->size - offset),
                          (off_t) (offset + STORE_SPOOL_HEAD_SIZE));
        while (n < 0 && errno == EINTR);
        if (n <= 0)
                return n < 0 ? -errno : -EIO;
        *ret_size = (size_t) n;
        return 0;
}

/**
 * store_spool_remove() - what is there is of no use any more
 * @p: spool; is empty afterwards, and may begin again
 */
void store_spool_remove(StoreSpool *p) {
        forget(p);
        (void) unlinkat(p->store->cas_fd, p->path, 0);
}
