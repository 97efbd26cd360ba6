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
        _cleanup_(store_tree_done) StoreTree tree = STORE_TREE_INIT;
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

        assert_int_equal(store_tree_open(f->store, key, &tree, NULL), 0);
        assert_int_equal(fstatat(tree.root_fd, "etc/motd", &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(st.st_mode, S_IFREG | 0640);
        assert_int_equal(st.st_mtim.tv_sec, 1234567890);
        assert_int_equal(fstatat(tree.root_fd, "etc/issue", &st2, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(st.st_ino, st2.st_ino);
        assert_int_equal(fstatat(tree.root_fd, "etc", &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(st.st_mode, S_IFDIR | 0750);
        assert_int_equal(st.st_mtim.tv_sec, 1000000000);
        assert_int_equal(file_read_at(tree.root_fd, "run/pid", 10, &pid, NULL), 0);
        assert_int_equal(count(f, "tmp"), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_import, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
