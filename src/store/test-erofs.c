/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Trees from entries, and images from trees, read back by other code than the writer's. Mounts of the same are compared
 * with what GNU tar unpacks by test/host/test_erofs.py. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "basic/fd.h"
#include "store/acl.h"
#include "store/test-erofs-read.h"

#define BLOB_SIZE (1U << 20)

static uint8_t blob[BLOB_SIZE];
static const uint8_t test_uuid[EROFS_UUID_SIZE] = "0123456789abcde";

typedef struct Spec {
        TarType type;
        const char *path;
        const char *link;
        uint32_t mode, uid, gid;
        int64_t mtime;
        uint32_t nsec;
        uint64_t size, source; /* file: in one piece */
        int expect;
} Spec;

static int blob_fd(void) {
        int fd = memfd_create("blob", MFD_CLOEXEC);

        for (size_t i = 0; i < sizeof(blob); i++)
                blob[i] = (uint8_t) (1 + (i * 2654435761U >> 13) % 255);
        assert_true(fd >= 0);
        assert_int_equal(fd_write_all(fd, blob, sizeof(blob)), 0);
        return fd;
}

static TarEntry spec_entry(const Spec *s, TarSegment *segment) {
        TarEntry t = { .type = s->type,
                       .path = (char *) (uintptr_t) s->path,
                       .link = (char *) (uintptr_t) s->link,
                       .mode = s->mode,
                       .uid = s->uid,
                       .gid = s->gid,
                       .mtime_sec = s->mtime,
                       .mtime_nsec = s->nsec,
                       .size = s->size };

        *segment = (TarSegment){ .size = s->size, .source = s->source };
        if (s->size > 0) {
                t.segments = segment;
                t.n_segments = 1;
        }
        return t;
}

static int add(ErofsTree *t, const Spec *s, unsigned device) {
        _cleanup_error_ Error e = ERROR_INIT;
        TarSegment segment;
        TarEntry entry = spec_entry(s, &segment);
        int r = erofs_tree_add(t, &entry, device, &e);

        if (r != s->expect)
                print_message("# '%s': %s\n", s->path, error_text(&e, r));
        assert_int_equal(r, s->expect);
        return r;
}

/* Writes it in the given form, twice, and reads it. The bytes, to be freed. */
static uint8_t *write_and_check(ErofsTree *t, size_t n_blobs, bool full, size_t *ret_size) {
        _cleanup_close_ int fd = blob_fd();
        const ErofsDevice devices[] = { { .fd = fd, .tag = "sha512-abc" }, { .fd = fd }, { .fd = fd } };
        const ReadBlob blobs[] = { { blob, BLOB_SIZE }, { blob, BLOB_SIZE }, { blob, BLOB_SIZE } };
        uint8_t *data[2] = {};
        uint64_t size[2] = {};

        for (size_t i = 0; i < 2; i++) {
                _cleanup_error_ Error e = ERROR_INIT;
                _cleanup_close_ int out = memfd_create("image", MFD_CLOEXEC);
                int r = (full ? erofs_write_image : erofs_write_index)(t, devices, n_blobs, test_uuid, out,
                                                                       &size[i], &e);

                if (r < 0)
                        print_message("# %s\n", error_text(&e, r));
                assert_int_equal(r, 0);
                data[i] = malloc(size[i]);
                assert_int_equal(pread(out, data[i], size[i], 0), size[i]);
                assert_int_equal(lseek(out, 0, SEEK_END), size[i]);
        }
        assert_int_equal(size[0], size[1]);
        assert_memory_equal(data[0], data[1], size[0]);
        free(data[1]);
        ReadImage m = { .self = { data[0], size[0] }, .blobs = blobs, .n_blobs = n_blobs };

        read_check(&m, t);
        *ret_size = size[0];
        return data[0];
}

static void check_both(ErofsTree *t, size_t n_blobs) {
        for (int full = 0; full < 2; full++) {
                size_t size;

                free(write_and_check(t, n_blobs, full, &size));
        }
}

static ErofsTree *make(const Spec *specs, size_t n, unsigned device, ErofsTreeFlags flags) {
        ErofsTree *t = NULL;

        assert_int_equal(erofs_tree_new(flags, &t), 0);
        for (size_t i = 0; i < n; i++)
                (void) add(t, &specs[i], device);
        return t;
}

/* "type mode uid path[ -> link]" of everything, in the order of the walk. */
static int describe(void *userdata, const TarEntry *t, unsigned device, Error *e) {
        static const char letters[] = "fdlhcbp";
        StrBuf *b = userdata;

        (void) e;
        if (t->type == TAR_HARDLINK)
                strbuf_addf(b, "h %s = %s\n", t->path, t->link);
        else
                strbuf_addf(b, "%c %04o %u %s%s%s", letters[t->type], t->mode, t->uid, t->path,
                            t->link ? " -> " : "", t->link ? t->link : "");
        if (t->type == TAR_FILE)
                strbuf_addf(b, " %" PRIu64 "@%u", t->n_segments > 0 ? t->segments[0].source : 0, device);
        if (t->type != TAR_HARDLINK)
                strbuf_add(b, "\n");
        return 0;
}

static void assert_tree(ErofsTree *t, const char *expected) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        assert_int_equal(erofs_tree_walk(t, describe, &b, NULL), 0);
        assert_string_equal(b.data, expected);
}

static void test_empty(void **state) {
        _cleanup_(erofs_tree_freep) ErofsTree *t = make(NULL, 0, 0, 0);

        (void) state;
        assert_tree(t, "d 0755 0 \n");
        check_both(t, 0);
        check_both(t, 1);
}

static void test_types(void **state) {
        static const Spec specs[] = {
                { TAR_DIRECTORY, "", .mode = 0751, .uid = 3, .mtime = 77, .nsec = 999999999 },
                { TAR_DIRECTORY, "d", .mode = 01777, .gid = 4000000000, .mtime = -5 },
                { TAR_FILE, "d/f", .mode = 04755, .uid = 4294967293, .size = 700, .source = 512, .mtime = 1 },
                { TAR_FILE, "d/exact", .mode = 0600, .size = 4096, .source = 2048 },
                { TAR_FILE, "d/empty", .mode = 0 },
                { TAR_FILE, "large", .mode = 0644, .size = 600000, .source = 1024,
                  .mtime = INT64_C(16000000000) },
                { TAR_SYMLINK, "l", .link = "/somewhere/else", .mtime = 5, .nsec = 6 },
                { TAR_FIFO, "p", .mode = 0620 },
                { TAR_CHRDEV, "-c", .mode = 0666 },
                { TAR_HARDLINK, "d/g", .link = "large" },
                { TAR_HARDLINK, ".-before-dots", .link = "l" },
                { TAR_FILE, "...", .mode = 0644 },
                { TAR_FILE, "\xff\xfe", .mode = 0644 },
                { TAR_FILE, "a/b/c", .mode = 0644, .uid = 9, .mtime = 1234 },
        };
        _cleanup_(erofs_tree_freep) ErofsTree *t = NULL;

        (void) state;
        assert_int_equal(erofs_tree_new(0, &t), 0);
        for (size_t i = 0; i < ELEMENTSOF(specs); i++) {
                TarSegment segment;
                TarEntry entry = spec_entry(&specs[i], &segment);

                entry.major = entry.type == TAR_CHRDEV ? 5 : 0;
                entry.minor = entry.type == TAR_CHRDEV ? 0x12345 : 0;
                assert_int_equal(erofs_tree_add(t, &entry, 0, NULL), 0);
        }
        assert_tree(t, "d 0751 3 \n"
                       "c 0666 0 -c\n"
                       "l 0777 0 .-before-dots -> /somewhere/else\n"
                       "f 0644 0 ... 0@0\n"
                       "d 0755 0 a\n"
                       "d 1777 0 d\n"
                       "h l = .-before-dots\n"
                       "f 0644 0 large 1024@0\n"
                       "p 0620 0 p\n"
                       "f 0644 0 \xff\xfe 0@0\n"
                       "d 0755 0 a/b\n"
                       "f 0000 0 d/empty 0@0\n"
                       "f 0600 0 d/exact 2048@0\n"
                       "f 4755 4294967293 d/f 512@0\n"
                       "h d/g = large\n"
                       "f 0644 9 a/b/c 0@0\n");
        check_both(t, 1);
}

/* The rules of rkt-untar, by the rows of robustness.md. */
static void test_rules(void **state) {
        static const struct {
                const char *row;
                Spec specs[6];
        } cases[] = {
                { "1", { { TAR_FILE, "../x", .expect = -EBADMSG } } },
                { "2", { { TAR_FILE, "a/../b", .expect = -EBADMSG } } },
                { "4", { { TAR_FILE, "/tmp/x", .expect = -EBADMSG } } },
                { "9", { { TAR_FILE, "", .expect = -EBADMSG } } },
                { "16", { { TAR_FILE, "a" }, { TAR_FILE, "a", .expect = -ENOTUNIQ } } },
                { "17", { { TAR_DIRECTORY, "a" }, { TAR_FILE, "a/b" }, { TAR_DIRECTORY, "a" } } },
                { "18", { { TAR_FILE, "a" }, { TAR_FILE, "a/b", .expect = -EBADMSG } } },
                { "18b", { { TAR_FILE, "a/b" }, { TAR_FILE, "a", .expect = -ENOTUNIQ } } },
                { "18c", { { TAR_FILE, "a" }, { TAR_DIRECTORY, "a", .expect = -ENOTUNIQ } } },
                { "28", { { TAR_CHRDEV, "a", .expect = -EBADMSG } } },
                { "39",
                  { { TAR_DIRECTORY, "etc" },
                    { TAR_SYMLINK, "out", "/etc" },
                    { TAR_FILE, "out/x" },
                    { TAR_FILE, "etc/x", .expect = -ENOTUNIQ } } },
                { "40",
                  { { TAR_DIRECTORY, "run" },
                    { TAR_SYMLINK, "var/run", "/run" },
                    { TAR_FILE, "var/run/pid" },
                    { TAR_FILE, "run/pid", .expect = -ENOTUNIQ } } },
                { "40b",
                  { { TAR_DIRECTORY, "a/b" },
                    { TAR_SYMLINK, "a/l", "../../../a/./b/" },
                    { TAR_FILE, "a/l/f" },
                    { TAR_FILE, "a/b/f", .expect = -ENOTUNIQ } } },
                { "42",
                  { { TAR_SYMLINK, "a", "b" },
                    { TAR_SYMLINK, "b", "a" },
                    { TAR_FILE, "a/x", .expect = -ELOOP } } },
                { "42b", { { TAR_SYMLINK, "a", "nothing" }, { TAR_FILE, "a/x", .expect = -EBADMSG } } },
                { "43", { { TAR_SYMLINK, "a", "", .expect = -EBADMSG } } },
                { "46", { { TAR_SYMLINK, "a", "/etc/passwd" }, { TAR_FILE, "a", .expect = -ENOTUNIQ } } },
                { "48", { { TAR_DIRECTORY, "a" }, { TAR_SYMLINK, "a", "/tmp", .expect = -ENOTUNIQ } } },
                { "49",
                  { { TAR_SYMLINK, "up", ".." },
                    { TAR_FILE, "up/x" },
                    { TAR_FILE, "x", .expect = -ENOTUNIQ } } },
                { "50", { { TAR_HARDLINK, "a", "/tmp/x", .expect = -EBADMSG } } },
                { "50b", { { TAR_SYMLINK, "l", "/d" }, { TAR_FILE, "d/x" }, { TAR_HARDLINK, "y", "l/x" } } },
                { "52",
                  { { TAR_SYMLINK, "l", "/d" },
                    { TAR_HARDLINK, "m", "l" },
                    { TAR_FILE, "m", .expect = -ENOTUNIQ } } },
                { "52b",
                  { { TAR_DIRECTORY, "d" },
                    { TAR_SYMLINK, "l", "/d" },
                    { TAR_HARDLINK, "m", "l" },
                    { TAR_FILE, "m/x" },
                    { TAR_FILE, "d/x", .expect = -ENOTUNIQ } } },
                { "54", { { TAR_HARDLINK, "a", "b", .expect = -EBADMSG } } },
                { "54b", { { TAR_HARDLINK, "a", "a", .expect = -EBADMSG } } },
                { "54c", { { TAR_DIRECTORY, "d" }, { TAR_HARDLINK, "a", "d", .expect = -EBADMSG } } },
                { "55", { { TAR_FILE, "a", .mode = 0600 }, { TAR_HARDLINK, "b", "a", .mode = 04777 } } },
        };

        (void) state;
        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_(erofs_tree_freep) ErofsTree *t = NULL;
                int r = 0;

                assert_int_equal(erofs_tree_new(0, &t), 0);
                for (size_t i = 0; i < ELEMENTSOF(c->specs) && c->specs[i].path && r >= 0; i++)
                        r = add(t, &c->specs[i], 0);
                if (r >= 0)
                        check_both(t, 1);
        }
}

/* Names of every length, so that directory blocks fill up in every way; and a large folder. */
static void test_names(void **state) {
        _cleanup_(erofs_tree_freep) ErofsTree *t = make(NULL, 0, 0, 0);
        char name[300];

        (void) state;
        for (unsigned i = 1; i <= 255; i++) {
                memset(name, 'n', i);
                name[i] = '\0';
                add(t, &(Spec){ TAR_FILE, name, .mode = i }, 0);
                memmove(name + 2, name, i + 1);
                memcpy(name, "d/", 2);
                add(t, &(Spec){ TAR_SYMLINK, name, .link = name, .mtime = i % 7 }, 0);
        }
        memset(name, 'x', 256);
        name[256] = '\0';
        add(t, &(Spec){ TAR_FILE, name, .expect = -EBADMSG }, 0);
        _cleanup_(erofs_tree_freep) ErofsTree *u = make(NULL, 0, 0, 0);
        for (unsigned i = 0; i < 3000; i++) {
                (void) snprintf(name, sizeof(name), "large/%u", i * 7919U);
                add(u, &(Spec){ TAR_FILE, name, .size = i % 600, .source = 512ULL * (i % 1000) }, 0);
        }
        check_both(t, 1);
        size_t size;
        free(write_and_check(u, 1, false, &size));
        assert_true(size < 3000 * 150);
}

/* Links of every length that matters to blocks of 512 and 4096 bytes. */
static void test_long_links(void **state) {
        _cleanup_(erofs_tree_freep) ErofsTree *t = make(NULL, 0, 0, 0);
        static const unsigned sizes[] = { 1,   383, 384,  385,  447,  448,  449, 511,
                                          512, 513, 1024, 4031, 4032, 4064, 4095 };
        char target[TAR_PATH_MAX + 2], name[20];

        (void) state;
        FOREACH_ARRAY (s, sizes, ELEMENTSOF(sizes)) {
                memset(target, 'a', sizeof(target));
                target[*s] = '\0';
                (void) snprintf(name, sizeof(name), "l%u", *s);
                add(t, &(Spec){ TAR_SYMLINK, name, .link = target, .mtime = *s }, 0);
        }
        memset(target, 'a', sizeof(target));
        target[TAR_PATH_MAX + 1] = '\0';
        check_both(t, 1);
        add(t, &(Spec){ TAR_SYMLINK, "long", .link = target, .expect = -EBADMSG }, 0);
}

static void add_sparse(ErofsTree *t, const char *path, uint64_t size, const TarSegment *segments, size_t n,
                       int expect) {
        TarEntry entry = { .type = TAR_FILE,
                           .path = (char *) (uintptr_t) path,
                           .size = size,
                           .segments = (TarSegment *) (uintptr_t) segments,
                           .n_segments = n };

        assert_int_equal(erofs_tree_add(t, &entry, 0, NULL), expect);
}

/* 91: pieces that fit into chunks, pieces that do not, and maps that cannot be. */
static void test_sparse(void **state) {
        _cleanup_(erofs_tree_freep) ErofsTree *t = make(NULL, 0, 0, 0);
        const uint64_t G = UINT64_C(1) << 30;
        uint8_t *index;
        size_t size;

        (void) state;
        add_sparse(t, "hole", 5 * G, NULL, 0, 0);
        add_sparse(t, "end", 8 * G + 512, (TarSegment[]){ { 8 * G, 512, 1024 } }, 1, 0);
        add_sparse(t, "odd-end", 4 * G + 77, (TarSegment[]){ { 4 * G, 77, 512 } }, 1, 0);
        add_sparse(t, "aligned", 1 << 20,
                   (TarSegment[]){ { 0, 4096, 512 }, { 65536, 8192, 4608 }, { 1 << 20, 0, 0 } }, 3, 0);
        add_sparse(t, "unaligned", 100000,
                   (TarSegment[]){ { 1, 1, 512 }, { 5000, 20000, 513 }, { 99999, 1, 20513 } }, 3, 0);
        add_sparse(t, "together", 8192, (TarSegment[]){ { 0, 100, 512 }, { 100, 8092, 612 } }, 2, 0);
        add_sparse(t, "source-unaligned", 9000, (TarSegment[]){ { 0, 9000, 777 } }, 1, 0);
        add_sparse(t, "tail-hole", 10000, (TarSegment[]){ { 0, 1000, 512 } }, 1, 0);
        add_sparse(t, "blob-end", 700, (TarSegment[]){ { 0, 700, BLOB_SIZE - 700 } }, 1, 0);
        check_both(t, 1);
        index = write_and_check(t, 1, false, &size);
        assert_true(size < 4 * 1024 * 1024);
        free(index);
        add_sparse(t, "overlap", 100, (TarSegment[]){ { 0, 50, 0 }, { 49, 10, 0 } }, 2, -EBADMSG);
        add_sparse(t, "outside", 100, (TarSegment[]){ { 90, 11, 0 } }, 1, -EBADMSG);
        add_sparse(t, "overflow", 100, (TarSegment[]){ { UINT64_MAX, 2, 0 } }, 1, -EBADMSG);
        add_sparse(t, "huge", UINT64_MAX, NULL, 0, -EBADMSG);
}

/* What lies outside the blob is refused when it is written, whoever sent it. */
static void test_outside_blob(void **state) {
        static const Spec specs[] = {
                { TAR_FILE, "a", .size = 2, .source = BLOB_SIZE - 1 },
                { TAR_FILE, "a", .size = 1, .source = UINT64_MAX },
                { TAR_FILE, "a", .size = INT64_MAX, .source = INT64_MAX },
        };
        _cleanup_close_ int fd = blob_fd(), out = memfd_create("image", MFD_CLOEXEC);

        (void) state;
        FOREACH_ARRAY (s, specs, ELEMENTSOF(specs)) {
                _cleanup_(erofs_tree_freep) ErofsTree *t = make(s, 1, 0, 0);
                uint64_t size;

                assert_int_equal(
                        erofs_write_index(t, &(ErofsDevice){ .fd = fd }, 1, test_uuid, out, &size, NULL),
                        -EBADMSG);
                assert_int_equal(
                        erofs_write_image(t, &(ErofsDevice){ .fd = fd }, 1, test_uuid, out, &size, NULL),
                        -EBADMSG);
                assert_int_equal(erofs_write_index(t, NULL, 0, test_uuid, out, &size, NULL), -EBADMSG);
        }
        /* Two files on the same bytes: no archive says so, and a full image would grow without end. */
        _cleanup_(erofs_tree_freep) ErofsTree *t = make(NULL, 0, 0, 0);
        uint64_t size;

        add(t, &(Spec){ TAR_FILE, "a", .size = BLOB_SIZE }, 0);
        add(t, &(Spec){ TAR_FILE, "b", .size = BLOB_SIZE }, 0);
        assert_int_equal(erofs_write_image(t, &(ErofsDevice){ .fd = fd }, 1, test_uuid, out, &size, NULL),
                         -EBADMSG);
}

static void test_replace(void **state) {
        static const Spec specs[] = {
                { TAR_FILE, "a", .mode = 1, .size = 5, .source = 512 },
                { TAR_HARDLINK, "keep", "a" },
                { TAR_FILE, "a", .mode = 2, .size = 6, .source = 1024 },
                { TAR_HARDLINK, "a", "a" },
                { TAR_DIRECTORY, "d", .mode = 0700 },
                { TAR_FILE, "d/x" },
                { TAR_SYMLINK, "d", "a" },
                { TAR_DIRECTORY, "d", .mode = 0711 },
                { TAR_FILE, "d/y", .mode = 4 },
                { TAR_HARDLINK, "y2", "d/y" },
                { TAR_FIFO, "d", .mode = 5 },
        };
        _cleanup_(erofs_tree_freep) ErofsTree *t = make(specs, ELEMENTSOF(specs), 0, EROFS_TREE_REPLACE);

        (void) state;
        assert_tree(t, "d 0755 0 \n"
                       "f 0002 0 a 1024@0\n"
                       "p 0005 0 d\n"
                       "f 0001 0 keep 512@0\n"
                       "f 0004 0 y2 0@0\n");
        check_both(t, 1);
}

/* appc.md 6.2 and 6.3. */
static void test_merge(void **state) {
        static const Spec weak[] = {
                { TAR_DIRECTORY, "", .mode = 0700 },
                { TAR_FILE, "both", .mode = 1, .size = 1, .source = 512 },
                { TAR_HARDLINK, "weak-link", "both" },
                { TAR_DIRECTORY, "dir", .mode = 0700 },
                { TAR_FILE, "dir/weak", .mode = 2 },
                { TAR_SYMLINK, "lib", "/usr/lib" },
                { TAR_DIRECTORY, "hidden", .mode = 0700 },
                { TAR_FILE, "hidden/file" },
                { TAR_DIRECTORY, "implied", .mode = 0500, .uid = 7 },
                { TAR_FILE, "file", .mode = 3 },
        };
        static const Spec strong[] = {
                { TAR_FILE, "lib/x", .mode = 4 }, /* the weaker image's link is not followed */
                { TAR_DIRECTORY, "dir", .mode = 0711, .uid = 5 },
                { TAR_FILE, "both", .mode = 5, .size = 1, .source = 1024 },
                { TAR_HARDLINK, "strong-link", "both" },
                { TAR_FILE, "hidden", .mode = 6 },
                { TAR_FILE, "implied/new", .mode = 7 },
                { TAR_FILE, "file/below", .mode = 8 },
                { TAR_SYMLINK, "s", "dir" },
                { TAR_FILE, "s/through", .mode = 9 }, /* its own is */
        };
        _cleanup_(erofs_tree_freep) ErofsTree *t = make(weak, ELEMENTSOF(weak), 0, 0);
        _cleanup_(erofs_tree_freep) ErofsTree *over = make(strong, ELEMENTSOF(strong), 1, 0);

        (void) state;
        assert_int_equal(erofs_tree_merge(t, over, NULL), 0);
        over = erofs_tree_free(over);
        assert_tree(t, "d 0700 0 \n"
                       "f 0005 0 both 1024@1\n"
                       "d 0711 5 dir\n"
                       "d 0755 0 file\n"
                       "f 0006 0 hidden 0@1\n"
                       "d 0500 7 implied\n"
                       "d 0755 0 lib\n"
                       "l 0777 0 s -> dir\n"
                       "h strong-link = both\n"
                       "f 0001 0 weak-link 512@0\n"
                       "f 0011 0 dir/through 0@1\n"
                       "f 0002 0 dir/weak 0@0\n"
                       "f 0010 0 file/below 0@1\n"
                       "f 0007 0 implied/new 0@1\n"
                       "f 0004 0 lib/x 0@1\n");
        check_both(t, 2);
}

static void test_keep(void **state) {
        static const Spec specs[] = {
                { TAR_DIRECTORY, "", .mode = 0700 },
                { TAR_DIRECTORY, "a", .mode = 0700, .uid = 3 },
                { TAR_FILE, "a/x", .mode = 1, .size = 1, .source = 512 },
                { TAR_HARDLINK, "a/y", "a/x" },
                { TAR_DIRECTORY, "b", .mode = 0700, .uid = 3 },
                { TAR_FILE, "b/z", .mode = 2 },
                { TAR_FILE, "implied/q", .mode = 3 },
                { TAR_SYMLINK, "l", "a" },
        };
        static const char *const list[] = { "/a/../a//y/", "/nowhere", "/../l", NULL };
        _cleanup_(erofs_tree_freep) ErofsTree *own = make(specs, ELEMENTSOF(specs), 0, 0);
        _cleanup_(erofs_tree_freep) ErofsTree *other = make(specs, ELEMENTSOF(specs), 0, 0);

        (void) state;
        assert_int_equal(erofs_tree_keep(own, list, EROFS_KEEP_DIRECTORIES, NULL), 0);
        assert_tree(own, "d 0700 0 \nd 0700 3 a\nd 0700 3 b\nl 0777 0 l -> a\nf 0001 0 a/y 512@0\n");
        check_both(own, 1);
        assert_int_equal(erofs_tree_keep(other, list, 0, NULL), 0);
        assert_tree(other, "d 0755 0 \nd 0755 0 a\nl 0777 0 l -> a\nf 0001 0 a/y 512@0\n");
        check_both(other, 1);
}

static void test_overlay(void **state) {
        _cleanup_(erofs_tree_freep) ErofsTree *t = make((Spec[]){ { TAR_FILE, "d/f" } }, 1, 0, 0);
        uint8_t *data;
        size_t size, n = 0;

        (void) state;
        assert_int_equal(erofs_tree_add_whiteout(t, "d/gone", NULL), 0);
        assert_int_equal(erofs_tree_set_opaque(t, "d", NULL), 0);
        assert_int_equal(erofs_tree_set_opaque(t, "d/f", NULL), -EBADMSG);
        data = write_and_check(t, 1, false, &size);
        ReadImage m = { .self = { data, size }, .blobs = &(ReadBlob){ blob, BLOB_SIZE }, .n_blobs = 1 };
        read_super(&m);
        ReadInode dir = read_lookup(&m, "d"), gone = read_lookup(&m, "d/gone");
        assert_true(S_ISCHR(gone.mode) && gone.u == 0);
        assert_memory_equal(read_xattr(&m, &dir, "trusted.overlay.opaque", &n), "y", 1);
        free(data);
}

static void add_xattrs(ErofsTree *t, TarType type, const char *path, uint32_t mode, const TarXattr *x,
                       size_t n, int expect) {
        TarEntry entry = { .type = type,
                           .path = (char *) (uintptr_t) path,
                           .mode = mode,
                           .xattrs = (TarXattr *) (uintptr_t) x,
                           .n_xattrs = n };

        assert_int_equal(erofs_tree_add(t, &entry, 0, NULL), expect);
}

#define XATTR(n, v, s) ((TarXattr){ .name = (char[]){ n }, .value = (char *) (uintptr_t) (v), .size = (s) })

static void test_xattrs(void **state) {
        _cleanup_(erofs_tree_freep) ErofsTree *t = make(NULL, 0, 0, 0);
        static const char text[] = "user::rw-,user:bin:r--:2,group::r--,mask::rw-,other::---";
        static const char plain[] = "user::rwx\ngroup::r-x\nother::--x\n";
        _cleanup_free_ uint8_t *acl = NULL, *minimal = NULL;
        size_t n_acl, n_minimal, size;
        char big[65536] = "x", name[300];
        uint8_t *data;

        (void) state;
        assert_int_equal(acl_parse(text, strlen(text), &acl, &n_acl), 0);
        assert_int_equal(acl_parse(plain, strlen(plain), &minimal, &n_minimal), 0);
        add_xattrs(t, TAR_FILE, "f", 0600,
                   (TarXattr[]){ XATTR("user.a", "1", 1), XATTR("user.empty", "", 0),
                                 XATTR(ACL_XATTR_ACCESS, acl, n_acl) },
                   3, 0);
        add_xattrs(t, TAR_FILE, "same", 0600, (TarXattr[]){ XATTR("user.a", "1", 1) }, 1, 0);
        add_xattrs(t, TAR_FILE, "minimal", 04600, (TarXattr[]){ XATTR(ACL_XATTR_ACCESS, minimal, n_minimal) },
                   1, 0);
        add_xattrs(t, TAR_DIRECTORY, "d", 0700,
                   (TarXattr[]){ XATTR("user.a", "1", 1), XATTR("user.b", "2", 1) }, 2, 0);
        add_xattrs(t, TAR_DIRECTORY, "d", 0700,
                   (TarXattr[]){ XATTR(ACL_XATTR_DEFAULT, acl, n_acl), XATTR("user.a", "3", 1) }, 2, 0);
        add_xattrs(t, TAR_FILE, "big", 0600, (TarXattr[]){ XATTR("user.big", big, 65535) }, 1, 0);
        check_both(t, 1);
        data = write_and_check(t, 1, false, &size);
        ReadImage m = { .self = { data, size }, .blobs = &(ReadBlob){ blob, BLOB_SIZE }, .n_blobs = 1 };
        read_super(&m);
        ReadInode f = read_lookup(&m, "f"), d = read_lookup(&m, "d"), same = read_lookup(&m, "same");
        size_t n = 0;
        assert_int_equal(f.mode, S_IFREG | 0660); /* the mask is the group's permission */
        assert_memory_equal(read_xattr(&m, &f, ACL_XATTR_ACCESS, &n), acl, n_acl);
        assert_int_equal(read_lookup(&m, "minimal").mode, S_IFREG | 04751);
        assert_int_equal(read_lookup(&m, "minimal").n_xattrs, 0);
        assert_int_equal(d.n_xattrs, 3);
        assert_memory_equal(read_xattr(&m, &d, "user.a", &n), "3", 1);
        assert_ptr_equal(read_xattr(&m, &same, "user.a", &n), read_xattr(&m, &f, "user.a", &n));
        free(data);

        /* 69-74, in the second line of defence */
        add_xattrs(t, TAR_FILE, "x1", 0600, (TarXattr[]){ XATTR("trusted.overlay.opaque", "y", 1) }, 1,
                   -EBADMSG);
        add_xattrs(t, TAR_FILE, "x2", 0600, (TarXattr[]){ XATTR("security.selinux", "y", 1) }, 1, -EBADMSG);
        add_xattrs(t, TAR_FILE, "x3", 0600, (TarXattr[]){ XATTR("user.big", big, 65536) }, 1, -E2BIG);
        add_xattrs(t, TAR_FILE, "x4", 0600, (TarXattr[]){ XATTR(ACL_XATTR_ACCESS, "abc", 3) }, 1, -EBADMSG);
        add_xattrs(t, TAR_FILE, "x5", 0600, (TarXattr[]){ XATTR("user.", "", 0) }, 1, -E2BIG);
        memset(name, 'n', sizeof(name));
        memcpy(name, "user.", 5);
        name[256] = '\0';
        add_xattrs(t, TAR_FILE, "x6", 0600, (TarXattr[]){ { .name = name, .value = big, .size = 1 } }, 1,
                   -E2BIG);
}

static void test_acl_text(void **state) {
        static const struct {
                const char *text;
                int result;
                const char *hex; /* of the entries, one after the other: tag, permissions, number */
        } cases[] = {
                { "user::rwx,group::r-x,other::r--", 0, "1.7.- 4.5.- 32.4.-" },
                { "u::7", -EBADMSG, NULL },
                { "user::rwx,group::r-x,other:r--", 0, "1.7.- 4.5.- 32.4.-" },
                { "user::rw-\nuser:1000:r--\ngroup::r--\ngroup:5:rwx\t#effective:r--\nmask::r--\nother::---"
                  "\n",
                  0, "1.6.- 2.4.1000 4.4.- 8.7.5 16.4.- 32.0.-" },
                { "user::rwx,user:lisa:r-x:502,user:al:---:7,group::r-x,mask::rwx,other::--x", 0,
                  "1.7.- 2.0.7 2.5.502 4.5.- 16.7.- 32.1.-" },
                { "user::rwx,user:root:r-x,group::r-x,mask::rwx,other::--x", 0,
                  "1.7.- 2.5.0 4.5.- 16.7.- 32.1.-" },
                { "user::rwx,user:lisa:r-x,group::r-x,mask::rwx,other::--x", 1, "1.7.- 4.5.- 16.7.- 32.1.-" },
                { "user::rwx,user:1:r-x,group::r-x,other::--x", -EBADMSG, NULL }, /* no mask */
                { "user::rwx,user:1:r-x,user:1:r-x,group::r-x,mask::rwx,other::--x", -EBADMSG, NULL },
                { "user::rwx,user:4294967295:r-x,group::r-x,mask::rwx,other::--x", -EBADMSG, NULL },
                { "user::rwx,user:x:r-x:y,group::r-x,mask::rwx,other::--x", -EBADMSG, NULL },
                { "user::rwx,mask:5:rwx,group::r-x,other::--x", -EBADMSG, NULL },
                { "user::rwx,group::r-x", -EBADMSG, NULL },
                { "user::rwxr,group::r-x,other::r--", -EBADMSG, NULL },
                { "user::rwx:1:2,group::r-x,other::r--", -EBADMSG, NULL },
                { "", -EBADMSG, NULL },
                { "rubbish", -EBADMSG, NULL },
        };

        (void) state;
        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
                _cleanup_free_ uint8_t *v = NULL;
                size_t n = 0;

                assert_int_equal(acl_parse(c->text, strlen(c->text), &v, &n), c->result);
                for (size_t i = 4; i < n; i += 8) {
                        strbuf_addf(&b, "%s%u.%u.", i > 4 ? " " : "", get_le16(v + i), get_le16(v + i + 2));
                        if (get_le32(v + i + 4) == UINT32_MAX)
                                strbuf_add(&b, "-");
                        else
                                strbuf_addf(&b, "%u", get_le32(v + i + 4));
                }
                if (c->hex)
                        assert_string_equal(b.data, c->hex);
        }
        assert_int_equal(acl_parse("user::rwx\0,", 11, &(uint8_t *){ NULL }, &(size_t){ 0 }), -EBADMSG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_empty),        cmocka_unit_test(test_types),
                cmocka_unit_test(test_rules),        cmocka_unit_test(test_names),
                cmocka_unit_test(test_long_links),   cmocka_unit_test(test_sparse),
                cmocka_unit_test(test_outside_blob), cmocka_unit_test(test_replace),
                cmocka_unit_test(test_merge),        cmocka_unit_test(test_keep),
                cmocka_unit_test(test_overlay),      cmocka_unit_test(test_xattrs),
                cmocka_unit_test(test_acl_text),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
