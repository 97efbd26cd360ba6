/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Apps that come and go: what is removed with one, what stays, and what a hostile pod cannot have removed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "pod/pod-apps.h"

typedef struct Fixture {
        char dir[64];
        Pods *pods;
        Pod *pod;
} Fixture;

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(Fixture));

        assert_non_null(f);
        (void) snprintf(f->dir, sizeof(f->dir), "/tmp/rkt-test-pod-apps-XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        assert_return_code(pods_open(f->dir, &f->pods, NULL), 0);
        assert_return_code(pod_new(f->pods, &f->pod, NULL), 0);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        (void) pod_close(f->pod);
        (void) pods_close(f->pods);
        assert_return_code(remove_tree_at(AT_FDCWD, f->dir), 0);
        free(f);
        return 0;
}

/* A file, with the directories above it. */
static void touch(Fixture *f, const char *path) {
        _cleanup_free_ char *parent = strndup(path, (size_t) (strrchr(path, '/') - path));

        assert_return_code(mkdir_parents_at(pod_fd(f->pod), parent, 0755), 0);
        assert_return_code(file_write_at(pod_fd(f->pod), path, "", 0, 0644, FILE_WRITE_NO_SYNC), 0);
}

static bool is_there(Fixture *f, const char *path) {
        return faccessat(pod_fd(f->pod), path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

#define UNITS "stage1/rootfs/etc/systemd/system/"

static void test_forget(void **state) {
        static const char *const gone[] = {
                "appsinfo/web/manifest",
                "stage1/rootfs/opt/stage2/web/rootfs/file",
                "overlay/deps/upper/web/file",
                "overlay/deps/lower/web/0/file",
                "stage1/rootfs/rkt/volumes/web-0/file",
                "stage1/rootfs/rkt/status/web",
                "stage1/rootfs/rkt/status/web.started",
                "stage1/rootfs/rkt/status/web.created",
                "stage1/rootfs/rkt/status/web.end",
                UNITS "web.service",
                UNITS "hook-web@start-pre.service",
                UNITS "enter-web@.service.d/10-sandbox.conf",
                UNITS "rkt-log@web.socket",
        };
        static const char *const kept[] = {
                "appsinfo/web-1/manifest",
                "overlay/deps/upper/web-1/file",
                "stage1/rootfs/rkt/volumes/web-1-0/file",
                "stage1/rootfs/rkt/status/web-1",
                "stage1/rootfs/rkt/status/web-created", /* how an app of that name ended */
                UNITS "web-1.service",
                UNITS "hook-web-1@start-pre.service",
                UNITS "web.target",
                UNITS "rkt-log@web-1.socket",
        };
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        _cleanup_strv_free_ char **unknown = NULL;
        Fixture *f = *state;
        PodApp *a;

        FOREACH_ARRAY (p, gone, ELEMENTSOF(gone))
                touch(f, *p);
        FOREACH_ARRAY (p, kept, ELEMENTSOF(kept))
                touch(f, *p);
        assert_return_code(pod_manifest_new(&m), 0);
        assert_return_code(pod_manifest_add_app(m, "web-1", &a), 0);
        assert_return_code(pod_apps_unknown(f->pod, m, &unknown, NULL), 0);
        assert_int_equal(strv_length(unknown), 1);
        assert_string_equal(unknown[0], "web");
        assert_return_code(pod_app_forget(f->pod, "web", NULL), 0);
        FOREACH_ARRAY (p, gone, ELEMENTSOF(gone))
                if (is_there(f, *p))
                        fail_msg("%s is there", *p);
        FOREACH_ARRAY (p, kept, ELEMENTSOF(kept))
                if (!is_there(f, *p))
                        fail_msg("%s is gone", *p);
        assert_return_code(pod_app_forget(f->pod, "web", NULL), 0); /* again, as after a kill */
}

/* The pod put links where its directories were. */
static void test_links(void **state) {
        Fixture *f = *state;
        _cleanup_free_ char *outside = strf("%s/outside", f->dir), *web = strf("%s/outside/web", f->dir);

        touch(f, "appsinfo/web/manifest");
        assert_return_code(mkdir_parents_at(AT_FDCWD, web, 0755), 0);
        assert_return_code(mkdir_parents_at(pod_fd(f->pod), "stage1/rootfs/opt", 0755), 0);
        assert_return_code(symlinkat(outside, pod_fd(f->pod), "stage1/rootfs/opt/stage2"), 0);
        assert_int_equal(pod_app_forget(f->pod, "web", NULL), -ELOOP);
        assert_return_code(access(web, F_OK), errno);
        assert_true(is_there(f, "appsinfo/web"));
}

static void test_volumes(void **state) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        Fixture *f = *state;
        AcVolume *v;
        PodApp *a;

        assert_return_code(pod_manifest_new(&m), 0);
        assert_return_code(pod_manifest_add_volume(m, "used", &v), 0);
        assert_return_code(pod_manifest_add_volume(m, "idle", &v), 0);
        assert_return_code(pod_manifest_add_app(m, "web", &a), 0);
        assert_return_code(pod_app_add_mount(a, "used", "/data"), 0);
        touch(f, "sharedVolumes/used/file");
        touch(f, "sharedVolumes/idle/file");
        pod_manifest_remove_unused_volumes(m);
        assert_int_equal(m->n_volumes, 1);
        assert_return_code(pod_volumes_forget(f->pod, m, NULL), 0);
        assert_true(is_there(f, "sharedVolumes/used/file"));
        assert_false(is_there(f, "sharedVolumes/idle"));
        pod_manifest_remove_app(m, "web");
        pod_manifest_remove_app(m, "web");
        pod_manifest_remove_unused_volumes(m);
        assert_int_equal(m->n_apps + m->n_volumes, 0);
}

static void test_marks(void **state) {
        Fixture *f = *state;
        usec_t usec;
        int status;

        assert_int_equal(pod_app_created_usec(f->pod, "web", &usec), -ENOENT);
        assert_return_code(pod_app_set_mark(f->pod, "web", POD_APP_CREATED, NULL), 0);
        assert_return_code(pod_app_created_usec(f->pod, "web", &usec), 0);
        assert_int_equal(pod_app_started_usec(f->pod, "web", &usec), -ENOENT);
        assert_return_code(pod_app_set_mark(f->pod, "web", POD_APP_STARTED, NULL), 0);
        assert_return_code(pod_app_started_usec(f->pod, "web", &usec), 0);
        assert_return_code(pod_set_app_status(f->pod, "web", 12, NULL), 0);
        assert_return_code(pod_app_clear_status(f->pod, "web", NULL), 0);
        assert_int_equal(pod_get_app_status(f->pod, "web", &status), -ENOENT);
        assert_return_code(pod_app_clear_status(f->pod, "web", NULL), 0);
        assert_int_equal(pod_app_clear_status(f->pod, "../web", NULL), -EINVAL);
        assert_int_equal(pod_app_set_mark(f->pod, "../web", POD_APP_STARTED, NULL), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_forget, setup, teardown),
                cmocka_unit_test_setup_teardown(test_links, setup, teardown),
                cmocka_unit_test_setup_teardown(test_volumes, setup, teardown),
                cmocka_unit_test_setup_teardown(test_marks, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
