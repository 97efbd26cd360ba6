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
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#include "basic/digest.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/mount-fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "store/store-blob.h"
#include "store/store-gc.h"
#include "store/store-internal.h"
#include "store/store-layer.h"
#include "store/store-tree.h"
#include "store/store-verify.h"
#include "store/test-tar-build.h"
#include "store/tree-compare.h"

#define NOWHERE "sha256:0000000000000000000000000000000000000000000000000000000000000000"

static bool can_mount;

typedef struct Fixture {
        char dir[64];
        Store *store;
} Fixture;

static int setup(void **state) {
        Fixture *f = new0(Fixture, 1);

        (void) snprintf(f->dir, sizeof(f->dir), "/tmp/test-layer-XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        assert_int_equal(unsetenv("RKT_TREE_BACKEND"), 0);
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

static void digest_of(DigestType type, const void *data, size_t size, char ret[160]) {
        _cleanup_(digest_freep) Digest *d = NULL;
        char hex[DIGEST_HEX_MAX];

        assert_int_equal(digest_new(type, &d), 0);
        assert_int_equal(digest_update(d, data, size), 0);
        assert_int_equal(digest_final_hex(d, hex), 0);
        (void) snprintf(ret, 160, "%s:%s", type == DIGEST_SHA256 ? "sha256" : "sha512", hex);
}

static int import(Store *s, const void *data, size_t size, const StoreLayerExpect *x, char key[STORE_KEY_MAX],
                  Error *e) {
        const StoreLayerExpect nothing = { .size = UINT64_MAX };
        _cleanup_(store_import_freep) StoreImport *i = NULL;
        int r = store_layer_import_new(s, &STORE_IMPORT_LIMITS_DEFAULT, x ? x : &nothing, &i, e);

        if (r < 0)
                return r;
        (void) store_import_write(i, data, size, NULL);
        r = store_import_finish(i, e);
        if (r < 0)
                return r;
        memcpy(key, store_import_key(i), STORE_KEY_MAX);
        return store_layer_commit(i, e);
}

static void import_ok(Store *s, StrBuf *b, char key[STORE_KEY_MAX]) {
        _cleanup_error_ Error e = ERROR_INIT;
        int r;

        tar_end(b);
        r = import(s, b->data, b->size, NULL, key, &e);
        if (r < 0)
                fail_msg("%s", error_text(&e, r));
}

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

static usec_t now_usec(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (usec_t) t.tv_sec * USEC_PER_SEC + (usec_t) t.tv_nsec / 1000;
}

static void test_kill(void **state) {
        const Fixture *f = *state;
        usec_t begin = now_usec(), whole;
        unsigned n_done = 0;

        (void) waitpid(start_pull(f), NULL, 0);
        whole = now_usec() - begin;
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
        print_message("%u of 21 came to the end before they were killed\n", n_done);
        assert_true(n_done > 0); /* the first one was left alone */
}

/* A damaged tree is made anew, a damaged blob is named. */
static void test_verify(void **state) {
        const Fixture *f = *state;
        char key[STORE_KEY_MAX], path[STORE_BLOB_PATH_MAX];
        _cleanup_free_ char *difference = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        StoreTreePart part = { .key = key };
        StoreVerdict verdict;

        assert_int_equal(setenv("RKT_TREE_BACKEND", "dir", 1), 0);
        import_one(f, "file", key);
        assert_int_equal(unsetenv("RKT_TREE_BACKEND"), 0);
        assert_int_equal(store_tree_verify(f->store, key, &part, 1, true, &verdict, &difference, NULL), 0);
        assert_int_equal(verdict, STORE_VERDICT_GOOD);
        store_tree_path(key, path);
        strcat(path, "/rootfs/file");
        assert_int_equal(file_write_at(f->store->cas_fd, path, "other", 5, 0644, FILE_WRITE_NO_SYNC), 0);
        assert_int_equal(store_tree_verify(f->store, key, &part, 1, true, &verdict, &difference, NULL), 0);
        assert_int_equal(verdict, STORE_VERDICT_REPAIRED);
        store_blob_path(key, "", path);
        assert_int_equal(file_write_at(f->store->cas_fd, path, "x", 1, 0600, FILE_WRITE_NO_SYNC), 0);
        assert_int_equal(store_tree_verify(f->store, key, &part, 1, true, &verdict, &difference, &e),
                         -EBADMSG);
}

#define ENTRIES_MAX 8

/* What is in the layers, and what shows in the end: "path" or "path=content" is there, "!path" is not. */
typedef struct Case {
        const char *row; /* of robustness.md */
        TarSpec upper[ENTRIES_MAX];
        const char *expect[ENTRIES_MAX];
        const char *error; /* of the upper layer; NULL: it is fine */
} Case;

static const TarSpec lower[] = {
        { .name = "./", .type = '5', .mode = 0755 },
        { .name = "d/", .type = '5', .mode = 0700, .uid = 3, .mtime = 1000000 },
        { .name = "d/a", .content = "lower a" },
        { .name = "d/b", .content = "lower b" },
        { .name = "d/s/", .type = '5' },
        { .name = "d/s/t", .content = "lower t" },
        { .name = "f", .content = "lower f", .mode = 0600 },
        { .name = "l", .type = '2', .link = "d" },
};

static const Case cases[] = {
        { "57", { { .name = "d/.wh.a" }, { .name = ".wh.f" } }, { "!d/a", "!f", "d/b=lower b" }, NULL },
        { "57 directory", { { .name = ".wh.d" } }, { "!d", "f=lower f" }, NULL },
        { "57 missing", { { .name = "d/.wh.none" } }, { "!d/none", "d/a=lower a" }, NULL },
        { "58 before",
          { { .name = "d/.wh..wh..opq" },
            { .name = "d/", .type = '5', .mode = 0711 },
            { .name = "d/n", .content = "n" } },
          { "!d/a", "!d/s", "d/n=n", "f=lower f" },
          NULL },
        { "58 after",
          { { .name = "d/", .type = '5', .mode = 0711 },
            { .name = "d/n", .content = "n" },
            { .name = "d/.wh..wh..opq" } },
          { "!d/a", "!d/s", "d/n=n", "f=lower f" },
          NULL },
        { "58 with whiteouts",
          { { .name = "d/.wh.a" },
            { .name = "d/x/.wh.y" },
            { .name = "d/.wh..wh..opq" },
            { .name = "d/.wh.n" } },
          { "!d/a", "!d/n", "d/x", "!d/x/y" },
          NULL },
        { "59 before", { { .name = ".wh.f" }, { .name = "f", .content = "new" } }, { "f=new" }, NULL },
        { "59 after", { { .name = "f", .content = "new" }, { .name = ".wh.f" } }, { "f=new" }, NULL },
        { "59 directory before",
          { { .name = ".wh.d" }, { .name = "d/", .type = '5' }, { .name = "d/n", .content = "n" } },
          { "!d/a", "!d/s", "d/n=n" },
          NULL },
        { "59 directory after",
          { { .name = "d/", .type = '5' }, { .name = "d/n", .content = "n" }, { .name = ".wh.d" } },
          { "!d/a", "!d/s", "d/n=n" },
          NULL },
        { "59 directory implied",
          { { .name = ".wh.d" }, { .name = "d/n", .content = "n" } },
          { "!d/a", "!d/s", "d/n=n" },
          NULL },
        { "60", { { .name = "d/.wh." } }, {}, "names nothing" },
        { "60", { { .name = "d/.wh.." } }, {}, "names nothing" },
        { "60", { { .name = "d/.wh..." } }, {}, "names nothing" },
        { "61",
          { { .name = ".wh..wh..opq" }, { .name = "n", .content = "n" } },
          { "!d", "!f", "!l", "n=n" },
          NULL },
        { "61 absolute",
          { { .name = "/.wh..wh..opq" }, { .name = "n", .content = "n" } },
          { "!f", "n=n" },
          NULL },
        { "62",
          { { .name = "h", .type = '2', .link = "/tmp" }, { .name = "h/.wh.canary" } },
          {},
          "a link to nothing" },
        { "62 opaque",
          { { .name = "h", .type = '2', .link = "/tmp" }, { .name = "h/.wh..wh..opq" } },
          {},
          "a link to nothing" },
        { "62 inside",
          { { .name = "h", .type = '2', .link = "/d/s" },
            { .name = "d/s/", .type = '5' },
            { .name = "h/.wh.t" } },
          { "h", "d/s", "!d/s/t", "d/a=lower a" },
          NULL },
        { "63",
          { { .name = "etc/", .type = '5' },
            { .name = "d", .type = '2', .link = "/etc" },
            { .name = "d/.wh.passwd" } },
          { "d", "etc", "!etc/passwd", "!d/a", "f=lower f" },
          NULL },
        { "63 gone",
          { { .name = "d", .type = '2', .link = "/etc" }, { .name = "d/.wh.a" } },
          {},
          "a link to nothing" },
        { "64 link", { { .name = ".wh.f", .type = '2', .link = "d" } }, {}, "must be a regular file" },
        { "64 directory", { { .name = ".wh.f/", .type = '5' } }, {}, "must be a regular file" },
        { "64 hard link",
          { { .name = ".wh.f", .type = '1', .link = ".wh.other" } },
          { "!f", "!other" },
          NULL },
        { "65", { { .name = ".wh.d/a", .content = "a" } }, {}, "lies in a whiteout" },
        { "66",
          { { .name = ".wh..wh.plnk/", .type = '5' },
            { .name = ".wh..wh.plnk/1.2", .content = "x" },
            { .name = ".wh..wh.aufs" },
            { .name = "n", .content = "n" } },
          { "n=n", "f=lower f", "!.wh..wh.aufs", "!.wh..wh.plnk" },
          NULL },
        { "28", { { .name = "f", .type = '3' } }, {}, "may not contain the character device 0:0" },
        { "54", { { .name = "new", .type = '1', .link = "f" } }, {}, "target 'f' is not in this layer" },
        { "directory over file",
          { { .name = "f/", .type = '5' }, { .name = "f/n", .content = "n" } },
          { "f/n=n" },
          NULL },
        { "file over directory", { { .name = "d", .content = "now a file" } }, { "d=now a file" }, NULL },
        { "directory over directory",
          { { .name = "d/", .type = '5', .mode = 0751, .uid = 7 }, { .name = "d/a", .content = "upper a" } },
          { "d/a=upper a", "d/b=lower b", "d/s/t=lower t" },
          NULL },
};

static void check_path(const Case *c, const char *where, int root, const char *expect) {
        const char *equals = strchr(expect, '='), *name = expect + (*expect == '!');
        _cleanup_free_ char *path = strndup(name, equals ? (size_t) (equals - name) : strlen(name)),
                            *text = NULL;
        struct stat st;
        bool found = fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) == 0;

        if (found != (*expect != '!'))
                fail_msg("row %s: %s: '%s' is %s there", c->row, where, path, found ? "" : "not");
        if (found && (S_ISCHR(st.st_mode) || startswith(path, ".wh.")))
                fail_msg("row %s: %s: '%s' is a whiteout", c->row, where, path);
        if (equals && (file_read_at(root, path, 100, &text, NULL) < 0 || !streq(text, equals + 1)))
                fail_msg("row %s: %s: '%s' is '%s'", c->row, where, path, str_or(text, ""));
}

static void check_all(const Case *c, const char *where, int root) {
        for (const char *const *x = c->expect; *x; x++)
                check_path(c, where, root, *x);
}

/* As a pod has it. Trees are mounts of this namespace only if they have a place in it. */
static int mount_stack(Store *s, char *const *layers, int dir) {
        _cleanup_strbuf_ StrBuf option = STRBUF_INIT;
        _cleanup_strv_free_ char **stack = NULL;
        int n = 0, r, fd = -EBADF;

        assert_int_equal(store_layers_stack(s, layers, &stack, NULL), 0);
        STRV_FOREACH (l, stack) {
                _cleanup_close_ int tree = -EBADF, target = -EBADF;
                _cleanup_free_ char *name = strf("%d", n++), *rest = strf("%s", str_or(option.data, ""));

                assert_int_equal(store_tree_mount(s, *l, &tree, NULL), 0);
                assert_int_equal(mkdirat(dir, name, 0700), 0);
                target = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                assert_int_equal(mount_move(tree, target), 0);
                strbuf_done(&option);
                strbuf_addf(&option, "%s%s%s", name, *rest ? ":" : "", rest);
        }
        /* a single one would not be an overlay */
        assert_int_equal(mkdirat(dir, "empty", 0755), 0);
        strbuf_add(&option, ":empty");
        assert_int_equal(fchdir(dir), 0);
        r = mount_fs("overlay", (MountOption[]){ { "lowerdir", option.data } }, 1, 0, &fd, NULL);
        assert_int_equal(chdir("/"), 0);
        assert_int_equal(r, 0);
        assert_int_equal(mkdirat(dir, "m", 0700), 0);
        assert_int_equal(mkdirat(dir, "m/rootfs", 0700), 0);
        r = openat(dir, "m/rootfs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(mount_move(fd, r), 0);
        (void) fd_close(r);
        return fd;
}

static void unmount_all(int dir) {
        static const char *const names[] = { "m/rootfs", "0", "1", "2" };

        assert_int_equal(fchdir(dir), 0);
        FOREACH_ARRAY (n, names, ELEMENTSOF(names))
                (void) umount2(*n, MNT_DETACH);
        assert_int_equal(chdir("/"), 0);
}

static void check_stack(Store *s, const Case *c, char *const *layers, const char *backend) {
        _cleanup_close_ int dir = -EBADF, plain = -EBADF, unpacked = -EBADF, a = -EBADF;
        char name[] = "/tmp/test-layer-XXXXXX";
        _cleanup_free_ char *difference = NULL;

        assert_non_null(mkdtemp(name));
        dir = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(mkdirat(dir, "u", 0700), 0);
        plain = openat(dir, "u", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(store_layers_unpack(s, layers, plain, NULL), 0);
        assert_int_equal(remove_tree_at(plain, "tree"), 0);
        unpacked = openat(plain, "rootfs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        check_all(c, "unpacked", unpacked);
        if (can_mount) {
                _cleanup_close_ int root = mount_stack(s, layers, dir);

                check_all(c, backend, root);
                a = openat(dir, "m", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (tree_compare(a, plain, &difference, NULL) != 0)
                        fail_msg("row %s: %s: %s", c->row, backend, difference);
                root = fd_close(root);
                unmount_all(dir);
        }
        assert_int_equal(remove_tree_at(AT_FDCWD, name), 0);
}

static void check_case(Store *s, const Case *c, char *lower_key, const char *backend) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        _cleanup_error_ Error e = ERROR_INIT;
        char key[STORE_KEY_MAX];
        int r;

        for (const TarSpec *t = c->upper; t->name; t++)
                tar_add(&b, t);
        tar_end(&b);
        r = import(s, b.data, b.size, NULL, key, &e);
        if (c->error) {
                if (r >= 0 || !strstr(error_text(&e, r), c->error))
                        fail_msg("row %s: %s: '%s' instead of '%s'", c->row, backend,
                                 r < 0 ? error_text(&e, r) : "no error", c->error);
                return;
        }
        if (r < 0)
                fail_msg("row %s: %s: %s", c->row, backend, error_text(&e, r));
        check_stack(s, c, (char *[]){ lower_key, key, NULL }, backend);
}

static void check_backend(const char *backend) {
        char dir[] = "/tmp/test-layer-XXXXXX", key[STORE_KEY_MAX];
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        Store *s = NULL;

        assert_non_null(mkdtemp(dir));
        assert_int_equal(setenv("RKT_TREE_BACKEND", backend, 1), 0);
        assert_int_equal(store_open(dir, 0, &s, NULL), 0);
        FOREACH_ARRAY (t, lower, ELEMENTSOF(lower))
                tar_add(&b, t);
        import_ok(s, &b, key);
        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases))
                check_case(s, c, key, backend);
        store_free(s);
        assert_int_equal(remove_tree_at(AT_FDCWD, dir), 0);
        assert_int_equal(unsetenv("RKT_TREE_BACKEND"), 0);
}

/* Rows 57-66: what is mounted by overlayfs is what is unpacked, and both are right. */
static void test_whiteouts(void **state) {
        static const char *const all[] = { "index", "index-loop", "image", "dir" };
        const Fixture *f = *state;
        StoreTreeBackend best;

        assert_int_equal(store_tree_choose(f->store, &best, NULL), 0);
        for (size_t i = (size_t) best; i < ELEMENTSOF(all); i++)
                if (i != STORE_TREE_INDEX_LOOP || best == STORE_TREE_INDEX_LOOP)
                        check_backend(all[i]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_import, setup, teardown),
                cmocka_unit_test_setup_teardown(test_compressed, setup, teardown),
                cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
                cmocka_unit_test_setup_teardown(test_mismatch, setup, teardown),
                cmocka_unit_test_setup_teardown(test_remove, setup, teardown),
                cmocka_unit_test_setup_teardown(test_gc, setup, teardown),
                cmocka_unit_test_setup_teardown(test_kill, setup, teardown),
                cmocka_unit_test_setup_teardown(test_verify, setup, teardown),
                cmocka_unit_test_setup_teardown(test_whiteouts, setup, teardown),
        };

        /* overlayfs takes mounts of its own namespace only */
        can_mount = geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
                    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
        if (!can_mount)
                print_message("not root: nothing is mounted\n");

        return cmocka_run_group_tests(tests, NULL, NULL);
}
