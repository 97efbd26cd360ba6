/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A data directory for a test, and pods in it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "pod/pod.h"

typedef struct Fixture {
        char dir[64];
        Pods *pods;
} Fixture;

static inline int setup(void **state) {
        Fixture *f = calloc(1, sizeof(Fixture));

        assert_non_null(f);
        (void) snprintf(f->dir, sizeof(f->dir), "/tmp/rkt-test-pod-XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        assert_int_equal(pods_open(f->dir, &f->pods, NULL), 0);
        *state = f;
        return 0;
}

static inline int teardown(void **state) {
        Fixture *f = *state;

        (void) pods_close(f->pods);
        assert_int_equal(remove_tree_at(AT_FDCWD, f->dir), 0);
        free(f);
        return 0;
}

/* A pod that has got as far as @to; its lock is free again. */
static inline char *make_pod(Fixture *f, PodDirectory to, const char *name) {
        static const PodDirectory before[_POD_DIRECTORY_MAX] = {
                [POD_DIRECTORY_PREPARE] = POD_DIRECTORY_EMBRYO,
                [POD_DIRECTORY_PREPARED] = POD_DIRECTORY_PREPARE,
                [POD_DIRECTORY_RUN] = POD_DIRECTORY_PREPARE,
                [POD_DIRECTORY_EXITED_GARBAGE] = POD_DIRECTORY_RUN,
                [POD_DIRECTORY_GARBAGE] = POD_DIRECTORY_EMBRYO,
        };
        _cleanup_(pod_closep) Pod *p = NULL;
        PodDirectory path[_POD_DIRECTORY_MAX];
        size_t n = 0;

        assert_int_equal(pod_new(f->pods, &p, NULL), 0);
        if (name)
                assert_int_equal(pod_set_name(p, name, NULL), 0);
        for (PodDirectory d = to; d != POD_DIRECTORY_EMBRYO; d = before[d])
                path[n++] = d;
        while (n > 0)
                assert_int_equal(pod_move(p, path[--n], NULL), 0);
        return strdup(pod_uuid(p));
}
