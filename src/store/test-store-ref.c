/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is known of images, by name and by where they came from. */
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

#include "basic/str.h"
#include "basic/tmpfile.h"
#include "store/store-ref.h"
#include "store/test-store-fixture.h"

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

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_find, setup, teardown),
                cmocka_unit_test_setup_teardown(test_members, setup, teardown),
                cmocka_unit_test_setup_teardown(test_remote, setup, teardown),
                cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
