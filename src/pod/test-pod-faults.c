/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A whole life of a pod with every call that changes the disk failing once, or being the last before a SIGKILL: whatever
 * the moment, lists work, no lock is left, and gc brings back empty directories.
 *
 * The functions below take the place of the C library's for all that is linked into this program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "pod/pod-gc.h"
#include "pod/pod-list.h"
#include "pod/pod-reset.h"

#define CALLS_MAX 400

static long n_calls, fault_at; /* of this process; 0: none */
static int fault_errno;        /* 0: SIGKILL */

static int is_faulty(void) {
        if (fault_at == 0 || ++n_calls != fault_at)
                return 0;
        if (fault_errno == 0)
                (void) raise(SIGKILL);
        errno = fault_errno;
        return 1;
}

#define FAULTY(call) (is_faulty() ? -1 : (int) (call))

#define SYNCED_MAX 64

static struct {
        ino_t inodes[SYNCED_MAX];
        size_t n;
        bool is_on;
} synced; /* until a pod is called prepared */

int mkdirat(int fd, const char *path, mode_t mode) {
        return FAULTY(syscall(SYS_mkdirat, fd, path, mode));
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags) {
        synced.is_on = synced.is_on && !startswith(to, "prepared/");
        return FAULTY(syscall(SYS_renameat2, from_fd, from, to_fd, to, flags));
}

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags) {
        return FAULTY(syscall(SYS_linkat, from_fd, from, to_fd, to, flags));
}

int unlinkat(int fd, const char *path, int flags) {
        return FAULTY(syscall(SYS_unlinkat, fd, path, flags));
}

static void note_sync(int fd) {
        struct stat st;

        if (!synced.is_on || fstat(fd, &st) < 0)
                return;
        assert_true(synced.n < SYNCED_MAX);
        synced.inodes[synced.n++] = st.st_ino;
}

int fsync(int fd) {
        note_sync(fd);
        return FAULTY(syscall(SYS_fsync, fd));
}

int fchmod(int fd, mode_t mode) {
        return FAULTY(syscall(SYS_fchmod, fd, mode));
}

/* From embryo to gone; negative errno of the first step that failed. */
static int live(Pods *ps) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        _cleanup_(pod_closep) Pod *p = NULL, *over = NULL;
        char uuid[UUID_STRING_MAX];
        PodApp *a;
        int r;

        r = pod_manifest_new(&m);
        if (r >= 0)
                r = pod_manifest_add_app(m, "web", &a);
        if (r >= 0)
                r = pod_new(ps, &p, NULL);
        if (r >= 0)
                r = pod_move(p, POD_DIRECTORY_PREPARE, NULL);
        if (r >= 0)
                r = pod_set_name(p, "shop", NULL);
        if (r >= 0)
                r = pod_write_manifest(p, m, NULL);
        if (r >= 0)
                r = pod_move(p, POD_DIRECTORY_PREPARED, NULL);
        if (r >= 0)
                r = pod_move(p, POD_DIRECTORY_RUN, NULL);
        if (r >= 0)
                r = pod_set_ppid(p, getpid(), NULL);
        if (r >= 0)
                r = pod_set_app_status(p, "web", 0, NULL);
        if (r >= 0) /* once more, as "rkt start" does */
                r = pod_reset(p, NULL);
        if (r >= 0)
                r = pod_set_app_status(p, "web", 1, NULL);
        if (r < 0)
                return r;
        memcpy(uuid, pod_uuid(p), sizeof(uuid));
        p = pod_close(p);
        r = pod_open_uuid(ps, uuid, &over, NULL);
        return r < 0 ? r : pod_remove(over, &(PodGcOptions){}, NULL);
}

static void check_after(const char *dir, const char *what, long at) {
        _cleanup_(pods_closep) Pods *ps = NULL;
        _cleanup_pod_list_ PodList l = POD_LIST_INIT, after = POD_LIST_INIT;
        _cleanup_pod_changes_ PodChanges done = POD_CHANGES_INIT;

        assert_int_equal(pods_open(dir, &ps, NULL), 0);
        assert_int_equal(pod_list_load(ps, &l, NULL), 0);
        if (l.n_pods > 1 || strv_length(l.errors) > 0)
                fail_msg("%s at call %ld: %zu pods, %zu errors", what, at, l.n_pods, strv_length(l.errors));
        FOREACH_ARRAY (p, l.pods, l.n_pods) {
                _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
                PodState s = pod_state(*p);

                if (s == POD_PREPARING || s == POD_RUNNING || s == POD_DELETING || s == POD_EXITED_DELETING)
                        fail_msg("%s at call %ld: the pod is %s", what, at, pod_state_to_string(s));
                /* What was promised is whole. */
                if (s == POD_PREPARED || s == POD_EXITED)
                        assert_int_equal(pod_read_manifest(*p, &m, NULL), 0);
        }
        assert_int_equal(pod_gc(ps, &(PodGcOptions){}, &done, NULL), 0);
        FOREACH_ARRAY (c, done.changes, done.n_changes)
                if (c->type == POD_CHANGE_FAILED)
                        fail_msg("%s at call %ld: gc: %s", what, at, c->error);
        assert_int_equal(pod_list_load(ps, &after, NULL), 0);
        if (after.n_pods > 0 || strv_length(after.errors) > 0)
                fail_msg("%s at call %ld: gc left %zu pods", what, at, after.n_pods);
}

/* Runs live() with a fault at call 1, 2, ... until one run gets through without meeting it. */
static void sweep(const char *what, int error) {
        char dir[] = "/tmp/rkt-test-faults-XXXXXX";
        _cleanup_(pods_closep) Pods *ps = NULL;
        long at;

        assert_non_null(mkdtemp(dir));
        assert_int_equal(pods_open(dir, &ps, NULL), 0);
        for (at = 1; at < CALLS_MAX; at++) {
                int status;
                pid_t pid;

                pid = fork();
                if (pid == 0) {
                        int r;

                        fault_errno = error;
                        n_calls = 0;
                        fault_at = at;
                        r = live(ps);
                        if (n_calls < at)
                                _exit(r < 0 ? 3 : 2); /* the fault was not met */
                        _exit(r < 0 ? 1 : 0);
                }
                assert_int_equal(waitpid(pid, &status, 0), pid);
                check_after(dir, what, at);
                if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
                        break;
                if (error == 0)
                        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
                else
                        assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
        }
        print_message("# %s: %ld calls\n", what, at - 1);
        assert_true(at > 20 && at < CALLS_MAX);
        assert_int_equal(remove_tree_at(AT_FDCWD, dir), 0);
}

static void test_killed(void **state) {
        sweep("kill -9", 0);
}

static void test_disk_full(void **state) { /* S12 */
        sweep("ENOSPC", ENOSPC);
}

static void test_disk_broken(void **state) {
        sweep("EIO", EIO);
}

/* gc itself is killed at each call; the next one takes the rest. */
static void test_gc_killed(void **state) {
        char dir[] = "/tmp/rkt-test-faults-XXXXXX";
        _cleanup_(pods_closep) Pods *ps = NULL;
        bool done = false;

        assert_non_null(mkdtemp(dir));
        assert_int_equal(pods_open(dir, &ps, NULL), 0);
        for (long at = 1; !done && at < CALLS_MAX; at++) {
                _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
                _cleanup_(pod_closep) Pod *p = NULL;
                int status;
                pid_t pid;

                assert_int_equal(pod_manifest_new(&m), 0);
                assert_int_equal(pod_new(ps, &p, NULL), 0);
                assert_int_equal(pod_write_manifest(p, m, NULL), 0);
                assert_int_equal(pod_move(p, POD_DIRECTORY_PREPARE, NULL), 0);
                assert_int_equal(mkdirat(pod_fd(p), "overlay", 0700), 0);
                assert_int_equal(mkdirat(pod_fd(p), "overlay/upper", 0700), 0);
                assert_int_equal(pod_move(p, POD_DIRECTORY_RUN, NULL), 0);
                assert_int_equal(pod_set_app_status(p, "web", 1, NULL), 0);
                p = pod_close(p);
                pid = fork();
                if (pid == 0) {
                        _cleanup_pod_changes_ PodChanges changes = POD_CHANGES_INIT;

                        fault_at = at;
                        (void) pod_gc(ps, &(PodGcOptions){}, &changes, NULL);
                        _exit(0);
                }
                assert_int_equal(waitpid(pid, &status, 0), pid);
                done = WIFEXITED(status);
                check_after(dir, "gc killed", at);
        }
        assert_true(done);
        assert_int_equal(remove_tree_at(AT_FDCWD, dir), 0);
}

static void check_synced(Pod *p, const char *path) {
        struct stat st;

        assert_int_equal(fstatat(pod_fd(p), path, &st, 0), 0);
        for (size_t i = 0; i < synced.n; i++)
                if (synced.inodes[i] == st.st_ino)
                        return;
        fail_msg("%s is not on the disk when the pod is prepared", path);
}

/* A power cut after "prepare" has printed the UUID: every file is there, with what is in it. */
static void test_power_cut(void **state) {
        static const char *const paths[] = {
                "pod", "name", "pod-created", "appsinfo/web/manifest", "appsinfo/web", "appsinfo", "."
        };
        char dir[] = "/tmp/rkt-test-faults-XXXXXX";
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        _cleanup_(pods_closep) Pods *ps = NULL;
        _cleanup_(pod_closep) Pod *p = NULL;

        assert_non_null(mkdtemp(dir));
        assert_int_equal(pods_open(dir, &ps, NULL), 0);
        assert_int_equal(pod_manifest_new(&m), 0);
        synced.is_on = true;
        assert_int_equal(pod_new(ps, &p, NULL), 0);
        assert_int_equal(mkdir_parents_at(pod_fd(p), "appsinfo/web", 0755), 0);
        assert_int_equal(file_write_at(pod_fd(p), "appsinfo/web/manifest", "{}", 2, 0644, FILE_WRITE_NO_SYNC),
                         0);
        assert_int_equal(symlinkat("/etc/hostname", pod_fd(p), "link"), 0);
        assert_int_equal(pod_write_manifest(p, m, NULL), 0);
        assert_int_equal(pod_set_name(p, "shop", NULL), 0);
        assert_int_equal(pod_move(p, POD_DIRECTORY_PREPARE, NULL), 0);
        assert_int_equal(pod_move(p, POD_DIRECTORY_PREPARED, NULL), 0);
        assert_false(synced.is_on);
        FOREACH_ARRAY (path, paths, ELEMENTSOF(paths))
                check_synced(p, *path);
        p = pod_close(p);
        assert_int_equal(remove_tree_at(AT_FDCWD, dir), 0);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_killed),      cmocka_unit_test(test_disk_full),
                cmocka_unit_test(test_disk_broken), cmocka_unit_test(test_gc_killed),
                cmocka_unit_test(test_power_cut),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
