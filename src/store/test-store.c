/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images come in, whole or not at all, and their trees are what is in them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka needs the four above */
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/digest.h"
#include "basic/tmpfile.h"
#include "store/store-blob.h"
#include "store/store-gc.h"
#include "store/store-ref.h"
#include "store/store-tree.h"
#include "store/test-compress.h"
#include "store/test-store-aci.h"

static void test_import(void **state) {
        const Fixture *f = *state;
        _cleanup_(store_image_done) StoreImage image = STORE_IMAGE_INIT;
        _cleanup_close_ int tree = -EBADF;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        _cleanup_free_ char *manifest = NULL, *pid = NULL;
        _cleanup_close_ int blob = -EBADF;
        _cleanup_(digest_freep) Digest *d = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        char key[STORE_KEY_MAX], hex[DIGEST_HEX_MAX];
        struct stat st, st2;
        uint64_t size;
        int r;

        simple_image(&b);
        r = import(f, &b, &image_a, key, &e);
        if (r < 0)
                print_error("%s\n", error_text(&e, r));
        assert_int_equal(r, 0);
        assert_int_equal(digest_new(DIGEST_SHA512, &d), 0);
        assert_int_equal(digest_update(d, b.data, b.size), 0);
        assert_int_equal(digest_final_hex(d, hex), 0);
        assert_int_equal(store_image_load(f->store, key, &image, NULL), 0);
        assert_string_equal(image.id + strlen("sha512-"), hex);
        assert_string_equal(image.key, key);
        assert_int_equal(image.size, b.size);
        assert_string_equal(image.source, "https://example.com/a.aci");
        assert_true(image.import_usec > 0 && image.last_used_usec > 0);
        assert_int_equal(store_blob_open(f->store, key, &blob, &size, NULL), 0);
        assert_int_equal(size, b.size);
        assert_int_equal(store_blob_verify(f->store, key, NULL), 0);
        assert_int_equal(store_manifest_read(f->store, key, &manifest, NULL, NULL), 0);
        assert_string_equal(manifest, "{\"acKind\":\"ImageManifest\"}");

        assert_int_equal(store_tree_mount(f->store, key, &tree, NULL), 0);
        assert_int_equal(fstatat(tree, "etc/motd", &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(st.st_mode, S_IFREG | 0640);
        assert_int_equal(st.st_mtim.tv_sec, 1234567890);
        assert_int_equal(fstatat(tree, "etc/issue", &st2, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(st.st_ino, st2.st_ino);
        assert_int_equal(fstatat(tree, "etc", &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(st.st_mode, S_IFDIR | 0750);
        assert_int_equal(st.st_mtim.tv_sec, 1000000000);
        assert_int_equal(file_read_at(tree, "run/pid", 10, &pid, NULL), 0);
        assert_int_equal(count(f, "tmp"), 0);
}

typedef struct TreeCase {
        const char *id; /* row of robustness.md */
        TarSpec specs[5];
        int error;
        const char *names; /* both or all are in the message; NULL: not looked at */
} TreeCase;

/* What entries do to each other. The canary lies beside the store; "up/.." is where a careless unpacker would find it. */
static const TreeCase tree_cases[] = {
        { "16",
          { { .name = "rootfs/a", .content = "1" }, { .name = "rootfs/a", .content = "22" } },
          -ENOTUNIQ,
          "'a'" },
        { "17",
          { { .name = "rootfs/d", .type = '5' },
            { .name = "rootfs/d/x", .content = "x" },
            { .name = "rootfs/d", .type = '5', .mode = 0700 } },
          0 },
        { "18",
          { { .name = "rootfs/a", .content = "1" }, { .name = "rootfs/a/b", .content = "2" } },
          -EBADMSG,
          "'a/b'" },
        { "18",
          { { .name = "rootfs/d", .type = '5' },
            { .name = "rootfs/d/x" },
            { .name = "rootfs/d", .content = "2" } },
          -ENOTUNIQ,
          "'d'" },
        { "19", { { .name = "rootfs/a/b/c/d", .content = "1" } }, 0 },
        { "20", { { .name = "rootfs/Case", .content = "1" }, { .name = "rootfs/case", .content = "2" } }, 0 },
        { "30",
          { { .name = "rootfs/etc/passwd", .type = '6' }, { .name = "rootfs/etc/passwd", .content = "x" } },
          -ENOTUNIQ },
        { "39",
          { { .name = "rootfs/l", .type = '2', .link = "/canary" },
            { .name = "rootfs/l", .content = "evil" } },
          -ENOTUNIQ },
        { "39",
          { { .name = "rootfs/l", .type = '2', .link = "../../../../.." },
            { .name = "rootfs/l/canary", .content = "evil" } },
          0 },
        { "39",
          { { .name = "rootfs/a", .type = '2', .link = "b" },
            { .name = "rootfs/b", .type = '2', .link = "/" },
            { .name = "rootfs/a/canary", .content = "evil" } },
          0 },
        { "39",
          { { .name = "rootfs/d", .type = '5' },
            { .name = "rootfs/d", .type = '2', .link = "/" },
            { .name = "rootfs/d/canary", .content = "evil" } },
          -ENOTUNIQ,
          "'d'" },
        { "40",
          { { .name = "rootfs/usr/lib", .type = '5' },
            { .name = "rootfs/lib", .type = '2', .link = "usr/lib" },
            { .name = "rootfs/lib/x.so", .content = "x" } },
          0 },
        { "42",
          { { .name = "rootfs/a", .type = '2', .link = "b" },
            { .name = "rootfs/b", .type = '2', .link = "a" },
            { .name = "rootfs/a/x", .content = "x" } },
          -ELOOP,
          "'a/x'" },
        { "41",
          { { .name = "rootfs/a", .type = '2', .link = "/nowhere" }, { .name = "rootfs/a/x" } },
          -EBADMSG,
          "'a/x'" },
        { "47",
          { { .name = "rootfs/a", .type = '2', .link = "/" },
            { .name = "rootfs/a", .type = '5', .mode = 0777 } },
          -ENOTUNIQ },
        { "49",
          { { .name = "rootfs/up", .type = '2', .link = ".." },
            { .name = "rootfs/up/intent", .content = "evil" } },
          0 },
        { "50",
          { { .name = "rootfs/up", .type = '2', .link = "/../../.." },
            { .name = "rootfs/l", .type = '1', .link = "rootfs/up/canary" } },
          -EBADMSG,
          "'up/canary'" },
        { "52",
          { { .name = "rootfs/a", .type = '2', .link = "/canary" },
            { .name = "rootfs/b", .type = '1', .link = "rootfs/a" },
            { .name = "rootfs/b", .content = "evil" } },
          -ENOTUNIQ },
        { "52",
          { { .name = "rootfs/a", .type = '2', .link = "/canary" },
            { .name = "rootfs/b", .type = '1', .link = "rootfs/a" } },
          0 },
        { "54",
          { { .name = "rootfs/a", .type = '1', .link = "rootfs/b" }, { .name = "rootfs/b" } },
          -EBADMSG,
          "'b'" },
        { "54",
          { { .name = "rootfs/d", .type = '5' }, { .name = "rootfs/e", .type = '1', .link = "rootfs/d" } },
          -EBADMSG,
          "'d'" },
        { "55",
          { { .name = "rootfs/a", .content = "1", .mode = 0600 },
            { .name = "rootfs/b", .type = '1', .link = "rootfs/a", .mode = 04777 } },
          0 },
};

static void test_trees(void **state) {
        const Fixture *f = *state;

        write_canary(f);
        FOREACH_ARRAY (c, tree_cases, ELEMENTSOF(tree_cases)) {
                _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
                _cleanup_error_ Error e = ERROR_INIT;
                char key[STORE_KEY_MAX];
                struct stat st;
                int r;

                tar_begin_aci(&b);
                for (size_t i = 0; i < ELEMENTSOF(c->specs) && c->specs[i].name; i++)
                        tar_add(&b, c->specs + i);
                tar_end(&b);
                r = import(f, &b, &image_a, key, &e);
                if (r != c->error)
                        print_error("row %s, '%s': %s\n", c->id, c->specs[0].name, error_text(&e, r));
                assert_int_equal(r, c->error);
                if (c->names)
                        assert_non_null(strstr(error_text(&e, r), c->names));
                if (r == 0) {
                        _cleanup_close_ int tree = -EBADF;

                        assert_int_equal(store_tree_mount(f->store, key, &tree, NULL), 0);
                        if (streq(c->id, "19")) {
                                assert_int_equal(fstatat(tree, "a/b", &st, 0), 0);
                                assert_int_equal(st.st_mode, S_IFDIR | 0755);
                        } else if (streq(c->id, "17")) {
                                assert_int_equal(fstatat(tree, "d/x", &st, 0), 0);
                                assert_int_equal(fstatat(tree, "d", &st, 0), 0);
                                assert_int_equal(st.st_mode, S_IFDIR | 0700);
                        } else if (streq(c->id, "55")) {
                                assert_int_equal(fstatat(tree, "b", &st, 0), 0);
                                assert_int_equal(st.st_mode, S_IFREG | 0600);
                        } else if (streq(c->id, "49")) {
                                assert_int_equal(fstatat(tree, "intent", &st, 0), 0);
                        }
                        assert_int_equal(store_image_remove(f->store, key, NULL), 0);
                        assert_int_equal(store_tree_remove(f->store, key, NULL), 0);
                }
                assert_empty(f);
        }
}

/* 76, 77, 79, 80, 94, 95: what is no archive, and compressed ones that are damaged. */
static int import_bytes(const Fixture *f, const char *data, size_t size) {
        StrBuf b = { .data = (char *) (uintptr_t) data, .size = size };
        _cleanup_error_ Error e = ERROR_INIT;
        int r = import(f, &b, &image_a, NULL, &e);

        for (const char *p = r < 0 ? error_text(&e, r) : ""; *p; p++)
                assert_true((unsigned char) *p >= 0x20);
        return r;
}

static void test_compressed(void **state) {
        static const char *const programs[] = { "gzip", "bzip2", "xz" };
        const Fixture *f = *state;

        write_canary(f);
        FOREACH_ARRAY (p, programs, ELEMENTSOF(programs)) {
                _cleanup_strbuf_ StrBuf b = STRBUF_INIT, z = STRBUF_INIT, twice = STRBUF_INIT,
                                        zz = STRBUF_INIT;
                _cleanup_free_ char *copy = NULL;
                char key[STORE_KEY_MAX];

                simple_image(&b);
                compress_by(*p, &b, &z);
                assert_int_equal(import(f, &z, &image_a, key, NULL), 0);
                assert_int_equal(store_image_remove(f->store, key, NULL), 0);
                assert_int_equal(store_tree_remove(f->store, key, NULL), 0);
                assert_empty(f);
                /* 77: cut anywhere, the checksum included */
                for (size_t n = 1; n < 16; n += 3)
                        assert_int_equal(import_bytes(f, z.data, z.size - n), -EBADMSG);
                assert_int_equal(import_bytes(f, z.data, z.size / 2), -EBADMSG);
                /* 79: a wrong checksum */
                copy = malloc(z.size);
                assert_non_null(copy);
                memcpy(copy, z.data, z.size);
                copy[z.size - 6] ^= 1;
                assert_int_equal(import_bytes(f, copy, z.size), -EBADMSG);
                /* 80: something behind it */
                strbuf_add_n(&twice, z.data, z.size);
                strbuf_add(&twice, "garbage");
                assert_int_equal(import_bytes(f, twice.data, twice.size), -EBADMSG);
                /* 94: compressed twice */
                compress_by(*p, &z, &zz);
                assert_int_equal(import_bytes(f, zz.data, zz.size), -EBADMSG);
                assert_empty(f);
        }
}

static void test_no_archive(void **state) {
        const Fixture *f = *state;
        static const char *const bytes[] = { "",
                                             "x",
                                             "<!DOCTYPE html><html>",
                                             "-----BEGIN PGP SIGNATURE-----",
                                             "PK\3\4",
                                             "070701",
                                             "!<arch>\n",
                                             "#mtree\n/etc/shadow\n",
                                             "LRZI" };

        write_canary(f);
        FOREACH_ARRAY (p, bytes, ELEMENTSOF(bytes))
                assert_int_equal(import_bytes(f, *p, strlen(*p)), -EBADMSG);
        assert_empty(f);
}

/* 88: much from little. */
static void test_ratio(void **state) {
        const Fixture *f = *state;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT, z = STRBUF_INIT;
        _cleanup_free_ char *zeros = calloc(1, 80U << 20);
        _cleanup_(store_import_freep) StoreImport *i = NULL;
        StoreImportLimits limits = STORE_IMPORT_LIMITS_DEFAULT;

        assert_non_null(zeros);
        write_canary(f);
        tar_begin_aci(&b);
        tar_add(&b, &(TarSpec){ .name = "rootfs/zeros", .content = zeros, .size = 80U << 20 });
        tar_end(&b);
        compress_by("bzip2", &b, &z);
        assert_int_equal(import_bytes(f, z.data, z.size), -E2BIG);
        limits.size_max = 1U << 20;
        assert_int_equal(store_import_new(f->store, &limits, &i, NULL), 0);
        (void) store_import_write(i, b.data, b.size, NULL);
        assert_int_equal(store_import_finish(i, NULL), -E2BIG);
        i = store_import_free(i);
        assert_empty(f);
}

/* Given up before the end, and after it. */
static void test_abort(void **state) {
        const Fixture *f = *state;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        write_canary(f);
        simple_image(&b);
        for (size_t n = 0; n <= b.size; n += b.size / 2) {
                _cleanup_(store_import_freep) StoreImport *i = NULL;

                assert_int_equal(store_import_new(f->store, &STORE_IMPORT_LIMITS_DEFAULT, &i, NULL), 0);
                assert_int_equal(store_import_write(i, b.data, n, NULL), 0);
                if (n == b.size)
                        assert_int_equal(store_import_finish(i, NULL), 0);
        }
        assert_empty(f);
        assert_int_equal(count(f, "blob/sha512"), 0);
}

/* A second import of the same bytes changes the description and nothing else; it heals a damaged blob (S1). */
static void test_again(void **state) {
        const Fixture *f = *state;
        _cleanup_(store_image_done) StoreImage image = STORE_IMAGE_INIT;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        StoreImage described = image_a;
        char key[STORE_KEY_MAX], path[STORE_BLOB_PATH_MAX];

        simple_image(&b);
        assert_int_equal(import(f, &b, &image_a, key, NULL), 0);
        store_blob_path(key, "", path);
        assert_int_equal(file_write_at(f->store->cas_fd, path, "damaged", 7, 0600, 0), 0);
        assert_int_equal(store_blob_verify(f->store, key, NULL), -EBADMSG);
        described.latest = true;
        described.signed_by = (char *[]){ (char[]){ "0123456789ABCDEF" }, NULL };
        assert_int_equal(import(f, &b, &described, key, NULL), 0);
        assert_int_equal(store_blob_verify(f->store, key, NULL), 0);
        assert_int_equal(store_image_load(f->store, key, &image, NULL), 0);
        assert_true(image.latest);
        assert_string_equal(image.signed_by[0], "0123456789ABCDEF");
        assert_int_equal(count(f, "ref/image"), 1);
        assert_int_equal(count(f, "tmp"), 0);
}

/* S4, and the tree of an image whose tree was collected: made anew from the blob; not from a damaged one (S1). */
static void test_render(void **state) {
        const Fixture *f = *state;
        _cleanup_close_ int tree = -EBADF;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        char key[STORE_KEY_MAX], path[STORE_BLOB_PATH_MAX];
        struct stat st;

        simple_image(&b);
        assert_int_equal(import(f, &b, &image_a, key, NULL), 0);
        assert_int_equal(store_tree_remove(f->store, key, NULL), 0);
        assert_false(store_tree_exists(f->store, key));
        assert_int_equal(store_tree_mount(f->store, key, &tree, NULL), 0);
        assert_int_equal(fstatat(tree, "etc/motd", &st, 0), 0);
        tree = fd_close(tree);
        assert_int_equal(store_tree_remove(f->store, key, NULL), 0);
        b.data[512] = 'X'; /* in the manifest's content: still a fine archive */
        store_blob_path(key, "", path);
        assert_int_equal(file_write_at(f->store->cas_fd, path, b.data, b.size, 0600, 0), 0);
        assert_int_equal(store_tree_mount(f->store, key, &tree, NULL), -EBADMSG);
        assert_false(store_tree_exists(f->store, key));
        assert_int_equal(count(f, "tmp"), 0);
}

static void test_two_at_once(void **state) {
        const Fixture *f = *state;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        pid_t pids[4];

        simple_image(&b);
        FOREACH_ARRAY (p, pids, ELEMENTSOF(pids)) {
                *p = fork();
                if (*p == 0) {
                        Fixture own = *f;

                        own.store = NULL;
                        if (store_open(f->dir, 0, &own.store, NULL) < 0)
                                _exit(1);
                        _exit(import(&own, &b, &image_a, NULL, NULL) < 0);
                }
                assert_true(*p > 0);
        }
        FOREACH_ARRAY (p, pids, ELEMENTSOF(pids)) {
                int status;

                assert_int_equal(waitpid(*p, &status, 0), *p);
                assert_int_equal(status, 0);
        }
        assert_int_equal(count(f, "ref/image"), 1);
        assert_int_equal(count(f, "tree"), 1);
        assert_int_equal(count(f, "tmp"), 0);
}

/* 91: a hole at the end, which GNU tar marks by an empty piece. */
static void test_sparse_file(void **state) {
        const Fixture *f = *state;
        _cleanup_close_ int tree = -EBADF;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT, body = STRBUF_INIT;
        _cleanup_free_ char *text = NULL;
        char key[STORE_KEY_MAX];
        size_t size;

        tar_record(&body, "GNU.sparse.size", "5000", 4);
        tar_record(&body, "GNU.sparse.map", "512,3,5000,0", 12);
        tar_begin_aci(&b);
        tar_add_meta(&b, 'x', body.data, body.size);
        tar_add(&b, &(TarSpec){ .name = "rootfs/s", .content = "abc" });
        tar_end(&b);
        assert_int_equal(import(f, &b, &image_a, key, NULL), 0);
        assert_int_equal(store_tree_mount(f->store, key, &tree, NULL), 0);
        assert_int_equal(file_read_at(tree, "s", 10000, &text, &size), 0);
        assert_int_equal(size, 5000);
        assert_memory_equal(text + 511, "\0abc\0", 5);
}

/* S10: killed at any time, nothing is left once the store was opened again, or all of it is there. */
static void test_kill(void **state) {
        const Fixture *f = *state;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        unsigned n_done = 0;

        write_canary(f);
        simple_image(&b);
        for (int i = 0; i < 40; i++) {
                _cleanup_(store_freep) Store *s = NULL;
                _cleanup_(store_image_list_done) StoreImageList list = {};
                pid_t pid = fork();

                assert_true(pid >= 0);
                if (pid == 0) {
                        char key[STORE_KEY_MAX];

                        _exit(import(f, &b, &image_a, key, NULL) < 0);
                }
                (void) usleep((useconds_t) (i * i * 20));
                (void) kill(pid, SIGKILL);
                (void) waitpid(pid, NULL, 0);
                assert_int_equal(store_open(f->dir, 0, &s, NULL), 0);
                /* A worker of the dead one may still be there for a moment, and hold its lock. */
                for (int k = 0; k < 200 && count(f, "tmp") > 0; k++) {
                        (void) usleep(5000);
                        assert_int_equal(store_tmp_clean(s, NULL), 0);
                }
                assert_int_equal(store_image_list(s, &list, NULL), 0);
                if (list.n_images > 0) {
                        assert_int_equal(store_blob_verify(s, list.images[0].key, NULL), 0);
                        assert_true(store_tree_exists(s, list.images[0].key));
                        assert_int_equal(store_image_remove(s, list.images[0].key, NULL), 0);
                        assert_int_equal(store_tree_remove(s, list.images[0].key, NULL), 0);
                        n_done++;
                }
                assert_empty(f);
        }
        print_message("# %u of 40 came to the end before they were killed\n", n_done);
}

/* The moments of a commit that a kill does not hit by chance: what cas/tmp/UUID/intent is for. */
static void test_unfinished_commit(void **state) {
        const Fixture *f = *state;
        static const bool with_tree[] = { true, false };

        write_canary(f);
        FOREACH_ARRAY (tree, with_tree, 2) {
                _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
                _cleanup_(store_freep) Store *s = NULL;
                _cleanup_free_ char *tmp = NULL, *intent = NULL;
                _cleanup_close_ int fd = -EBADF, blob = -EBADF;
                char key[STORE_KEY_MAX];

                simple_image(&b);
                assert_int_equal(import(f, &b, &image_a, key, NULL), 0);
                assert_int_equal(store_image_unlink(f->store, key), 0); /* all but the last step */
                assert_int_equal(store_tmp_new(f->store, &tmp, &fd, NULL), 0);
                intent = strf("%s%s\n", key, *tree ? " tree" : "");
                assert_int_equal(file_write_at(fd, STORE_TMP_INTENT, intent, strlen(intent), 0600, 0), 0);
                assert_int_equal(store_open(f->dir, 0, &s, NULL), 0);
                assert_int_equal(count(f, "tmp"), 1); /* alive: left alone */
                s = store_free(s);
                fd = fd_close(fd);
                assert_int_equal(store_open(f->dir, 0, &s, NULL), 0);
                assert_int_equal(store_blob_open(s, key, &blob, NULL, NULL), -ENOENT);
                assert_int_equal(store_tree_exists(s, key), !*tree);
                assert_int_equal(store_tree_remove(s, key, NULL), 0);
                assert_empty(f);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_import, setup, teardown),
                cmocka_unit_test_setup_teardown(test_trees, setup, teardown),
                cmocka_unit_test_setup_teardown(test_compressed, setup, teardown),
                cmocka_unit_test_setup_teardown(test_no_archive, setup, teardown),
                cmocka_unit_test_setup_teardown(test_ratio, setup, teardown),
                cmocka_unit_test_setup_teardown(test_abort, setup, teardown),
                cmocka_unit_test_setup_teardown(test_again, setup, teardown),
                cmocka_unit_test_setup_teardown(test_render, setup, teardown),
                cmocka_unit_test_setup_teardown(test_two_at_once, setup, teardown),
                cmocka_unit_test_setup_teardown(test_sparse_file, setup, teardown),
                cmocka_unit_test_setup_teardown(test_kill, setup, teardown),
                cmocka_unit_test_setup_teardown(test_unfinished_commit, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
