/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pod that has ended: made ready for another start, and waited for. */
#include "pod/test-pod-fixture.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "basic/fd.h"
#include "basic/tmpfile.h"
#include "pod/pod-gc.h"
#include "pod/pod-reset.h"
#include "pod/pod-settle.h"

static void make_file(Pod *p, const char *path) {
        _cleanup_free_ char *parent = strdup(path);

        assert_non_null(parent);
        *strrchr(parent, '/') = '\0';
        assert_int_equal(mkdir_parents_at(pod_fd(p), parent, 0755), 0);
        assert_int_equal(file_write_at(pod_fd(p), path, "x", 1, 0644, 0), 0);
}

static bool is_there(Pod *p, const char *path) {
        return faccessat(pod_fd(p), path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* What the apps wrote stays, also in a root that was copied to the end; what the last run left goes. */
static void test_reset(void **state) {
        Fixture *f = *state;
        _cleanup_(pod_closep) Pod *p = NULL;
        static const char *const kept[] = { "overlay/k/upper/web/etc/x", "sharedVolumes/data/x", "net/x",
                                            "stage1/rootfs/opt/stage2/copied/rootfs/etc/x" };
        static const char *const gone[] = { "stage1/manifest", "stage1/rootfs/etc/systemd/system/web.service",
                                            "stage1/rootfs/opt/x",
                                            "stage1/rootfs/opt/stage2/half/rootfs/etc/x",
                                            "stage1/rootfs/opt/stage2/copied/x" };
        int status;

        assert_int_equal(pod_new(f->pods, &p, NULL), 0);
        assert_int_equal(pod_move(p, POD_DIRECTORY_PREPARE, NULL), 0);
        assert_int_equal(pod_move(p, POD_DIRECTORY_RUN, NULL), 0);
        assert_int_equal(pod_reset(p, NULL), 0); /* nothing there yet */
        FOREACH_ARRAY (path, kept, ELEMENTSOF(kept))
                make_file(p, *path);
        FOREACH_ARRAY (path, gone, ELEMENTSOF(gone))
                make_file(p, *path);
        make_file(p, "appsinfo/copied/manifest");
        assert_false(pod_app_is_copied(p, "copied"));
        assert_int_equal(pod_set_app_copied(p, "copied"), 0);
        assert_true(pod_app_is_copied(p, "copied"));
        assert_false(pod_app_is_copied(p, "../appsinfo/copied"));
        assert_int_equal(pod_set_ppid(p, 1, NULL), 0);
        assert_int_equal(pod_set_app_status(p, "web", 3, NULL), 0);

        assert_int_equal(pod_reset(p, NULL), 0);
        FOREACH_ARRAY (path, kept, ELEMENTSOF(kept))
                assert_true(is_there(p, *path));
        FOREACH_ARRAY (path, gone, ELEMENTSOF(gone))
                assert_false(is_there(p, *path));
        assert_false(is_there(p, "ppid"));
        assert_int_equal(pod_get_app_status(p, "web", &status), -ENOENT);
        assert_int_equal(pod_reset(p, NULL), 0); /* and again */
        assert_true(is_there(p, kept[3]));
}

/* Holds the pod's lock as who takes away its networks does, from now on for a moment. */
static pid_t hold_lock(Fixture *f, const char *uuid, unsigned msec) {
        _cleanup_(pod_closep) Pod *p = NULL;
        pid_t pid;

        assert_int_equal(pod_open_uuid(f->pods, uuid, &p, NULL), 0);
        assert_int_equal(pod_lock(p, NULL), 0);
        pid = fork(); /* who has the lock as long as it lives */
        if (pid == 0)
                _exit(usleep(msec * 1000) < 0);
        return pid;
}

static void wait_for(pid_t pid) {
        int status;

        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

/* The lock of a pod whose process has ended is waited for; that of one whose process lives, or that has none yet, is not. */
static void test_settles(void **state) {
        const PodGcOptions options = {};
        Fixture *f = *state;
        _cleanup_free_ char *uuid = make_pod(f, POD_DIRECTORY_RUN, NULL);
        _cleanup_(pod_closep) Pod *p = NULL;
        pid_t dead, holder;

        dead = fork();
        if (dead == 0)
                _exit(0);
        wait_for(dead);
        assert_int_equal(pod_open_uuid(f->pods, uuid, &p, NULL), 0);
        for (int alive = 0; alive < 2; alive++) {
                holder = hold_lock(f, uuid, 1000);
                if (alive)
                        assert_int_equal(pod_set_ppid(p, getpid(), NULL), 0);
                assert_int_equal(pod_settle_lock(p, NULL), -EBUSY);
                assert_int_equal(pod_remove(p, &options, NULL), -EBUSY);
                pod_settle(p);
                assert_int_equal(pod_state(p), POD_RUNNING);
                (void) kill(holder, SIGKILL);
                assert_int_equal(waitpid(holder, NULL, 0), holder);
        }
        assert_int_equal(pod_set_ppid(p, dead, NULL), 0);
        holder = hold_lock(f, uuid, 200);
        pod_settle(p);
        assert_int_equal(pod_state(p), POD_EXITED);
        wait_for(holder);
        holder = hold_lock(f, uuid, 200);
        assert_int_equal(pod_remove(p, &options, NULL), 0);
        wait_for(holder);
}

/* The pod's root put a link where a directory was: it goes, and what it leads to does not. */
static void test_reset_follows_no_link(void **state) {
        static const char *const places[] = { "stage1/rootfs", "stage1/rootfs/opt",
                                              "stage1/rootfs/opt/stage2", "stage1/rootfs/opt/stage2/copied",
                                              "stage1/rootfs/opt/stage2/copied/rootfs" };
        Fixture *f = *state;
        _cleanup_(pod_closep) Pod *p = NULL;

        assert_int_equal(pod_new(f->pods, &p, NULL), 0);
        make_file(p, "appsinfo/copied/manifest");
        assert_int_equal(pod_set_app_copied(p, "copied"), 0);
        make_file(p, "precious/opt/stage2/copied/rootfs/x");
        FOREACH_ARRAY (place, places, ELEMENTSOF(places)) {
                _cleanup_free_ char *parent = strndup(*place, (size_t) (strrchr(*place, '/') - *place)),
                                    *target = NULL;

                assert_non_null(parent);
                assert_int_equal(mkdir_parents_at(pod_fd(p), parent, 0755), 0);
                assert_int_equal(pod_path(p, "precious", &target), 0);
                assert_int_equal(symlinkat(target, pod_fd(p), *place), 0);
                assert_int_equal(pod_reset(p, NULL), 0);
                assert_false(is_there(p, *place));
                assert_true(is_there(p, "precious/opt/stage2/copied/rootfs/x"));
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
                T(test_reset),
                T(test_reset_follows_no_link),
                T(test_settles),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
