/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Archives that are read without being unpacked, through the worker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/tmpfile.h"
#include "store/store-archive.h"
#include "store/test-compress.h"
#include "store/test-tar-build.h"

static char dir[] = "/tmp/test-archive-XXXXXX";
static Store *store;

static int setup(void **state) {
        return mkdtemp(dir) && store_open(dir, 0, &store, NULL) >= 0 ? 0 : -1;
}

static int teardown(void **state) {
        store = store_free(store);
        return remove_tree_at(AT_FDCWD, dir);
}

/* A docker-archive in miniature, with all that may be odd in one. */
static void build(StrBuf *b) {
        static const TarSpec entries[] = {
                { .name = "manifest.json", .type = '0', .content = "[]" },
                { .name = "./a/", .type = '5' },
                { .name = "./a/layer.tar", .type = '0', .content = "the layer" },
                { .name = "b/layer.tar", .type = '2', .link = "../a/layer.tar" },
                { .name = "c/layer.tar", .type = '1', .link = "a/layer.tar" },
                { .name = "d", .type = '2', .link = "b/layer.tar" },
                { .name = "loop", .type = '2', .link = "loop" },
                { .name = "out", .type = '2', .link = "../../etc/passwd" },
                { .name = "../up", .type = '0', .content = "x" },
                { .name = "empty", .type = '0', .content = "" },
                { .name = "twice", .type = '0', .content = "1" },
                { .name = "twice", .type = '0', .content = "2" },
        };

        FOREACH_ARRAY (t, entries, ELEMENTSOF(entries))
                tar_add(b, t);
        tar_end(b);
}

static int open_archive(const StrBuf *b, const char *program, StoreArchive **ret, Error *e) {
        _cleanup_free_ char *path = strf("%s/archive.tar", dir);
        _cleanup_strbuf_ StrBuf compressed = STRBUF_INIT;

        if (program)
                compress_by(program, b, &compressed);
        b = program ? &compressed : b;
        assert_int_equal(file_write_at(AT_FDCWD, path, b->data, b->size, 0600, FILE_WRITE_NO_SYNC), 0);
        return store_archive_open(store, path, &STORE_IMPORT_LIMITS_DEFAULT, ret, e);
}

static void expect(const StoreArchive *a, const char *path, const char *content) {
        char buffer[64] = "";
        uint64_t offset, size;

        assert_int_equal(store_archive_find(a, path, &offset, &size, NULL), 0);
        assert_int_equal(size, strlen(content));
        assert_int_equal(pread(store_archive_fd(a), buffer, size, (off_t) offset), size);
        assert_string_equal(buffer, content);
}

static void expect_all(const StoreArchive *a) {
        static const struct {
                const char *path;
                int r;
                const char *text;
        } refused[] = {
                { "loop", -ELOOP, "leads nowhere" }, { "out", -ENOENT, "no file" },
                { "up", -ENOENT, "no file" },        { "../up", -ENOENT, "no file" },
                { "twice", -ENOTUNIQ, "twice" },     { "a", -ENOENT, "no file" },
        };

        expect(a, "manifest.json", "[]");
        expect(a, "a/layer.tar", "the layer");
        expect(a, "b/layer.tar", "the layer");
        expect(a, "c/layer.tar", "the layer");
        expect(a, "d", "the layer");
        expect(a, "empty", "");
        FOREACH_ARRAY (c, refused, ELEMENTSOF(refused)) {
                _cleanup_error_ Error e = ERROR_INIT;
                uint64_t offset, size;

                assert_int_equal(store_archive_find(a, c->path, &offset, &size, &e), c->r);
                assert_non_null(strstr(error_text(&e, c->r), c->text));
        }
}

static void test_find(void **state) {
        static const char *const programs[] = { NULL, "gzip", "xz", "bzip2" };

        FOREACH_ARRAY (c, programs, ELEMENTSOF(programs)) {
                _cleanup_(store_archive_closep) StoreArchive *a = NULL;
                _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
                _cleanup_error_ Error e = ERROR_INIT;
                int r;

                build(&b);
                r = open_archive(&b, *c, &a, &e);
                if (r < 0)
                        fail_msg("%s: %s", *c ? *c : "plain", error_text(&e, r));
                expect_all(a);
        }
}

static void test_damaged(void **state) {
        _cleanup_(store_archive_closep) StoreArchive *a = NULL;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        _cleanup_error_ Error e = ERROR_INIT;
        int r;

        build(&b);
        b.size = 700;
        r = open_archive(&b, NULL, &a, &e);
        assert_int_equal(r, -EBADMSG);
        assert_non_null(strstr(error_text(&e, r), dir));
        assert_null(a);
        assert_int_equal(store_archive_open(store, "/nowhere", &STORE_IMPORT_LIMITS_DEFAULT, &a, NULL),
                         -ENOENT);
        assert_int_equal(store_archive_open(store, "/dev/null", &STORE_IMPORT_LIMITS_DEFAULT, &a, NULL),
                         -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_find),
                cmocka_unit_test(test_damaged),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
