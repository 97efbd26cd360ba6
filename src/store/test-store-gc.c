/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a store gives up, what it keeps, and who may change it when. */
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

#include "basic/tmpfile.h"
#include "store/store-blob.h"
#include "store/store-gc.h"
#include "store/store-ref.h"
#include "store/store-tree.h"
#include "store/test-store-aci.h"

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
                cmocka_unit_test_setup_teardown(test_gc, setup, teardown),
                cmocka_unit_test_setup_teardown(test_take, setup, teardown),
                cmocka_unit_test_setup_teardown(test_gc_damage, setup, teardown),
                cmocka_unit_test_setup_teardown(test_turn, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
