/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Spools in a store of the test's own: what survives, and what must not. */
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
#include "basic/strv.h"
#include "store/store-spool.h"

#define URL "https://example.com/a.aci"

static char dir[] = "/tmp/test-spool-XXXXXX";
static Store *store;

static int setup(void **state) {
        return mkdtemp(dir) && store_open(dir, 0, &store, NULL) >= 0 ? 0 : -1;
}

static int teardown(void **state) {
        store = store_free(store);
        return remove_tree_at(AT_FDCWD, dir);
}

/* Leaves "hello" of 10 bytes, and the path of the file. */
static char *leave(const char *bytes, uint64_t total) {
        _cleanup_(store_spool_freep) StoreSpool *p = NULL;
        _cleanup_strv_free_ char **names = NULL;

        assert_int_equal(store_spool_open(store, URL, &p, NULL), 0);
        assert_int_equal(store_spool_begin(p, "\"v1\"", total), 0);
        assert_int_equal(store_spool_append(p, bytes, strlen(bytes)), 0);
        assert_int_equal(dir_list_at(store_cas_fd(store), "tmp", &names), 0);
        assert_int_equal(strv_length(names), 1);
        return strf("%s/cas/tmp/%s", dir, names[0]);
}

static uint64_t found(const char *url) {
        _cleanup_(store_spool_freep) StoreSpool *p = NULL;

        assert_int_equal(store_spool_open(store, url, &p, NULL), 0);
        assert_true(store_spool_size(p) > 0 || !store_spool_tag(p));
        return store_spool_size(p);
}

static void test_keeps(void **state) {
        _cleanup_(store_spool_freep) StoreSpool *p = NULL;
        _cleanup_free_ char *path = leave("hello", 10);
        char buffer[16];
        size_t n = 0;

        assert_int_equal(found("https://example.com/b.aci"), 0);
        assert_int_equal(store_spool_open(store, URL, &p, NULL), 0);
        assert_int_equal(store_spool_size(p), 5);
        assert_int_equal(store_spool_total(p), 10);
        assert_string_equal(store_spool_tag(p), "\"v1\"");
        assert_int_equal(store_spool_append(p, "world", 5), 0);
        assert_int_equal(store_spool_read(p, 2, buffer, sizeof(buffer), &n), 0);
        assert_int_equal(n, 8);
        assert_memory_equal(buffer, "lloworld", 8);
        assert_int_equal(store_spool_read(p, 10, buffer, sizeof(buffer), &n), -EINVAL);
        /* Complete, but not used: the last byte is asked for again. */
        assert_int_equal(found(URL), 9);
        store_spool_remove(p);
        assert_int_not_equal(access(path, F_OK), 0);
        assert_int_equal(store_spool_size(p), 0);
}

static void overwrite(const char *path, off_t at, const char *text) {
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(pwrite(fd, text, strlen(text), at), strlen(text));
}

/* H13: side-car corrupt */
static void test_forgets(void **state) {
        for (int i = 0; i < 5; i++) {
                _cleanup_free_ char *path = leave(i == 4 ? "hello, world" : "hello", 10);

                switch (i) {
                case 0: overwrite(path, 0, "RKT"); break;
                case 1: overwrite(path, strlen("rkt-download 1\nboot "), "another!"); break;
                case 2: assert_int_equal(truncate(path, STORE_SPOOL_HEAD_SIZE), 0); break;
                case 3: assert_int_equal(truncate(path, 100), 0); break;
                default: break; /* more than there can be */
                }
                assert_int_equal(found(URL), 0);
                assert_int_not_equal(access(path, F_OK), 0);
        }
}

static void test_refuses(void **state) {
        _cleanup_(store_spool_freep) StoreSpool *p = NULL;

        assert_int_equal(store_spool_open(store, URL, &p, NULL), 0);
        assert_int_equal(store_spool_append(p, "x", 1), -EBADF);
        assert_int_equal(store_spool_begin(p, "", 10), -EINVAL);
        assert_int_equal(store_spool_begin(p, "a\nb", 10), -EINVAL);
        assert_int_equal(store_spool_begin(p, "a", 0), -EINVAL);
        assert_int_equal(store_spool_begin(p, "a", 10), 0);
        store_spool_remove(p);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_keeps),
                cmocka_unit_test(test_forgets),
                cmocka_unit_test(test_refuses),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
