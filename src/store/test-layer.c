/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Layers of OCI images, in every form that can be mounted here: who is not root has plain files only. */
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
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#include "basic/clock.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "store/store-blob.h"
#include "store/store-gc.h"
#include "store/store-internal.h"
#include "store/store-layer.h"
#include "store/store-tree.h"
#include "store/store-verify.h"
#include "store/test-layer.h"
#include "store/test-store-fixture.h"

#define NOWHERE "sha256:0000000000000000000000000000000000000000000000000000000000000000"

static void assert_file(int root, const char *path, const char *content) {
        _cleanup_free_ char *text = NULL;
        int r = file_read_at(root, path, 100, &text, NULL);

        if (r != (content ? 0 : -ENOENT))
                fail_msg("'%s': %s", path, strerror(-r));
        if (content)
                assert_string_equal(text, content);
}

/* A layer comes in, with all that is known about it; blob, tree and image are what they should be. */
static void test_import(void **state) {
        const Fixture *f = *state;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        _cleanup_close_ int root = -EBADF, blob = -EBADF;
        _cleanup_free_ char *config = NULL, *manifest = NULL;
        char key[STORE_KEY_MAX], found[STORE_KEY_MAX], digest[160], diff_id[160];
        _cleanup_(store_image_done) StoreImage image = STORE_IMAGE_INIT, loaded = STORE_IMAGE_INIT;
        StoreLayerExpect x = { .digest = digest, .diff_id = diff_id };
        const StoreOciParts parts = { "{\"m\":1}", 7, "{\"c\":2}", 7, "{\"acKind\":\"ImageManifest\"}" };
        uint64_t size;

        tar_add(&b, &(TarSpec){ .name = "./", .type = '5', .mode = 0750 });
        tar_add(&b, &(TarSpec){ .name = "etc/motd", .content = "hello\n", .mode = 0640 });
        tar_add(&b, &(TarSpec){ .name = "/usr/bin/tool", .content = "tool\n" });
        tar_add(&b, &(TarSpec){ .name = "usr/bin/link", .type = '1', .link = "/usr/bin/tool" });
        tar_add(&b, &(TarSpec){ .name = "manifest", .content = "a file\n" });
        tar_add(&b, &(TarSpec){ .name = "etc/motd", .content = "later\n" });
        tar_end(&b);
        x.size = b.size;
        digest_of(DIGEST_SHA512, b.data, b.size, digest);
        digest_of(DIGEST_SHA256, b.data, b.size, diff_id);
        assert_int_equal(store_layer_find(f->store, diff_id, found), -ENOENT);
        assert_int_equal(import(f->store, b.data, b.size, &x, key, NULL), 0);
        assert_string_equal(key + 7, diff_id + 7);
        assert_true(store_layer_key_is_valid(key));
        assert_false(store_key_is_valid(key));
        assert_int_equal(store_layer_find(f->store, diff_id, found), 0);
        assert_string_equal(found, key);
        assert_int_equal(store_layer_find(f->store, digest, found), -ENOENT);
        assert_int_equal(store_layer_blob_open(f->store, key, &blob, &size, NULL), 0);
        assert_int_equal(size, b.size);
        assert_int_equal(store_blob_verify(f->store, key, NULL), 0);

        assert_true(store_tree_exists(f->store, key));
        assert_int_equal(store_tree_remove(f->store, key, NULL), 0);
        assert_int_equal(store_tree_mount(f->store, key, &root, NULL), 0);
        assert_file(root, "etc/motd", "later\n");
        assert_file(root, "usr/bin/link", "tool\n");
        assert_file(root, "manifest", "a file\n");

        image.name = strdup("example.com/app");
        assert_int_equal(strv_extend(&image.layers, key), 0);
        assert_int_equal(strv_extend(&image.layers, key), 0);
        image.reference = strdup("docker://example.com/app:latest");
        assert_int_equal(store_oci_commit(f->store, &parts, &image, NULL), 0);
        assert_int_equal(store_image_load(f->store, image.key, &loaded, NULL), 0);
        digest_of(DIGEST_SHA512, parts.manifest, 7, digest);
        assert_string_equal(loaded.id + 7, digest + 7);
        assert_int_equal(strv_length(loaded.layers), 2);
        assert_string_equal(loaded.layers[1], key);
        assert_string_equal(loaded.reference, image.reference);
        assert_int_equal(loaded.size, b.size);
        assert_int_equal(store_oci_config_read(f->store, image.key, &config, NULL, NULL), 0);
        assert_string_equal(config, "{\"c\":2}");
        assert_int_equal(store_manifest_read(f->store, image.key, &manifest, NULL, NULL), 0);
        assert_string_equal(manifest, parts.appc_manifest);
        assert_int_equal(store_blob_verify(f->store, image.key, NULL), 0);
}

/* umoci insert writes no blocks of zeros at the end; what is cut off within an entry is cut off. */
static void test_without_end(void **state) {
        const Fixture *f = *state;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        _cleanup_close_ int root = -EBADF;
        char key[STORE_KEY_MAX];

        tar_add(&b, &(TarSpec){ .name = "a", .content = "a\n" });
        tar_add(&b, &(TarSpec){ .name = "b", .content = "b\n" });
        assert_int_equal(import(f->store, b.data, b.size, NULL, key, NULL), 0);
        assert_int_equal(store_tree_mount(f->store, key, &root, NULL), 0);
        assert_file(root, "b", "b\n");
        assert_int_equal(import(f->store, b.data, b.size - 512, NULL, key, NULL), -EBADMSG);
        assert_int_equal(import(f->store, b.data, b.size - 700, NULL, key, NULL), -EBADMSG);
        tar_add_pax(&b, "path", "c");
        assert_int_equal(import(f->store, b.data, b.size, NULL, key, NULL), -EBADMSG);
}

/* The digest is that of the bytes as they come, whatever they are compressed by. */
static void test_compressed(void **state) {
        const Fixture *f = *state;
        static char content[100000], packed[200000];
        char key[STORE_KEY_MAX], digest[160], diff_id[160];
        StoreLayerExpect x = { .digest = digest, .diff_id = diff_id };
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        _cleanup_error_ Error e = ERROR_INIT;
        size_t n;
        int r;

        for (size_t i = 0; i < sizeof(content); i++)
                content[i] = (char) ('a' + i * i % 23);
        tar_add(&b, &(TarSpec){ .name = "a", .content = content, .size = sizeof(content) });
        tar_end(&b);
        n = ZSTD_compress(packed, sizeof(packed), b.data, b.size, 3);
        assert_false(ZSTD_isError(n));
        x.size = n;
        digest_of(DIGEST_SHA256, packed, n, digest);
        digest_of(DIGEST_SHA512, b.data, b.size, diff_id);
        r = import(f->store, packed, n, &x, key, &e);
        if (r < 0)
                fail_msg("%s", error_text(&e, r));
        assert_int_equal(store_blob_verify(f->store, key, NULL), 0);
        diff_id[20] = diff_id[20] == '0' ? '1' : '0';
        assert_int_equal(import(f->store, packed, n, &x, key, NULL), -EBADMSG);
        /* both digests are the same: it must be the archive itself */
        x.diff_id = x.digest;
        assert_int_equal(import(f->store, packed, n, &x, key, &e), -EBADMSG);
        assert_string_equal(error_text(&e, 0), "it is not the plain tar archive that it should be");
        x.diff_id = diff_id;
        error_done(&e);
        /* one damaged byte: the digest says more than the archive */
        packed[n / 2] ^= 1;
        assert_int_equal(import(f->store, packed, n, &x, key, &e), -EBADMSG);
        assert_non_null(strstr(error_text(&e, 0), "the layer's digest: expected "));
}

/* What a build step gives that changes nothing: 1024 zeros. It can be the only layer. */
static void test_empty(void **state) {
        const Fixture *f = *state;
        _cleanup_close_ int root = -EBADF;
        static const char zero[1024];
        _cleanup_strv_free_ char **names = NULL;
        char key[STORE_KEY_MAX];

        assert_int_equal(import(f->store, zero, sizeof(zero), NULL, key, NULL), 0);
        assert_int_equal(store_tree_mount(f->store, key, &root, NULL), 0);
        assert_int_equal(dir_list_at(root, ".", &names), 0);
        assert_int_equal(strv_length(names), 0);
}

/* R1: what is wrong is named, expected and found; nothing is left. */
static void test_mismatch(void **state) {
        const Fixture *f = *state;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        _cleanup_strv_free_ char **names = NULL;
        char digest[160], key[STORE_KEY_MAX];

        tar_add(&b, &(TarSpec){ .name = "a", .content = "a\n" });
        tar_end(&b);
        digest_of(DIGEST_SHA256, b.data, b.size, digest);
        const struct {
                StoreLayerExpect x;
                int r;
                const char *words;
        } cases[] = {
                { { NOWHERE, b.size, digest },
                  -EBADMSG,
                  "the layer's digest: expected " NOWHERE ", found sha256:" },
                { { digest, b.size, NOWHERE },
                  -EBADMSG,
                  "the layer's diff_id: expected " NOWHERE ", found sha256:" },
                { { digest, b.size + 1, digest },
                  -EBADMSG,
                  "the layer's size: expected 2049 bytes, found 2048" },
                { { digest, b.size - 1, digest },
                  -EBADMSG,
                  "the layer's size: expected 2047 bytes, found more" },
                { { digest, 0, digest }, -EBADMSG, "the layer's size: expected 0 bytes, found more" },
                { { "md5:0", b.size, digest }, -EINVAL, "'md5:0' is no digest" },
                { { digest, b.size, "sha256:00" }, -EINVAL, "'sha256:00' is no digest" },
        };
        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_error_ Error e = ERROR_INIT;
                int r = import(f->store, b.data, b.size, &c->x, key, &e);

                assert_int_equal(r, c->r);
                if (!startswith(error_text(&e, r), c->words))
                        fail_msg("'%s' instead of '%s'", error_text(&e, r), c->words);
        }
        assert_int_equal(dir_list_at(f->store->cas_fd, "tmp", &names), 0);
        assert_int_equal(strv_length(names), 0);
        names = strv_free(names);
        assert_int_equal(dir_list_at(f->store->cas_fd, "blob/sha256", &names), 0);
        assert_int_equal(strv_length(names), 0);
}

static void import_one(const Fixture *f, const char *content, char key[STORE_KEY_MAX]) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        tar_add(&b, &(TarSpec){ .name = content, .content = content });
        import_ok(f->store, &b, key);
}

static int commit_image(const Fixture *f, const char *name, char *const *layers, char key[STORE_KEY_MAX]) {
        const StoreOciParts parts = { name, strlen(name), "{}", 2, "{}" };
        _cleanup_(store_image_done) StoreImage image = STORE_IMAGE_INIT;
        int r;

        image.name = strdup(name);
        for (char *const *l = layers; *l; l++)
                assert_int_equal(strv_extend(&image.layers, *l), 0);
        r = store_oci_commit(f->store, &parts, &image, NULL);
        if (r >= 0)
                memcpy(key, image.key, STORE_KEY_MAX);
        return r;
}

static bool layer_is_here(const Fixture *f, const char *key) {
        char found[STORE_KEY_MAX], diff_id[80];
        bool here;

        (void) snprintf(diff_id, sizeof(diff_id), "sha256:%s", key + STORE_KEY_PREFIX_SIZE);
        here = store_layer_find(f->store, diff_id, found) == 0;
        assert_true(here || !store_tree_exists(f->store, key));
        return here;
}

/* What images share goes with the last one; what a pod runs from stays until it ends. */
static void test_remove(void **state) {
        const Fixture *f = *state;
        char base[STORE_KEY_MAX], a[STORE_KEY_MAX], b[STORE_KEY_MAX], one[STORE_KEY_MAX], two[STORE_KEY_MAX];
        _cleanup_close_ int lock = -EBADF;

        import_one(f, "base", base);
        import_one(f, "a", a);
        import_one(f, "b", b);
        assert_int_equal(commit_image(f, "one", (char *[]){ base, a, a, NULL }, one), 0);
        assert_int_equal(commit_image(f, "two", (char *[]){ base, b, NULL }, two), 0);
        assert_int_equal(store_image_remove(f->store, one, NULL), 0);
        assert_true(layer_is_here(f, base));
        assert_false(layer_is_here(f, a));
        assert_true(layer_is_here(f, b));
        assert_int_equal(commit_image(f, "one", (char *[]){ base, a, NULL }, one), -EAGAIN);
        assert_int_equal(store_blob_verify(f->store, one, NULL), -ENOENT);
        /* a pod runs from one of two */
        assert_int_equal(store_lock(f->store, LOCK_MODE_EXCLUSIVE, 1, &lock, NULL), 0);
        assert_int_equal(store_image_take(f->store, two, (char *[]){ base, NULL }, NULL), 1);
        lock = fd_close(lock);
        assert_int_equal(store_tmp_clean(f->store, NULL), 0);
        assert_true(layer_is_here(f, base));
        assert_true(store_tree_exists(f->store, base));
        assert_false(layer_is_here(f, b));
}

static void gc(const Fixture *f, usec_t later, char *const *used, usec_t grace) {
        struct timespec now;
        StoreGcOptions o = { .used_trees = used, .grace_usec = grace, .tree_grace_usec = USEC_INFINITY };

        assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
        o.now_usec = (usec_t) now.tv_sec * USEC_PER_SEC + later;
        assert_int_equal(store_gc(f->store, &o, NULL), 0);
        assert_int_equal(store_tmp_clean(f->store, NULL), 0);
}

/* A layer without an image waits for one for a day, whatever the grace period is; one of an image goes with it. */
static void test_gc(void **state) {
        const Fixture *f = *state;
        const usec_t hour = 3600 * USEC_PER_SEC;
        char base[STORE_KEY_MAX], a[STORE_KEY_MAX], lone[STORE_KEY_MAX], used[STORE_KEY_MAX],
                one[STORE_KEY_MAX], two[STORE_KEY_MAX];

        import_one(f, "base", base);
        import_one(f, "a", a);
        import_one(f, "lone", lone);
        import_one(f, "used", used);
        assert_int_equal(commit_image(f, "one", (char *[]){ base, a, NULL }, one), 0);
        assert_int_equal(commit_image(f, "two", (char *[]){ base, used, NULL }, two), 0);
        gc(f, 23 * hour, NULL, USEC_INFINITY);
        assert_true(layer_is_here(f, lone) && layer_is_here(f, base) && layer_is_here(f, a));
        gc(f, 25 * hour, NULL, USEC_INFINITY);
        assert_false(layer_is_here(f, lone));
        assert_true(layer_is_here(f, base) && layer_is_here(f, a) && store_image_exists(f->store, one));
        assert_true(store_tree_exists(f->store, base));
        /* all layers of "two" are used, so it is */
        import_one(f, "lone", lone);
        gc(f, 2 * hour, (char *[]){ base, used, NULL }, hour);
        assert_false(store_image_exists(f->store, one));
        assert_true(store_image_exists(f->store, two));
        assert_false(layer_is_here(f, a));
        assert_true(layer_is_here(f, base) && layer_is_here(f, used) && layer_is_here(f, lone));
        /* a tree without its blob is of no use, an image without a layer neither */
        assert_int_equal(store_blob_unlink(f->store, used), 0);
        gc(f, 0, NULL, USEC_INFINITY);
        assert_false(store_image_exists(f->store, two));
        assert_false(store_tree_exists(f->store, used));
        assert_false(layer_is_here(f, base));
}

/* What a layer does not say of directories is as below: a tree on top says so, made once, and gone with its layers. */
static void test_top(void **state) {
        const Fixture *f = *state;
        char lower[STORE_KEY_MAX], upper[STORE_KEY_MAX], own[STORE_KEY_MAX], image[STORE_KEY_MAX];
        _cleanup_strbuf_ StrBuf a = STRBUF_INIT, b = STRBUF_INIT, c = STRBUF_INIT;
        _cleanup_strv_free_ char **stack = NULL, **plain = NULL, **again = NULL, **blobs = NULL;
        _cleanup_close_ int root = -EBADF;
        struct stat st;

        tar_add(&a, &(TarSpec){ .name = "./", .type = '5', .mode = 01777, .uid = 5, .mtime = 1000 });
        tar_add(&a, &(TarSpec){ .name = "d/", .type = '5', .mode = 0700, .gid = 7, .mtime = 2000 });
        import_ok(f->store, &a, lower);
        tar_add(&b, &(TarSpec){ .name = "d/e/f", .content = "f\n" });
        import_ok(f->store, &b, upper);
        tar_add(&c, &(TarSpec){ .name = "./", .type = '5', .mode = 0711 });
        import_ok(f->store, &c, own);
        assert_int_equal(store_layers_stack(f->store, (char *[]){ lower, own, NULL }, &plain, NULL), 0);
        assert_int_equal(strv_length(plain), 2);
        assert_int_equal(store_layers_stack(f->store, (char *[]){ lower, upper, upper, NULL }, &stack, NULL),
                         0);
        assert_int_equal(strv_length(stack), 4);
        assert_true(store_tree_key_is_valid(stack[3]) && store_tree_exists(f->store, stack[3]));
        assert_int_equal(store_tree_blobs(f->store, stack[3], &blobs, NULL), 0);
        assert_int_equal(strv_length(blobs), 2);
        assert_int_equal(store_tree_mount(f->store, stack[3], &root, NULL), 0);
        assert_int_equal(fstat(root, &st), 0);
        assert_true(st.st_mode == (S_IFDIR | 01777) && st.st_mtim.tv_sec == 1000);
        assert_int_equal(fstatat(root, "d", &st, 0), 0);
        assert_true(st.st_mode == (S_IFDIR | 0700) && st.st_mtim.tv_sec == 2000);
        assert_int_equal(fstatat(root, "d/e/f", &st, 0), -1);
        assert_int_equal(fstatat(root, "d/e", &st, 0), 0);
        assert_int_equal(store_layers_stack(f->store, (char *[]){ lower, upper, upper, NULL }, &again, NULL),
                         0);
        assert_string_equal(again[3], stack[3]);

        assert_int_equal(commit_image(f, "one", (char *[]){ lower, upper, upper, NULL }, image), 0);
        gc(f, 0, NULL, USEC_INFINITY);
        assert_true(store_tree_exists(f->store, stack[3]));
        root = fd_close(root);
        assert_int_equal(store_image_remove(f->store, image, NULL), 0);
        assert_false(store_tree_exists(f->store, stack[3]));
        assert_false(layer_is_here(f, lower));
}

/* What a pull that is killed leaves: whole layers, and the image if it came so far; the rest the next one cleans. */
static unsigned check_killed(const Fixture *f) {
        _cleanup_(store_freep) Store *s = NULL;
        _cleanup_(store_image_list_done) StoreImageList list = {};
        _cleanup_strv_free_ char **tmp = NULL, **folders = NULL;

        assert_int_equal(store_open(f->dir, 0, &s, NULL), 0);
        /* A worker of the dead one may still be there for a moment, and hold its lock. */
        for (int k = 0; k < 200; k++) {
                tmp = strv_free(tmp);
                assert_int_equal(dir_list_at(s->cas_fd, "tmp", &tmp), 0);
                if (!tmp || !*tmp)
                        break;
                (void) usleep(5000);
                assert_int_equal(store_tmp_clean(s, NULL), 0);
        }
        assert_int_equal(strv_length(tmp), 0);
        assert_int_equal(dir_list_at(s->cas_fd, "blob/sha256", &folders), 0);
        STRV_FOREACH (d, folders) {
                _cleanup_free_ char *path = strf("blob/sha256/%s", *d);
                _cleanup_strv_free_ char **names = NULL;

                assert_int_equal(dir_list_at(s->cas_fd, path, &names), 0);
                STRV_FOREACH (n, names)
                        assert_int_equal(store_blob_verify(s, *n, NULL), 0);
        }
        assert_int_equal(store_image_list(s, &list, NULL), 0);
        assert_int_equal(strv_length(list.damaged), 0);
        FOREACH_ARRAY (i, list.images, list.n_images) {
                assert_int_equal(store_oci_verify(s, i, NULL), 0);
                STRV_FOREACH (l, i->layers)
                        assert_true(layer_is_here(f, *l) && store_tree_exists(s, *l));
        }
        return (unsigned) list.n_images;
}

static pid_t start_pull(const Fixture *f) {
        char base[STORE_KEY_MAX], a[STORE_KEY_MAX], one[STORE_KEY_MAX];
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid > 0)
                return pid;
        import_one(f, "base", base);
        import_one(f, "a", a);
        _exit(commit_image(f, "one", (char *[]){ base, a, NULL }, one) < 0);
}

static void test_kill(void **state) {
        const Fixture *f = *state;
        usec_t begin = clock_usec(CLOCK_MONOTONIC), whole;
        unsigned n_done = 0;

        (void) waitpid(start_pull(f), NULL, 0);
        whole = clock_usec(CLOCK_MONOTONIC) - begin;
        for (unsigned i = 0; i < 21; i++) {
                pid_t pid;

                n_done += check_killed(f);
                gc(f, 25 * 3600 * USEC_PER_SEC, NULL, 0);
                assert_int_equal(check_killed(f), 0);
                pid = start_pull(f);
                (void) usleep((useconds_t) (whole * i / 18));
                (void) kill(pid, SIGKILL);
                (void) waitpid(pid, NULL, 0);
        }
        print_message("# %u of 21 came to the end before they were killed\n", n_done);
        assert_true(n_done > 0); /* the first one was left alone */
}

/* A damaged tree is made anew, a damaged blob is named. */
static void test_verify(void **state) {
        const Fixture *f = *state;
        char key[STORE_KEY_MAX], path[STORE_BLOB_PATH_MAX];
        _cleanup_free_ char *difference = NULL, *file = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        StoreTreePart part = { .key = key };
        StoreVerdict verdict;

        assert_int_equal(setenv("RKT_TREE_BACKEND", "dir", 1), 0);
        import_one(f, "file", key);
        assert_int_equal(unsetenv("RKT_TREE_BACKEND"), 0);
        assert_int_equal(store_tree_verify(f->store, key, &part, 1, true, &verdict, &difference, NULL), 0);
        assert_int_equal(verdict, STORE_VERDICT_GOOD);
        store_tree_path(key, path);
        file = strf("%s/rootfs/file", path);
        assert_int_equal(file_write_at(f->store->cas_fd, file, "other", 5, 0644, FILE_WRITE_NO_SYNC), 0);
        assert_int_equal(store_tree_verify(f->store, key, &part, 1, true, &verdict, &difference, NULL), 0);
        assert_int_equal(verdict, STORE_VERDICT_REPAIRED);
        store_blob_path(key, "", path);
        assert_int_equal(file_write_at(f->store->cas_fd, path, "x", 1, 0600, FILE_WRITE_NO_SYNC), 0);
        assert_int_equal(store_tree_verify(f->store, key, &part, 1, true, &verdict, &difference, &e),
                         -EBADMSG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_import, setup, teardown),
                cmocka_unit_test_setup_teardown(test_without_end, setup, teardown),
                cmocka_unit_test_setup_teardown(test_compressed, setup, teardown),
                cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
                cmocka_unit_test_setup_teardown(test_mismatch, setup, teardown),
                cmocka_unit_test_setup_teardown(test_remove, setup, teardown),
                cmocka_unit_test_setup_teardown(test_gc, setup, teardown),
                cmocka_unit_test_setup_teardown(test_top, setup, teardown),
                cmocka_unit_test_setup_teardown(test_kill, setup, teardown),
                cmocka_unit_test_setup_teardown(test_verify, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
