/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An empty store for a test. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka needs the four above */
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "store/store-internal.h"

typedef struct Fixture {
        char dir[64];
        Store *store;
} Fixture;

static inline int setup(void **state) {
        Fixture *f = new0(Fixture, 1);

        assert_non_null(f);
        (void) snprintf(f->dir, sizeof(f->dir), "/tmp/test-store-XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        assert_int_equal(unsetenv("RKT_TREE_BACKEND"), 0);
        assert_int_equal(store_open(f->dir, 0, &f->store, NULL), 0);
        *state = f;
        return 0;
}

static inline int teardown(void **state) {
        Fixture *f = *state;

        store_free(f->store);
        assert_int_equal(remove_tree_at(AT_FDCWD, f->dir), 0);
        free(f);
        return 0;
}

/* Names in a folder of cas/. */
static inline size_t count(const Fixture *f, const char *folder) {
        _cleanup_strv_free_ char **names = NULL;

        assert_int_equal(dir_list_at(f->store->cas_fd, folder, &names), 0);
        return strv_length(names);
}
