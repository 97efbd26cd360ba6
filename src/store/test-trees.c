/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Trees of several images, in every form that can be mounted here: who is not root has plain files only. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka needs the four above */
#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "store/store-gc.h"
#include "store/store-import.h"
#include "store/store-internal.h"
#include "store/store-tree.h"
#include "store/test-tar-build.h"

#define DEPS "deps-sha512-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void import(Store *s, StrBuf *b, char key[STORE_KEY_MAX]) {
        const StoreImage image = { .name = (char[]){ "example.com/a" } };
        _cleanup_(store_import_freep) StoreImport *i = NULL;

        tar_end(b);
        assert_int_equal(store_import_new(s, &STORE_IMPORT_LIMITS_DEFAULT, &i, NULL), 0);
        assert_int_equal(store_import_write(i, b->data, b->size, NULL), 0);
        assert_int_equal(store_import_finish(i, NULL), 0);
        memcpy(key, store_import_key(i), STORE_KEY_MAX);
        assert_int_equal(store_import_commit(i, &image, NULL), 0);
}

static void import_two(Store *s, char lower[STORE_KEY_MAX], char upper[STORE_KEY_MAX]) {
        _cleanup_strbuf_ StrBuf a = STRBUF_INIT, b = STRBUF_INIT;

        tar_begin_aci(&a);
        tar_add(&a, &(TarSpec){ .name = "rootfs/etc", .type = '5', .mode = 0700 });
        tar_add(&a, &(TarSpec){ .name = "rootfs/etc/both", .content = "lower\n" });
        tar_add(&a, &(TarSpec){ .name = "rootfs/etc/lower", .content = "only lower\n" });
        tar_add(&a, &(TarSpec){ .name = "rootfs/etc/secret", .content = "not wanted\n" });
        tar_add(&a, &(TarSpec){ .name = "rootfs/etc/link", .type = '1', .link = "rootfs/etc/secret" });
        import(s, &a, lower);
        tar_begin_aci(&b);
        tar_add(&b, &(TarSpec){ .name = "rootfs/etc", .type = '5', .mode = 0755 });
        tar_add(&b, &(TarSpec){ .name = "rootfs/etc/both", .content = "upper\n" });
        tar_add(&b, &(TarSpec){ .name = "rootfs/etc/upper", .content = "only upper\n" });
        import(s, &b, upper);
}

static void assert_file(int root, const char *path, const char *content) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r = file_read_at(root, path, 100, &text, &size);

        if (!content) {
                assert_int_equal(r, -ENOENT);
                return;
        }
        assert_int_equal(r, 0);
        assert_string_equal(text, content);
}

typedef struct Walked {
        StrBuf names;
        char content[16]; /* of etc/both */
} Walked;

static int on_entry(void *userdata, const TarEntry *t, int blob_fd, Error *e) {
        Walked *w = userdata;

        strbuf_addf(&w->names, "%s%s%s ", t->path, t->link ? ">" : "", str_or(t->link, ""));
        if (streq(t->path, "etc/both")) {
                assert_int_equal(t->size, t->segments[0].size);
                assert_int_equal(pread(blob_fd, w->content, t->size, (off_t) t->segments[0].source), t->size);
        }
        return streq(t->path, "etc/upper") ? error_setf(e, -ECANCELED, "enough") : 0;
}

/* What is merged, without a tree on disk; an error of who looks ends it. */
static void check_walk(Store *s, const StoreTreePart *parts, size_t n_parts) {
        _cleanup_(store_tree_reader_freep) StoreTreeReader *x = NULL;

        assert_int_equal(store_tree_reader_new(s, parts, n_parts, &x, NULL), 0);
        for (int i = 0; i < 2; i++) {
                _cleanup_error_ Error e = ERROR_INIT;
                Walked w = {};

                assert_int_equal(store_tree_reader_walk(x, on_entry, &w, &e), -ECANCELED);
                assert_string_equal(e.message, "enough");
                assert_string_equal(w.names.data, " etc etc/both etc/link etc/lower etc/upper ");
                assert_string_equal(w.content, "upper\n");
                strbuf_done(&w.names);
        }
}

static void check_parts(Store *s) {
        const char *const kept[] = { "/etc/both", "/etc/lower", "/etc/link", NULL };
        char lower[STORE_KEY_MAX], upper[STORE_KEY_MAX];
        const StoreTreePart parts[] = { { .key = lower, .whitelist = (char *const *) (uintptr_t) kept },
                                        { .key = upper },
                                        { .key = lower, .whitelist = (char *[]){ NULL } } };
        _cleanup_strv_free_ char **blobs = NULL;
        _cleanup_close_ int root = -EBADF;
        struct stat st;

        import_two(s, lower, upper);
        assert_false(store_tree_exists(s, DEPS));
        check_walk(s, parts, ELEMENTSOF(parts));
        assert_int_equal(store_tree_mount(s, DEPS, &root, NULL), -ENOENT);
        assert_int_equal(store_tree_build(s, DEPS, parts, ELEMENTSOF(parts), NULL), 0);
        assert_true(store_tree_exists(s, DEPS));
        assert_int_equal(store_tree_blobs(s, DEPS, &blobs, NULL), 0);
        assert_int_equal(strv_length(blobs), 2);
        assert_string_equal(blobs[0], lower);
        assert_string_equal(blobs[1], upper);
        assert_int_equal(store_tree_mount(s, DEPS, &root, NULL), 0);
        assert_file(root, "etc/both", "upper\n");
        assert_file(root, "etc/lower", "only lower\n");
        assert_file(root, "etc/link",
                    "not wanted\n"); /* a file of its own, now that the other name is gone */
        assert_file(root, "etc/secret", NULL);
        assert_file(root, "etc/upper", "only upper\n");
        assert_int_equal(fstatat(root, "etc", &st, 0), 0);
        assert_int_equal(st.st_mode, S_IFDIR | 0755);
        assert_int_equal(store_tree_remove(s, DEPS, NULL), 0);
        assert_false(store_tree_exists(s, DEPS));
        /* With a blob that has changed nothing is made. */
        store_image_remove(s, upper, NULL);
        assert_int_equal(store_tree_build(s, DEPS, parts, ELEMENTSOF(parts), NULL), -ENOENT);
        assert_false(store_tree_exists(s, DEPS));
}

static void check_backend(const char *name) {
        char dir[] = "/tmp/test-trees-XXXXXX";
        Store *s = NULL;

        assert_non_null(mkdtemp(dir));
        assert_int_equal(setenv("RKT_TREE_BACKEND", name, 1), 0);
        assert_int_equal(store_open(dir, 0, &s, NULL), 0);
        check_parts(s);
        store_free(s);
        assert_int_equal(remove_tree_at(AT_FDCWD, dir), 0);
}

static void test_parts(void **state _unused_) {
        static const char *const all[] = { "index", "index-loop", "image", "dir" };
        char dir[] = "/tmp/test-trees-XXXXXX";
        StoreTreeBackend best;
        Store *s = NULL;

        assert_non_null(mkdtemp(dir));
        assert_int_equal(unsetenv("RKT_TREE_BACKEND"), 0);
        assert_int_equal(store_open(dir, 0, &s, NULL), 0);
        assert_int_equal(store_tree_choose(s, &best, NULL), 0);
        store_free(s);
        assert_int_equal(remove_tree_at(AT_FDCWD, dir), 0);
        /* What is worse than the best works as well: but loop devices may be missing where files are mounted. */
        for (size_t i = (size_t) best; i < ELEMENTSOF(all); i++)
                if (i != STORE_TREE_INDEX_LOOP || best == STORE_TREE_INDEX_LOOP)
                        check_backend(all[i]);
}

static void test_names(void **state _unused_) {
        for (int b = 0; b < _STORE_TREE_BACKEND_MAX; b++)
                assert_int_equal(store_tree_backend_from_string(store_tree_backend_to_string(b)), b);
        assert_int_equal(store_tree_backend_from_string("zip"), -EINVAL);
        assert_null(store_tree_backend_to_string(_STORE_TREE_BACKEND_INVALID));
        assert_true(store_tree_key_is_valid(DEPS));
        assert_true(store_tree_key_is_valid(DEPS + 5));
        assert_false(store_tree_key_is_valid("deps-"));
        assert_false(store_tree_key_is_valid("../etc"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_parts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
