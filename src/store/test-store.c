/* SPDX-License-Identifier: LGPL-2.1-or-later */
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
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "store/store-blob.h"
#include "store/store-gc.h"
#include "store/store-import.h"
#include "store/store-internal.h"
#include "store/store-ref.h"
#include "store/store-tree.h"
#include "store/store.h"
#include "store/test-tar-build.h"

typedef struct Fixture {
        char dir[64];
        Store *store;
} Fixture;

static int setup(void **state) {
        Fixture *f = new0(Fixture, 1);

        (void) snprintf(f->dir, sizeof(f->dir), "/tmp/test-store-XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        assert_int_equal(store_open(f->dir, 0, &f->store, NULL), 0);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        store_free(f->store);
        assert_int_equal(remove_tree_at(AT_FDCWD, f->dir), 0);
        free(f);
        return 0;
}

static size_t count(const Fixture *f, const char *folder) {
        _cleanup_strv_free_ char **names = NULL;

        assert_int_equal(dir_list_at(f->store->cas_fd, folder, &names), 0);
        return strv_length(names);
}

static void simple_image(StrBuf *b) {
        tar_begin_aci(b);
        tar_add(b, &(TarSpec){ .name = "rootfs/etc", .type = '5', .mode = 0750, .mtime = 1000000000 });
        tar_add(b,
                &(TarSpec){
                        .name = "rootfs/etc/motd", .content = "hello\n", .mode = 0640, .mtime = 1234567890 });
        tar_add(b, &(TarSpec){ .name = "rootfs/etc/issue", .type = '1', .link = "rootfs/etc/motd" });
        tar_add(b, &(TarSpec){ .name = "rootfs/run", .type = '5' });
        tar_add(b, &(TarSpec){ .name = "rootfs/var/run", .type = '2', .link = "/run" });
        tar_add(b, &(TarSpec){ .name = "rootfs/var/run/pid", .content = "1\n" });
        tar_end(b);
}

static int import(const Fixture *f, const StrBuf *b, const StoreImage *image, char key[STORE_KEY_MAX],
                  Error *e) {
        _cleanup_(store_import_freep) StoreImport *i = NULL;
        int r;

        r = store_import_new(f->store, &STORE_IMPORT_LIMITS_DEFAULT, &i, e);
        if (r < 0)
                return r;
        (void) store_import_write(i, b->data, b->size, NULL);
        r = store_import_finish(i, e);
        if (r < 0)
                return r;
        if (key)
                memcpy(key, store_import_key(i), STORE_KEY_MAX);
        return store_import_commit(i, image, e);
}

static const StoreImage image_a = { .name = (char[]){ "example.com/a" },
                                    .source = (char[]){ "https://example.com/a.aci" } };

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

static void write_canary(const Fixture *f) {
        assert_int_equal(file_write_at(f->store->dir_fd, "canary", "safe", 4, 0600, 0), 0);
}

static void assert_canary(const Fixture *f) {
        _cleanup_free_ char *text = NULL;
        struct stat st;

        assert_int_equal(file_read_at(f->store->dir_fd, "canary", 10, &text, NULL), 0);
        assert_string_equal(text, "safe");
        assert_int_equal(fstatat(f->store->dir_fd, "canary", &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(st.st_nlink, 1);
        assert_int_equal(st.st_mode, S_IFREG | 0600);
}

/* Nothing of an import is left, not even a folder for its blob's neighbours. */
static void assert_empty(const Fixture *f) {
        assert_int_equal(count(f, "tmp"), 0);
        assert_int_equal(count(f, "tree"), 0);
        assert_int_equal(count(f, "ref/image"), 0);
        assert_canary(f);
}

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

static void compress_by(const char *program, const StrBuf *in, StrBuf *out) {
        char name[] = "/tmp/test-store-in-XXXXXX";
        _cleanup_free_ char *command = NULL, *data = NULL;
        _cleanup_close_ int fd = mkstemp(name);
        size_t size = 0;
        FILE *p;

        command = strf("%s -c <%s", program, name);
        assert_non_null(command);
        assert_int_equal(fd_write_all(fd, in->data, in->size), 0);
        p = popen(command, "re");
        assert_non_null(p);
        assert_int_equal(fd_read_to_end(fileno(p), 1 << 24, &data, &size), 0);
        assert_int_equal(pclose(p), 0);
        strbuf_add_n(out, data, size);
        (void) unlink(name);
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
        print_message("%u of 40 came to the end before they were killed\n", n_done);
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

static void add_image(const Fixture *f, char digit, const char *name, const char *version, usec_t when,
                      bool latest) {
        char id[STORE_ID_MAX] = "sha512-";
        StoreLabel labels[] = { { (char[]){ "version" }, (char *) (uintptr_t) version },
                                { (char[]){ "os" }, (char[]){ "linux" } } };
        StoreImage i = { .id = id,
                         .name = (char *) (uintptr_t) name,
                         .labels = labels,
                         .n_labels = 2,
                         .import_usec = when,
                         .latest = latest };

        memset(id + 7, digit, STORE_DIGEST_HEX);
        id[STORE_ID_MAX - 1] = '\0';
        assert_int_equal(store_image_write(f->store, &i, NULL), 0);
}

static void assert_found(const Fixture *f, const char *name, const char *version, char digit) {
        _cleanup_(store_image_done) StoreImage i = STORE_IMAGE_INIT;
        StoreLabel label = { (char[]){ "version" }, (char *) (uintptr_t) version };
        int r;

        r = store_image_find(f->store, name, &label, version ? 1 : 0, &i, NULL);
        assert_int_equal(r, digit ? 0 : -ENOENT);
        if (digit)
                assert_int_equal(i.key[10], digit);
}

/* Newest first; without a version, those that were fetched without one (rkt.md 3.3). */
static void test_find(void **state) {
        const Fixture *f = *state;
        _cleanup_(store_image_list_done) StoreImageList list = {};
        char key[STORE_KEY_MAX];

        add_image(f, 'a', "example.com/app", "1", 1000, false);
        add_image(f, 'b', "example.com/app", "1", 3000, false);
        add_image(f, 'c', "example.com/app", "2", 2000, true);
        add_image(f, 'd', "example.com/app", "3", 1500, true);
        add_image(f, 'e', "example.com/other", "1", 9000, false);
        assert_found(f, "example.com/app", NULL, 'c');
        assert_found(f, "example.com/app", "1", 'b');
        assert_found(f, "example.com/app", "2", 'c');
        assert_found(f, "example.com/app", "4", 0);
        assert_found(f, "example.com/ap", NULL, 0);
        assert_found(f, "example.com/other", NULL, 'e');
        assert_int_equal(store_image_list(f->store, &list, NULL), 0);
        assert_int_equal(list.n_images, 5);

        assert_int_equal(store_key_find(f->store, "sha512-aa", key, NULL), 0);
        assert_int_equal(key[20], 'a');
        add_image(f, 'a', "example.com/app", "9", 1, false);
        assert_int_equal(store_key_find(f->store, "sha512-ff", key, NULL), -ENOENT);
        /* C3 */
        assert_int_equal(store_key_find(f->store, "sha512-f", key, NULL), -EINVAL);
        assert_int_equal(store_key_find(f->store, "sha512-fx", key, NULL), -EINVAL);
        assert_int_equal(store_key_find(f->store, "sha512-../../x", key, NULL), -EINVAL);
        assert_int_equal(store_key_find(f->store, "sha256-aaaa", key, NULL), -EINVAL);
}

/* All members come back; those that a file of an older version lacks are unset, unknown ones are skipped. */
static void test_members(void **state) {
        const Fixture *f = *state;
        _cleanup_(store_image_done) StoreImage i = STORE_IMAGE_INIT, old = STORE_IMAGE_INIT;
        _cleanup_strv_free_ char **names = NULL;
        _cleanup_free_ char *path = NULL, *text = NULL;
        char id[STORE_ID_MAX] = "sha512-", key[STORE_KEY_MAX];
        StoreSignature signature = { (char[]){ "0123ABCD" }, (char[]){ "Example <keys@example.com>" },
                                     (char[]){ "/etc/rkt/trustedkeys/root.d/0123abcd" }, 77 };
        char *insecure[] = { (char[]){ "http" }, (char[]){ "tls" }, NULL };
        StoreImage written = { .id = id,
                               .name = (char[]){ "example.com/app" },
                               .source = (char[]){ "https://example.com/app.aci" },
                               .signatures = &signature,
                               .n_signatures = 1,
                               .insecure = insecure,
                               .latest = true,
                               .size = 10,
                               .tree_size = 20,
                               .import_usec = 30 };

        memset(id + 7, 'a', STORE_DIGEST_HEX);
        id[STORE_ID_MAX - 1] = '\0';
        assert_int_equal(store_key_from_id(id, key), 0);
        assert_int_equal(store_image_write(f->store, &written, NULL), 0);
        assert_int_equal(store_image_load(f->store, key, &i, NULL), 0);
        assert_int_equal(i.n_signatures, 1);
        assert_string_equal(i.signatures[0].fingerprint, signature.fingerprint);
        assert_string_equal(i.signatures[0].identity, signature.identity);
        assert_string_equal(i.signatures[0].key_file, signature.key_file);
        assert_int_equal(i.signatures[0].time_usec, 77);
        assert_string_equal(i.insecure[1], "tls");
        assert_true(i.latest && i.size == 10 && i.tree_size == 20 && i.import_usec == 30);

        assert_int_equal(dir_list_at(f->store->cas_fd, "ref/image", &names), 0);
        path = strf("ref/image/%s", names[0]);
        text = strf("{\"id\":\"%s\",\"name\":\"n\",\"size\":1,\"importTimeUSec\":2,\"later\":[{}]}", id);
        assert_int_equal(file_write_at(f->store->cas_fd, path, text, strlen(text), 0600, 0), 0);
        assert_int_equal(store_image_load(f->store, key, &old, NULL), 0);
        assert_true(old.n_signatures == 0 && !old.insecure && !old.latest && old.tree_size == 0);

        /* what is not even a file */
        assert_int_equal(unlinkat(f->store->cas_fd, path, 0), 0);
        assert_int_equal(symlinkat("/etc/passwd", f->store->cas_fd, path), 0);
        assert_int_equal(store_image_load(f->store, key, &old, NULL), -EBADMSG);
        assert_int_equal(unlinkat(f->store->cas_fd, path, 0), 0);
        assert_int_equal(mkfifoat(f->store->cas_fd, path, 0600), 0);
        assert_int_equal(store_image_load(f->store, key, &old, NULL), -EBADMSG);
}

static void test_remote(void **state) {
        const Fixture *f = *state;
        _cleanup_(store_remote_done) StoreRemote r = STORE_REMOTE_INIT;
        char key[] = "sha512-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        const StoreRemote remote = { .url = (char[]){ "https://example.com/a.aci" },
                                     .etag = (char[]){ "\"x\\y\"" },
                                     .key = key,
                                     .cache_max_age = 60,
                                     .download_usec = 1234567 };

        assert_int_equal(store_remote_load(f->store, remote.url, &r, NULL), -ENOENT);
        assert_int_equal(store_remote_write(f->store, &remote, NULL), 0);
        assert_int_equal(store_remote_load(f->store, remote.url, &r, NULL), 0);
        assert_string_equal(r.etag, remote.etag);
        assert_string_equal(r.key, key);
        assert_null(r.signature_url);
        assert_int_equal(r.cache_max_age, 60);
        assert_int_equal(r.download_usec, 1234567);
        assert_int_equal(store_remote_remove(f->store, remote.url, NULL), 0);
        assert_int_equal(store_remote_load(f->store, remote.url, &(StoreRemote){}, NULL), -ENOENT);
        assert_int_equal(count(f, "tmp"), 0);
}

/* S2, S6, S7, C14, S14: what is damaged is left out, a newer layout is refused, so is a folder that others can change. */
static void test_damage(void **state) {
        const Fixture *f = *state;
        _cleanup_(store_image_list_done) StoreImageList list = {};
        _cleanup_strv_free_ char **names = NULL;
        _cleanup_free_ char *path = NULL;
        Store *s = NULL;

        add_image(f, 'a', "example.com/app", "1", 1000, false);
        add_image(f, 'b', "example.com/app", "2", 2000, false);
        assert_int_equal(dir_list_at(f->store->cas_fd, "ref/image", &names), 0);
        path = strf("ref/image/%s", names[1]);
        assert_int_equal(file_write_at(f->store->cas_fd, path, "{", 1, 0600, 0), 0);
        assert_int_equal(file_write_at(f->store->cas_fd, "ref/image/garbage", "{", 1, 0600, 0), 0);
        assert_int_equal(store_image_list(f->store, &list, NULL), 0);
        assert_int_equal(list.n_images, 1);
        assert_int_equal(strv_length(list.errors), 1);
        assert_non_null(strstr(list.errors[0], names[1]));

        assert_int_equal(file_write_at(f->store->cas_fd, "version", "2\n", 2, 0600, 0), 0);
        assert_int_equal(store_open(f->dir, 0, &s, NULL), -EOPNOTSUPP);
        assert_int_equal(file_write_at(f->store->cas_fd, "version", "", 0, 0600, 0), 0);
        assert_int_equal(store_open(f->dir, 0, &s, NULL), -EBADMSG);
        assert_int_equal(file_write_at(f->store->cas_fd, "version", "1\n", 2, 0600, 0), 0);
        assert_int_equal(fchmod(f->store->cas_fd, 0777), 0);
        assert_int_equal(store_open(f->dir, 0, &s, NULL), -EPERM);
        assert_int_equal(fchmod(f->store->cas_fd, 0700), 0);
        assert_int_equal(store_open("/nonexistent/store", STORE_OPEN_READ_ONLY, &s, NULL), -ENOENT);
        assert_null(s);
}

typedef struct Changes {
        unsigned n[_STORE_CHANGE_TYPE_MAX];
} Changes;

static void on_change(void *userdata, StoreChangeType type, const char *name) {
        Changes *c = userdata;

        assert_non_null(name);
        c->n[type]++;
}

/* Collects, and looks at how many trees, images, broken ones, blobs and rests of downloads went. */
static void assert_gc(const Fixture *f, StoreGcOptions o, unsigned trees, unsigned images, unsigned broken,
                      unsigned blobs, unsigned spools) {
        _cleanup_close_ int lock = -EBADF;
        Changes c = {};

        o.change = on_change;
        o.userdata = &c;
        assert_int_equal(store_lock(f->store, LOCK_MODE_EXCLUSIVE, 0, &lock, NULL), 0);
        assert_int_equal(store_gc(f->store, &o, NULL), 0);
        lock = fd_close(lock);
        assert_int_equal(store_tmp_clean(f->store, NULL), 0);
        assert_int_equal(c.n[STORE_CHANGE_TREE], trees);
        assert_int_equal(c.n[STORE_CHANGE_IMAGE], images);
        assert_int_equal(c.n[STORE_CHANGE_BROKEN], broken);
        assert_int_equal(c.n[STORE_CHANGE_BLOB], blobs);
        assert_int_equal(c.n[STORE_CHANGE_SPOOL], spools);
}

#define YOUNG .grace_usec = USEC_INFINITY, .tree_grace_usec = USEC_INFINITY

/* What is used stays, whatever its age; S13: a clock that is wrong makes nothing old. */
static void test_gc(void **state) {
        const Fixture *f = *state;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        char key[STORE_KEY_MAX], *used[] = { key, NULL };
        const usec_t day = 86400 * USEC_PER_SEC;

        write_canary(f);
        simple_image(&b);
        assert_int_equal(import(f, &b, &image_a, key, NULL), 0);
        assert_gc(f, (StoreGcOptions){ YOUNG }, 0, 0, 0, 0, 0);
        assert_gc(f, (StoreGcOptions){ .grace_usec = day, .tree_grace_usec = day }, 0, 0, 0, 0, 0);
        assert_gc(f, (StoreGcOptions){ .grace_usec = day, .tree_grace_usec = day, .now_usec = 1 }, 0, 0, 0, 0,
                  0);
        assert_gc(f, (StoreGcOptions){ .used_trees = used }, 0, 0, 0, 0, 0);
        assert_true(store_tree_exists(f->store, key));
        assert_gc(f, (StoreGcOptions){ .grace_usec = day }, 1, 0, 0, 0, 0);
        assert_false(store_tree_exists(f->store, key));
        assert_int_equal(store_blob_verify(f->store, key, NULL), 0);
        assert_gc(f, (StoreGcOptions){}, 0, 1, 0, 0, 0);
        assert_empty(f);
}

/* An image that is removed while a pod refers to its tree: tree and blob stay for as long. */
static void test_take(void **state) {
        const Fixture *f = *state;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        char key[STORE_KEY_MAX], *used[] = { key, NULL };

        write_canary(f);
        simple_image(&b);
        assert_int_equal(import(f, &b, &image_a, key, NULL), 0);
        assert_int_equal(store_image_take(f->store, key, used, NULL), 1);
        assert_int_equal(store_image_take(f->store, key, used, NULL), -ENOENT);
        assert_int_equal(count(f, "ref/image"), 0);
        assert_true(store_tree_exists(f->store, key));
        assert_gc(f, (StoreGcOptions){ .used_trees = used }, 0, 0, 0, 0, 0);
        assert_int_equal(store_blob_verify(f->store, key, NULL), 0);
        assert_gc(f, (StoreGcOptions){ YOUNG }, 1, 0, 0, 1, 0);
        assert_empty(f);
}

/* S1, S3, S10, S15: a blob that is cut off or missing, a file of an image that is damaged, old rests. */
static void test_gc_damage(void **state) {
        const Fixture *f = *state;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        _cleanup_strv_free_ char **names = NULL;
        _cleanup_free_ char *ref = NULL;
        char key[STORE_KEY_MAX], path[STORE_BLOB_PATH_MAX];
        const StoreRemote remote = { .url = (char[]){ "https://example.com/a.aci" }, .key = key };

        write_canary(f);
        simple_image(&b);
        assert_int_equal(import(f, &b, &image_a, key, NULL), 0);
        assert_int_equal(store_remote_write(f->store, &remote, NULL), 0);
        assert_gc(f, (StoreGcOptions){ YOUNG }, 0, 0, 0, 0, 0);
        assert_int_equal(count(f, "ref/remote"), 1);
        store_blob_path(key, "", path);
        assert_int_equal(file_write_at(f->store->cas_fd, path, "cut", 3, 0600, 0), 0);
        assert_gc(f, (StoreGcOptions){ YOUNG }, 1, 0, 1, 0, 0);
        assert_int_equal(count(f, "ref/remote"), 0);
        assert_empty(f);

        assert_int_equal(import(f, &b, &image_a, key, NULL), 0);
        assert_int_equal(unlinkat(f->store->cas_fd, path, 0), 0);
        assert_gc(f, (StoreGcOptions){ YOUNG }, 1, 0, 1, 0, 0);
        assert_empty(f);

        assert_int_equal(import(f, &b, &image_a, key, NULL), 0);
        assert_int_equal(dir_list_at(f->store->cas_fd, "ref/image", &names), 0);
        ref = strf("ref/image/%s", names[0]);
        assert_int_equal(file_write_at(f->store->cas_fd, ref, "{", 1, 0600, 0), 0);
        assert_gc(f, (StoreGcOptions){ YOUNG }, 1, 0, 1, 1, 0);
        assert_empty(f);

        assert_int_equal(file_write_at(f->store->cas_fd, "tmp/download", "half", 4, 0600, 0), 0);
        assert_gc(f, (StoreGcOptions){ YOUNG }, 0, 0, 0, 0, 0);
        assert_int_equal(utimensat(f->store->cas_fd, "tmp/download", (struct timespec[2]){}, 0), 0);
        assert_gc(f, (StoreGcOptions){ YOUNG }, 0, 0, 0, 0, 1);
        assert_empty(f);
}

/* Whoever wants to be alone gets it in time, although there is always somebody who shares. */
static void test_turn(void **state) {
        const Fixture *f = *state;
        _cleanup_close_ int mine = -EBADF, other = -EBADF, alone = -EBADF;
        _cleanup_error_ Error e = ERROR_INIT;
        pid_t pids[3];

        assert_int_equal(store_lock(f->store, LOCK_MODE_SHARED, 1, &mine, NULL), 0);
        assert_int_equal(store_lock(f->store, LOCK_MODE_EXCLUSIVE, 0, &alone, &e), -EBUSY);
        assert_non_null(strstr(error_text(&e, 0), "(PID "));
        /* one who shares already may do so again */
        assert_int_equal(store_lock(f->store, LOCK_MODE_SHARED, 1, &other, NULL), 0);
        mine = fd_close(mine);
        other = fd_close(other);
        FOREACH_ARRAY (p, pids, ELEMENTSOF(pids)) {
                *p = fork();
                if (*p == 0)
                        for (;;) {
                                _cleanup_close_ int fd = -EBADF;

                                if (store_lock(f->store, LOCK_MODE_SHARED, 1, &fd, NULL) < 0)
                                        _exit(1);
                                (void) usleep(20000);
                        }
        }
        (void) usleep(30000);
        assert_int_equal(store_lock(f->store, LOCK_MODE_EXCLUSIVE, 1, &alone, NULL), 0);
        FOREACH_ARRAY (p, pids, ELEMENTSOF(pids)) {
                (void) kill(*p, SIGKILL);
                (void) waitpid(*p, NULL, 0);
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
                cmocka_unit_test_setup_teardown(test_find, setup, teardown),
                cmocka_unit_test_setup_teardown(test_members, setup, teardown),
                cmocka_unit_test_setup_teardown(test_remote, setup, teardown),
                cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
                cmocka_unit_test_setup_teardown(test_gc, setup, teardown),
                cmocka_unit_test_setup_teardown(test_take, setup, teardown),
                cmocka_unit_test_setup_teardown(test_gc_damage, setup, teardown),
                cmocka_unit_test_setup_teardown(test_turn, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
