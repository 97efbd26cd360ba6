/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the writer makes is read by the reader of the store: the same entries, the same bytes of files. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "store/tar-check.h"
#include "store/tar-write.h"

#define LONG_NAME                                                                                            \
        "a-directory-whose-name-is-long/another-one-whose-name-is-long/and-a-third-one-that-makes-the-name-" \
        "longer-than-a-hundred-bytes"

typedef struct Reader {
        TarEntry entries[16];
        size_t n;
        char *manifest;
} Reader;

static int on_entry(void *userdata, const TarEntry *t) {
        Reader *x = userdata;
        TarEntry *c = &x->entries[x->n++];

        assert_true(x->n <= ELEMENTSOF(x->entries));
        *c = *t;
        c->path = strdup(t->path);
        c->link = t->link ? strdup(t->link) : NULL;
        c->segments = NULL;
        c->n_segments = 0;
        c->xattrs = NULL;
        c->n_xattrs = 0;
        FOREACH_ARRAY (s, t->segments, t->n_segments)
                assert_int_equal(tar_entry_add_segment(c, s->offset, s->size, s->source), 0);
        FOREACH_ARRAY (a, t->xattrs, t->n_xattrs)
                assert_int_equal(tar_entry_add_xattr(c, a->name, a->value, a->size), 0);
        return 0;
}

static int on_manifest(void *userdata, const char *data, size_t size) {
        ((Reader *) userdata)->manifest = strndup(data, size);
        return 0;
}

static int on_warning(void *userdata, const char *sentence) {
        fail_msg("%s", sentence);
        return 0;
}

static void reader_done(Reader *x) {
        FOREACH_ARRAY (t, x->entries, x->n)
                tar_entry_done(t);
        free(x->manifest);
}

static int to_buffer(void *userdata, const void *data, size_t size, Error *e) {
        strbuf_add_n(userdata, data, size);
        return 0;
}

static void read_back(const StrBuf *b, Reader *ret) {
        static const TarCheckOps ops = { on_entry, on_manifest, on_warning };
        const TarStreamLimits limits = { UINT64_C(1) << 40, 1000 };
        _cleanup_(tar_check_freep) TarCheck *c = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        assert_int_equal(tar_check_new(&ops, ret, &limits, 1000, &c), 0);
        tar_check_strict(c);
        if (tar_check_push(c, (const uint8_t *) b->data, b->size, &e) < 0 || tar_check_finish(c, &e) < 0)
                fail_msg("%s", error_text(&e, 0));
}

static char content[] = "0123456789abcdef";

static const struct {
        TarEntry entry;
        const char *xattr; /* its value is the entry's path */
} cases[] = {
        { { .type = TAR_DIRECTORY, .path = (char[]){ "" }, .mode = 0755 }, NULL },
        { { .type = TAR_DIRECTORY,
            .path = (char[]){ "d" },
            .mode = 01777,
            .uid = 1,
            .gid = 2,
            .mtime_sec = 7 },
          "user.a=b%c" },
        { { .type = TAR_FILE,
            .path = (char[]){ "d/empty" },
            .mode = 0600,
            .mtime_sec = -2,
            .mtime_nsec = 750000000 },
          NULL },
        { { .type = TAR_FILE,
            .path = (char[]){ LONG_NAME },
            .mode = 04755,
            .uid = 3000000000,
            .gid = 3000000001,
            .mtime_sec = INT64_C(0x300000000),
            .mtime_nsec = 10,
            .size = 10,
            .n_segments = 1,
            .segments = &(TarSegment){ 0, 10, 0 } },
          "user.b" },
        { { .type = TAR_HARDLINK, .path = (char[]){ "d/hard" }, .link = (char[]){ LONG_NAME } }, NULL },
        { { .type = TAR_SYMLINK,
            .path = (char[]){ "d/soft" },
            .link = (char[]){ "/" LONG_NAME },
            .mode = 0777 },
          NULL },
        { { .type = TAR_FIFO, .path = (char[]){ "fifo" }, .mode = 0640 }, NULL },
        { { .type = TAR_CHRDEV, .path = (char[]){ "null" }, .mode = 0666, .major = 1, .minor = 3 }, NULL },
};

static int memory_file(void) {
        int fd = memfd_create("blob", MFD_CLOEXEC);

        assert_int_equal(fd_write_all(fd, content, sizeof(content)), 0);
        return fd;
}

static void write_cases(int fd, StrBuf *b) {
        _cleanup_(tar_writer_freep) TarWriter *w = NULL;

        assert_int_equal(tar_writer_new("rootfs", to_buffer, b, &w, NULL), 0);
        assert_int_equal(tar_writer_text(w, "manifest", "{}", 2, NULL), 0);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                TarEntry t = cases[i].entry;

                t.xattrs = NULL;
                if (cases[i].xattr)
                        assert_int_equal(tar_entry_add_xattr(&t, cases[i].xattr, t.path, strlen(t.path)), 0);
                assert_int_equal(tar_writer_file(w, &t, fd, NULL), 0);
                t.path = t.link = NULL;
                t.segments = NULL;
                tar_entry_done(&t);
        }
        assert_int_equal(tar_writer_finish(w, NULL), 0);
        assert_int_equal(b->size % 512, 0);
}

static void test_round_trip(void **state) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        _cleanup_(reader_done) Reader got = {};
        _cleanup_close_ int fd = memory_file();

        write_cases(fd, &b);
        read_back(&b, &got);
        assert_string_equal(got.manifest, "{}");
        assert_int_equal(got.n, ELEMENTSOF(cases));
        for (size_t i = 0; i < got.n; i++) {
                const TarEntry *want = &cases[i].entry, *have = &got.entries[i];

                assert_int_equal(have->type, want->type);
                assert_string_equal(have->path, want->path);
                assert_true(streq_ptr(have->link, want->link));
                assert_int_equal(have->size, want->size);
                if (want->type == TAR_HARDLINK)
                        continue;
                assert_int_equal(have->mode, want->mode);
                assert_int_equal(have->uid, want->uid);
                assert_int_equal(have->gid, want->gid);
                assert_int_equal(have->mtime_sec, want->mtime_sec);
                assert_int_equal(have->mtime_nsec, want->mtime_nsec);
                assert_int_equal(have->major, want->major);
                assert_int_equal(have->minor, want->minor);
                assert_int_equal(have->n_xattrs, cases[i].xattr ? 1 : 0);
                if (cases[i].xattr) {
                        assert_string_equal(have->xattrs[0].name, cases[i].xattr);
                        assert_string_equal(have->xattrs[0].value, want->path);
                }
                if (want->n_segments > 0)
                        assert_memory_equal(b.data + have->segments[0].source, content, want->size);
        }
}

static void test_same_bytes(void **state) {
        _cleanup_strbuf_ StrBuf a = STRBUF_INIT, b = STRBUF_INIT;
        _cleanup_close_ int fd = memory_file();

        write_cases(fd, &a);
        write_cases(fd, &b);
        assert_int_equal(a.size, b.size);
        assert_memory_equal(a.data, b.data, a.size);
}

/* Without a prefix the root is "./", and holes are zeros. */
static void test_sparse(void **state) {
        TarSegment segments[] = { { 300000, 4, 10 }, { 600000, 2, 0 } };
        const TarEntry root = { .type = TAR_DIRECTORY, .path = (char[]){ "" }, .mode = 0700 };
        const TarEntry file = { .type = TAR_FILE,
                                .path = (char[]){ "sparse" },
                                .size = 900000,
                                .segments = segments,
                                .n_segments = 2 };
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        _cleanup_(tar_writer_freep) TarWriter *w = NULL;
        _cleanup_free_ char *want = calloc(1, 900000);
        _cleanup_close_ int fd = memory_file();

        assert_int_equal(tar_writer_new("", to_buffer, &b, &w, NULL), 0);
        assert_int_equal(tar_writer_file(w, &root, fd, NULL), 0);
        assert_int_equal(tar_writer_file(w, &file, fd, NULL), 0);
        assert_int_equal(tar_writer_finish(w, NULL), 0);
        assert_string_equal(b.data, "./");
        assert_string_equal(b.data + 512, "sparse");
        memcpy(want + 300000, "abcd", 4);
        memcpy(want + 600000, "01", 2);
        assert_memory_equal(b.data + 1024, want, 900000);
        assert_int_equal(b.size, 1024 + (900000 + 511) / 512 * 512 + 1024);
}

static void test_short_blob(void **state) {
        const TarEntry file = { .type = TAR_FILE,
                                .path = (char[]){ "short" },
                                .size = 100,
                                .segments = &(TarSegment){ 0, 100, 0 },
                                .n_segments = 1 };
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        _cleanup_(tar_writer_freep) TarWriter *w = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_close_ int fd = memory_file();

        assert_int_equal(tar_writer_new("", to_buffer, &b, &w, NULL), 0);
        assert_int_equal(tar_writer_file(w, &file, fd, &e), -EBADMSG);
        assert_string_equal(e.message, "'short': cannot read: the blob is too short");
}

static int refuse(void *userdata, const void *data, size_t size, Error *e) {
        return error_setf(e, -ENOSPC, "full");
}

static void test_sink_fails(void **state) {
        const TarEntry file = { .type = TAR_FILE, .path = (char[]){ "large" }, .size = 1 << 20 };
        _cleanup_(tar_writer_freep) TarWriter *w = NULL;

        assert_int_equal(tar_writer_new("", refuse, NULL, &w, NULL), 0);
        assert_int_equal(tar_writer_file(w, &file, -EBADF, NULL), -ENOSPC);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trip), cmocka_unit_test(test_same_bytes),
                cmocka_unit_test(test_sparse),     cmocka_unit_test(test_short_blob),
                cmocka_unit_test(test_sink_fails),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
