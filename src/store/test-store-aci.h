/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A small ACI for the tests of a store, and a file beside the store that nothing may touch. */
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "store/store-import.h"
#include "store/test-store-fixture.h"
#include "store/test-tar-build.h"

static inline void simple_image(StrBuf *b) {
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

static inline int import(const Fixture *f, const StrBuf *b, const StoreImage *image, char key[STORE_KEY_MAX],
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

static const StoreImage image_a _unused_ = { .name = (char[]){ "example.com/a" },
                                             .source = (char[]){ "https://example.com/a.aci" } };

static inline void write_canary(const Fixture *f) {
        assert_int_equal(file_write_at(f->store->dir_fd, "canary", "safe", 4, 0600, 0), 0);
}

static inline void assert_canary(const Fixture *f) {
        _cleanup_free_ char *text = NULL;
        struct stat st;

        assert_int_equal(file_read_at(f->store->dir_fd, "canary", 10, &text, NULL), 0);
        assert_string_equal(text, "safe");
        assert_int_equal(fstatat(f->store->dir_fd, "canary", &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(st.st_nlink, 1);
        assert_int_equal(st.st_mode, S_IFREG | 0600);
}

/* Nothing of an import is left, not even a folder for its blob's neighbours. */
static inline void assert_empty(const Fixture *f) {
        assert_int_equal(count(f, "tmp"), 0);
        assert_int_equal(count(f, "tree"), 0);
        assert_int_equal(count(f, "ref/image"), 0);
        assert_canary(f);
}
