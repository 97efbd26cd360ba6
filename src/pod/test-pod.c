/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pod's life, without root: states, locks, names, what lies about, races of processes. Ids of rkt.md (GC-, RM-, STA-,
 * CATM-) and robustness.md 3.13 (S) stand at the cases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "pod/pod-gc.h"
#include "pod/pod-list.h"
#include "pod/pod-stop.h"
#include "pod/test-pod-fixture.h"

#define HOUR (3600 * USEC_PER_SEC)

/* The entries of one of the six directories. */
static size_t count(Fixture *f, PodDirectory d) {
        _cleanup_strv_free_ char **names = NULL;
        _cleanup_free_ char *path = strf("%s/pods/%s", f->dir, pod_directory_to_string(d));

        assert_int_equal(dir_list_at(AT_FDCWD, path, &names), 0);
        return strv_length(names);
}

static size_t count_all(Fixture *f) {
        size_t n = 0;

        for (PodDirectory d = 0; d < _POD_DIRECTORY_MAX; d++)
                n += count(f, d);
        return n;
}

static usec_t now(void) {
        struct timespec ts;

        assert_int_equal(clock_gettime(CLOCK_REALTIME, &ts), 0);
        return (usec_t) ts.tv_sec * USEC_PER_SEC + (usec_t) ts.tv_nsec / 1000;
}

static PodState state_of(Fixture *f, const char *id) {
        _cleanup_(pod_closep) Pod *p = NULL;

        assert_int_equal(pod_open(f->pods, id, &p, NULL), 0);
        return pod_state(p);
}

static void test_states(void **state) {
        static const struct {
                PodDirectory to;
                PodState unlocked, locked;
                const char *text;
        } cases[] = {
                { POD_DIRECTORY_EMBRYO, POD_EMBRYO, POD_EMBRYO, "embryo" },
                { POD_DIRECTORY_PREPARE, POD_ABORTED_PREPARE, POD_PREPARING, "aborted prepare" },
                { POD_DIRECTORY_PREPARED, POD_PREPARED, POD_PREPARED, "prepared" },
                { POD_DIRECTORY_RUN, POD_EXITED, POD_RUNNING, "exited" },
                { POD_DIRECTORY_EXITED_GARBAGE, POD_EXITED_GARBAGE, POD_EXITED_DELETING, "exited garbage" },
                { POD_DIRECTORY_GARBAGE, POD_GARBAGE, POD_DELETING, "garbage" },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_free_ char *uuid = make_pod(*state, c->to, NULL);
                _cleanup_(pod_closep) Pod *p = NULL;

                assert_int_equal(state_of(*state, uuid), c->unlocked);
                assert_string_equal(pod_state_to_string(c->unlocked), c->text);
                assert_int_equal(pod_open(((Fixture *) *state)->pods, uuid, &p, NULL), 0);
                assert_int_equal(pod_directory(p), c->to);
                assert_int_equal(pod_lock(p, NULL), 0);
                assert_int_equal(state_of(*state, uuid), c->locked);
                p = pod_close(p);
                assert_int_equal(state_of(*state, uuid), c->unlocked);
        }
}

static void test_illegal_moves(void **state) {
        Fixture *f = *state;

        for (PodDirectory from = 0; from < _POD_DIRECTORY_MAX; from++)
                for (PodDirectory to = 0; to <= from; to++)
                        assert_false(pod_move_is_legal(from, to));
        for (PodDirectory to = 0; to < _POD_DIRECTORY_MAX; to++) {
                _cleanup_(pod_closep) Pod *p = NULL;
                _cleanup_error_ Error e = ERROR_INIT;

                assert_int_equal(pod_new(f->pods, &p, NULL), 0);
                if (pod_move_is_legal(POD_DIRECTORY_EMBRYO, to))
                        continue;
                assert_int_equal(pod_move(p, to, &e), -EINVAL);
                assert_non_null(e.message);
                assert_int_equal(pod_directory(p), POD_DIRECTORY_EMBRYO);
        }
}

static void test_modes(void **state) {
        Fixture *f = *state;
        _cleanup_(pod_closep) Pod *p = NULL;
        mode_t mask = umask(077);
        struct stat st;

        assert_int_equal(pod_new(f->pods, &p, NULL), 0);
        (void) umask(mask);
        assert_int_equal(fstat(pod_fd(p), &st), 0);
        assert_int_equal(st.st_mode & 0777, 0750);
}

static void test_files(void **state) {
        Fixture *f = *state;
        _cleanup_(pod_closep) Pod *p = NULL, *again = NULL;
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL, *read = NULL;
        _cleanup_free_ char *name = NULL, *path = NULL, *text = NULL;
        usec_t t = 0;
        PodApp *a;
        pid_t pid;
        int status;

        assert_int_equal(pod_new(f->pods, &p, NULL), 0);
        assert_int_equal(pod_get_name(p, &name), -ENOENT);
        assert_int_equal(pod_read_manifest_text(p, &text, NULL, NULL), -ENOENT);
        assert_int_equal(pod_set_name(p, "a/b", NULL), -EINVAL);
        assert_int_equal(pod_set_name(p, "", NULL), -EINVAL);
        assert_int_equal(pod_set_name(p, "shop", NULL), 0);
        assert_int_equal(pod_get_name(p, &name), 0);
        assert_string_equal(name, "shop");

        assert_int_equal(pod_manifest_new(&m), 0);
        assert_int_equal(pod_manifest_add_app(m, "web", &a), 0);
        assert_int_equal(pod_write_manifest(p, m, NULL), 0);
        assert_int_equal(pod_move(p, POD_DIRECTORY_PREPARE, NULL), 0);
        assert_int_equal(pod_move(p, POD_DIRECTORY_RUN, NULL), 0);
        assert_int_equal(pod_read_manifest(p, &read, NULL), 0);
        assert_non_null(pod_manifest_find_app(read, "web"));

        assert_int_equal(pod_created_usec(p, &t), 0);
        assert_true(t > now() - 60 * USEC_PER_SEC && t <= now() + USEC_PER_SEC);
        assert_int_equal(pod_started_usec(p, &t), -ENOENT);
        assert_int_equal(pod_marked_usec(p, &t), -ENOENT);
        assert_int_equal(pod_set_ppid(p, 1, NULL), 0);
        assert_int_equal(pod_started_usec(p, &t), 0);

        assert_int_equal(pod_get_app_status(p, "web", &status), -ENOENT);
        assert_int_equal(pod_get_app_status(p, "../web", &status), -EINVAL);
        assert_int_equal(pod_set_app_status(p, "web", 256, NULL), -EINVAL);
        assert_int_equal(pod_set_app_status(p, "web", 42, NULL), 0); /* EXIT-04 */
        assert_int_equal(pod_get_app_status(p, "web", &status), 0);
        assert_int_equal(status, 42);
        assert_int_equal(pod_app_finished_usec(p, "web", &t), 0);
        assert_int_equal(pod_app_started_usec(p, "web", &t), -ENOENT);

        assert_int_equal(pod_path(p, "stage1/rootfs", &path), 0);
        assert_int_equal(access(path, F_OK), 0);
        p = pod_close(p);
        assert_int_equal(pod_open(f->pods, "shop", &again, NULL), 0);
        assert_int_equal(pod_get_pid(again, &pid), -ENOENT); /* exited: the number belongs to somebody else */
}

static bool is_readable(int fd) {
        return poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 0) == 1;
}

/* The mark inside comes with the place for it; a link that leads out is not followed; marks are kept. */
static void test_stop_marks(void **state) {
        Fixture *f = *state;
        _cleanup_free_ char *uuid = make_pod(f, POD_DIRECTORY_RUN, NULL), *dir = NULL, *inside = NULL,
                            *mark = NULL;
        _cleanup_(pod_closep) Pod *p = NULL;
        _cleanup_close_ int watch = -EBADF;

        assert_int_equal(pod_open(f->pods, uuid, &p, NULL), 0);
        assert_int_equal(pod_path(p, NULL, &dir), 0);
        assert_int_equal(pod_path(p, "stage1/rootfs/rkt", &inside), 0);
        mark = strf("%s/stop", inside);
        watch = pod_stop_watch(dir);
        assert_true(watch >= 0);
        assert_false(pod_stop_is_asked(dir));
        assert_false(is_readable(watch));
        assert_int_equal(pod_stop_ask(dir), 0);
        assert_true(pod_stop_is_asked(dir));
        assert_true(is_readable(watch));

        assert_int_equal(pod_set_app_status(p, "web", 0, NULL), 0); /* makes the place */
        assert_int_not_equal(access(mark, F_OK), 0);
        assert_int_equal(pod_stop_ask(dir), 0);
        assert_int_equal(access(mark, F_OK), 0);
        assert_int_equal(pod_stop_ask(dir), 0);

        assert_int_equal(unlink(mark), 0);
        assert_int_equal(symlink("/tmp/rkt-no-such-file", mark), 0);
        assert_int_equal(pod_stop_ask(dir), 0); /* something is there already */
        assert_int_not_equal(access("/tmp/rkt-no-such-file", F_OK), 0);
        assert_int_equal(pod_stop_ask("/no/such/pod"), -ENOENT);
        assert_int_equal(pod_stop_watch("/no/such/pod"), -ENOENT);
        assert_false(pod_stop_is_asked("/no/such/pod"));
}

static void write_end(Pod *p, const char *text) {
        _cleanup_free_ char *path = NULL;

        assert_int_equal(pod_path(p, "stage1/rootfs/rkt/status/web.end", &path), 0);
        assert_int_equal(file_write_at(AT_FDCWD, path, text, strlen(text), 0644, FILE_WRITE_NO_SYNC), 0);
}

/* EXIT: how an app ended, as its pod has it, and what is no such thing. */
static void test_ends(void **state) {
        static const char *const bad[] = { "",
                                           "oom-kill",
                                           "oom-kill killed",
                                           "oom-kill killed x",
                                           "a b 1 2",
                                           "oom-kill killed -1",
                                           "OOM killed 9",
                                           "a\033[2J killed 9",
                                           "a killed 999",
                                           "a-word-that-is-longer-than-any-of-systemd killed 9" };
        Fixture *f = *state;
        _cleanup_free_ char *uuid = make_pod(f, POD_DIRECTORY_RUN, NULL), *big = calloc(1, 4097);
        _cleanup_(pod_closep) Pod *p = NULL;
        PodAppEnd end;

        assert_int_equal(pod_open(f->pods, uuid, &p, NULL), 0);
        assert_int_equal(pod_set_app_status(p, "web", 137, NULL), 0);
        assert_int_equal(pod_get_app_end(p, "web", &end), -ENOENT);
        assert_int_equal(pod_get_app_end(p, "../web", &end), -EINVAL);
        write_end(p, "oom-kill killed 9\n");
        assert_int_equal(pod_get_app_end(p, "web", &end), 0);
        assert_string_equal(end.result, "oom-kill");
        assert_int_equal(end.signal, 9);
        write_end(p, "exit-code exited 137\n");
        assert_int_equal(pod_get_app_end(p, "web", &end), 0);
        assert_int_equal(end.signal, 0);
        FOREACH_ARRAY (b, bad, ELEMENTSOF(bad)) {
                write_end(p, *b);
                assert_int_equal(pod_get_app_end(p, "web", &end), -EBADMSG);
        }
        memset(big, 'a', 4096);
        write_end(p, big);
        assert_int_equal(pod_get_app_end(p, "web", &end), -EBADMSG);
}

/* What the pod left where we read: links, a FIFO, a directory, too much, no number. */
static void test_hostile_status(void **state) {
        Fixture *f = *state;
        _cleanup_free_ char *uuid = make_pod(f, POD_DIRECTORY_RUN, NULL), *path = NULL, *big = NULL;
        _cleanup_(pod_closep) Pod *p = NULL;
        int dir, status = -1;
        usec_t t;

        assert_int_equal(pod_open(f->pods, uuid, &p, NULL), 0);
        assert_int_equal(pod_set_app_status(p, "good", 0, NULL), 0);
        assert_int_equal(pod_path(p, "stage1/rootfs/rkt/status", &path), 0);
        dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(dir >= 0);
        assert_int_equal(symlinkat("good", dir, "link"), 0);
        assert_int_equal(symlinkat("/proc/self/fd/0", dir, "magic"), 0);
        assert_int_equal(mkfifoat(dir, "fifo", 0600), 0);
        assert_int_equal(mkdirat(dir, "directory", 0700), 0);
        big = calloc(1, 1 << 20);
        memset(big, '1', (1 << 20) - 1);
        assert_int_equal(file_write_at(dir, "big", big, (1 << 20) - 1, 0600, FILE_WRITE_NO_SYNC), 0);
        assert_int_equal(file_write_at(dir, "word", "zero\n", 5, 0600, FILE_WRITE_NO_SYNC), 0);
        assert_int_equal(file_write_at(dir, "range", "256\n", 4, 0600, FILE_WRITE_NO_SYNC), 0);
        assert_int_equal(pod_get_app_status(p, "good", &status), 0);
        assert_int_equal(pod_get_app_status(p, "link", &status), -ELOOP);
        assert_int_equal(pod_get_app_status(p, "magic", &status), -ELOOP);
        assert_int_equal(pod_get_app_status(p, "fifo", &status), -EBADMSG);
        assert_true(pod_get_app_status(p, "directory", &status) < 0);
        assert_int_equal(pod_get_app_status(p, "big", &status), -E2BIG);
        assert_int_equal(pod_get_app_status(p, "word", &status), -EBADMSG);
        assert_int_equal(pod_get_app_status(p, "range", &status), -EBADMSG);
        assert_int_equal(pod_app_finished_usec(p, "link", &t), -ELOOP);
        assert_int_equal(unlinkat(dir, "good", 0), 0);
        assert_int_equal(close(dir), 0);

        /* A link in the place of a directory: nothing is written through it. */
        free(path);
        assert_int_equal(pod_path(p, "stage1/rootfs/rkt", &path), 0);
        assert_int_equal(remove_tree_at(AT_FDCWD, path), 0);
        assert_int_equal(symlink(f->dir, path), 0);
        assert_int_equal(pod_set_app_status(p, "good", 0, NULL), -ELOOP);
        free(path);
        path = strf("%s/status", f->dir);
        assert_int_equal(access(path, F_OK), -1);
}

static void test_open(void **state) {
        Fixture *f = *state;
        _cleanup_free_ char *first = make_pod(f, POD_DIRECTORY_RUN, "shop"), *second = NULL, *running = NULL,
                            *third = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_(pod_closep) Pod *p = NULL, *run = NULL;
        char prefix[9] = {};

        assert_int_equal(pod_open(f->pods, "", &p, &e), -EINVAL); /* RM-03 */
        assert_string_equal(e.message, "UUID cannot be empty");
        assert_int_equal(pod_open(f->pods, "1234567890abcdef", &p, &e), -ENOENT); /* RM-02, CATM-03 */
        assert_string_equal(e.message, "no matches found for \"1234567890abcdef\"");
        assert_int_equal(pod_open(f->pods, "00000000-0000-0000-0000-000000000000", &p, &e), -ENOENT);
        assert_string_equal(e.message, "no matches found for \"00000000-0000-0000-0000-000000000000\"");
        assert_int_equal(pod_open(f->pods, "../run", &p, &e), -ENOENT);
        memcpy(prefix, first, 8);
        assert_int_equal(pod_open(f->pods, prefix, &p, NULL), 0); /* RM-04 */
        assert_string_equal(pod_uuid(p), first);
        p = pod_close(p);

        second = make_pod(f, POD_DIRECTORY_RUN, "shop");
        assert_int_equal(pod_open(f->pods, "shop", &p, NULL), 0);
        assert_string_equal(pod_uuid(p), second); /* the newest */
        p = pod_close(p);
        running = make_pod(f, POD_DIRECTORY_RUN, "shop");
        assert_int_equal(pod_open_uuid(f->pods, running, &run, NULL), 0);
        assert_int_equal(pod_lock(run, NULL), 0);
        third = make_pod(f, POD_DIRECTORY_RUN, "shop");
        assert_int_equal(pod_open(f->pods, "shop", &p, NULL), 0);
        assert_string_equal(pod_uuid(p), running); /* the running one */
}

static void test_ambiguous_prefix(void **state) {
        Fixture *f = *state;
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_(pod_closep) Pod *p = NULL;
        static const char *const uuids[] = { "abcd0000-0000-4000-8000-000000000001",
                                             "abcd0000-0000-4000-8000-000000000002" };
        _cleanup_free_ char *named = make_pod(f, POD_DIRECTORY_RUN, "abcd");

        FOREACH_ARRAY (u, uuids, ELEMENTSOF(uuids)) {
                _cleanup_free_ char *path = strf("%s/pods/run/%s", f->dir, *u);

                assert_int_equal(mkdir(path, 0750), 0);
        }
        assert_int_equal(pod_open(f->pods, "abcd0", &p, &e), -ENOTUNIQ);
        assert_string_equal(e.message, "ambiguous uuid, 2 matches");
        /* A name that looks like the start of a UUID is a name. */
        assert_int_equal(pod_open(f->pods, "abcd", &p, &e), 0);
        assert_string_equal(pod_uuid(p), named);
}

/* The lock lives in the program that was executed, and ends with it. */
static void test_lock_survives_exec(void **state) {
        Fixture *f = *state;
        _cleanup_(pod_closep) Pod *p = NULL, *other = NULL;
        _cleanup_(pods_closep) Pods *adopter = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        char uuid[UUID_STRING_MAX];
        int in[2], status;
        pid_t pid;

        assert_int_equal(pod_new(f->pods, &p, NULL), 0);
        memcpy(uuid, pod_uuid(p), sizeof(uuid));
        assert_int_equal(pod_move(p, POD_DIRECTORY_PREPARE, NULL), 0);
        assert_int_equal(pipe2(in, O_CLOEXEC), 0);
        pid = fork();
        if (pid == 0) {
                if (pod_move(p, POD_DIRECTORY_RUN, NULL) < 0 || pod_pass_lock(p) < 0 || dup2(in[0], 0) < 0)
                        _exit(1);
                (void) execl("/bin/cat", "cat", (char *) NULL);
                _exit(1);
        }
        p = pod_close(p);
        assert_int_equal(close(in[0]), 0);
        while (state_of(f, uuid) != POD_RUNNING)
                assert_int_equal(kill(pid, 0), 0);
        assert_int_equal(pod_open(f->pods, uuid, &other, NULL), 0);
        assert_int_equal(pod_lock(other, &e), -EBUSY);
        assert_non_null(strstr(e.message, "is running"));
        assert_int_equal(pod_remove(other, &(PodGcOptions){}, &e), -EBUSY);
        assert_non_null(strstr(e.message, "is currently running"));
        assert_int_equal(close(in[1]), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_int_equal(state_of(f, uuid), POD_EXITED);
        assert_int_equal(pod_refresh(other), 0);
        assert_int_equal(pod_state(other), POD_EXITED);
}

static void test_adopt_lock(void **state) {
        Fixture *f = *state;
        _cleanup_(pod_closep) Pod *p = NULL, *q = NULL, *adopted = NULL;
        int fd;

        assert_int_equal(pod_new(f->pods, &p, NULL), 0);
        assert_int_equal(pod_new(f->pods, &q, NULL), 0);
        fd = dup(pod_fd(p));
        assert_true(fd >= 0);
        assert_int_equal(pod_adopt_lock(f->pods, pod_uuid(q), fd, &adopted, NULL), -EBADF);
        assert_int_equal(pod_adopt_lock(f->pods, pod_uuid(p), fd, &adopted, NULL), 0);
        p = pod_close(p);
        assert_true(pod_is_locked(adopted));
        assert_int_equal(pod_move(adopted, POD_DIRECTORY_PREPARE, NULL), 0);
        assert_int_equal(state_of(f, pod_uuid(adopted)), POD_PREPARING);
}

static size_t changes_of(const PodChanges *c, PodChangeType type) {
        size_t n = 0;

        FOREACH_ARRAY (i, c->changes, c->n_changes)
                n += i->type == type;
        return n;
}

static int count_release(Pod *p, void *userdata, Error *e) {
        assert_true(pod_is_locked(p));
        ++*(unsigned *) userdata;
        return 0;
}

static void test_gc(void **state) { /* GC-01 */
        Fixture *f = *state;
        _cleanup_free_ char *exited = make_pod(f, POD_DIRECTORY_RUN, "a");
        _cleanup_free_ char *prepared = make_pod(f, POD_DIRECTORY_PREPARED, NULL);
        _cleanup_free_ char *aborted = make_pod(f, POD_DIRECTORY_PREPARE, NULL);
        _cleanup_free_ char *embryo = make_pod(f, POD_DIRECTORY_EMBRYO, NULL);
        _cleanup_(pod_closep) Pod *running = NULL, *preparing = NULL;
        _cleanup_pod_changes_ PodChanges marks = POD_CHANGES_INIT, sweeps = POD_CHANGES_INIT;
        unsigned n_released = 0;
        PodGcOptions options = { .mark_only = true, .release = count_release, .userdata = &n_released };

        assert_int_equal(pod_new(f->pods, &running, NULL), 0);
        assert_int_equal(pod_move(running, POD_DIRECTORY_PREPARE, NULL), 0);
        assert_int_equal(pod_move(running, POD_DIRECTORY_RUN, NULL), 0);
        assert_int_equal(pod_new(f->pods, &preparing, NULL), 0);
        assert_int_equal(pod_move(preparing, POD_DIRECTORY_PREPARE, NULL), 0);

        assert_int_equal(pod_gc(f->pods, &options, &marks, NULL), 0);
        assert_int_equal(changes_of(&marks, POD_CHANGE_MARKED_EXITED), 1);
        assert_int_equal(changes_of(&marks, POD_CHANGE_MARKED_ABORTED), 2);
        assert_int_equal(changes_of(&marks, POD_CHANGE_MARKED_EXPIRED), 1);
        assert_int_equal(marks.n_changes, 4);
        assert_int_equal(n_released, 0);
        assert_int_equal(count(f, POD_DIRECTORY_EXITED_GARBAGE), 1);
        assert_int_equal(count(f, POD_DIRECTORY_GARBAGE), 3);
        assert_int_equal(count_all(f), 6);

        options.mark_only = false;
        assert_int_equal(pod_gc(f->pods, &options, &sweeps, NULL), 0);
        assert_int_equal(changes_of(&sweeps, POD_CHANGE_REMOVED), 4);
        assert_int_equal(n_released, 4);
        assert_int_equal(count_all(f), 2);
        assert_int_equal(count(f, POD_DIRECTORY_RUN), 1);
        assert_int_equal(count(f, POD_DIRECTORY_PREPARE), 1);
}

static void test_gc_ages(void **state) {
        Fixture *f = *state;
        _cleanup_free_ char *exited = make_pod(f, POD_DIRECTORY_RUN, NULL);
        _cleanup_free_ char *prepared = make_pod(f, POD_DIRECTORY_PREPARED, NULL);
        PodGcOptions options = { .grace_usec = POD_GC_GRACE_USEC,
                                 .expire_prepared_usec = POD_GC_EXPIRE_PREPARED_USEC };
        static const struct {
                usec_t after;
                size_t marked, expired, kept, removed;
        } cases[] = {
                { 0, 1, 0, 1, 0 },         { HOUR / 3, 0, 0, 1, 0 },  { HOUR, 0, 0, 0, 1 },
                { 23 * HOUR, 0, 0, 0, 0 }, { 25 * HOUR, 0, 1, 0, 1 },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_pod_changes_ PodChanges done = POD_CHANGES_INIT;

                options.now_usec = now() + c->after;
                assert_int_equal(pod_gc(f->pods, &options, &done, NULL), 0);
                assert_int_equal(changes_of(&done, POD_CHANGE_MARKED_EXITED), c->marked);
                assert_int_equal(changes_of(&done, POD_CHANGE_MARKED_EXPIRED), c->expired);
                assert_int_equal(changes_of(&done, POD_CHANGE_KEPT), c->kept);
                assert_int_equal(changes_of(&done, POD_CHANGE_REMOVED), c->removed);
                assert_int_equal(changes_of(&done, POD_CHANGE_FAILED), 0);
        }
        assert_int_equal(count_all(f), 0);
}

static int fail_release(Pod *p, void *userdata, Error *e) {
        return error_setf(e, -EIO, "no network");
}

static void test_gc_release_fails(void **state) {
        Fixture *f = *state;
        _cleanup_free_ char *exited = make_pod(f, POD_DIRECTORY_RUN, NULL);
        _cleanup_pod_changes_ PodChanges done = POD_CHANGES_INIT;

        assert_int_equal(pod_gc(f->pods, &(PodGcOptions){ .release = fail_release }, &done, NULL), 0);
        assert_int_equal(changes_of(&done, POD_CHANGE_FAILED), 1);
        assert_non_null(strstr(done.changes[1].error, "no network"));
        assert_int_equal(state_of(f, exited), POD_EXITED_GARBAGE);
        assert_int_equal(pod_gc(f->pods, &(PodGcOptions){}, &done, NULL), 0);
        assert_int_equal(count_all(f), 0);
}

/* A restarted pod leaves one exited pod behind, not one per start. */
static void test_gc_name(void **state) {
        Fixture *f = *state;
        _cleanup_free_ char *old = make_pod(f, POD_DIRECTORY_EXITED_GARBAGE, "shop");
        _cleanup_free_ char *older_in_run = make_pod(f, POD_DIRECTORY_RUN, "shop");
        _cleanup_free_ char *other = make_pod(f, POD_DIRECTORY_RUN, "other");
        _cleanup_free_ char *newest = make_pod(f, POD_DIRECTORY_RUN, "shop");
        _cleanup_pod_changes_ PodChanges done = POD_CHANGES_INIT;
        _cleanup_(pod_closep) Pod *running = NULL, *at_work = NULL;

        assert_int_equal(pod_new(f->pods, &running, NULL), 0);
        assert_int_equal(pod_set_name(running, "shop", NULL), 0);
        assert_int_equal(pod_move(running, POD_DIRECTORY_PREPARE, NULL), 0);
        assert_int_equal(pod_move(running, POD_DIRECTORY_RUN, NULL), 0);
        /* A command was killed half-way, another is at work. */
        free(make_pod(f, POD_DIRECTORY_EMBRYO, NULL));
        free(make_pod(f, POD_DIRECTORY_PREPARE, NULL));
        assert_int_equal(pod_new(f->pods, &at_work, NULL), 0);
        assert_int_equal(pod_gc_name(f->pods, "shop", &(PodGcOptions){}, &done, NULL), 0);
        assert_int_equal(changes_of(&done, POD_CHANGE_REMOVED), 4);
        assert_int_equal(state_of(f, newest), POD_EXITED_GARBAGE);
        assert_int_equal(state_of(f, other), POD_EXITED);
        assert_int_equal(state_of(f, pod_uuid(running)), POD_RUNNING);
        assert_int_equal(state_of(f, pod_uuid(at_work)), POD_EMBRYO);
        assert_int_equal(count_all(f), 4);
}

static void test_remove(void **state) { /* RM-01 */
        Fixture *f = *state;

        for (PodDirectory d = 0; d < _POD_DIRECTORY_MAX; d++) {
                _cleanup_free_ char *uuid = make_pod(f, d, NULL);
                _cleanup_(pod_closep) Pod *p = NULL, *gone = NULL;

                assert_int_equal(pod_open(f->pods, uuid, &p, NULL), 0);
                assert_int_equal(pod_remove(p, &(PodGcOptions){}, NULL), 0);
                assert_int_equal(count_all(f), 0);
                assert_int_equal(pod_open(f->pods, uuid, &gone, NULL), -ENOENT);
                assert_int_equal(pod_remove(p, &(PodGcOptions){}, NULL), -ENOENT);
        }
}

static void test_remove_busy(void **state) {
        Fixture *f = *state;
        static const struct {
                PodDirectory to;
                const char *text;
        } cases[] = {
                { POD_DIRECTORY_RUN, "is currently running" },
                { POD_DIRECTORY_PREPARE, "is currently being prepared" },
                { POD_DIRECTORY_GARBAGE, "is currently being deleted" },
                { POD_DIRECTORY_EXITED_GARBAGE, "is currently being deleted" },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_free_ char *uuid = make_pod(f, c->to, NULL);
                _cleanup_(pod_closep) Pod *holder = NULL, *p = NULL;
                _cleanup_error_ Error e = ERROR_INIT;

                assert_int_equal(pod_open(f->pods, uuid, &holder, NULL), 0);
                assert_int_equal(pod_lock(holder, NULL), 0);
                assert_int_equal(pod_open(f->pods, uuid, &p, NULL), 0);
                assert_int_equal(pod_remove(p, &(PodGcOptions){}, &e), -EBUSY);
                assert_non_null(strstr(e.message, c->text));
        }
}

/* Links in a pod are removed, what they point at is not. */
static void test_remove_follows_no_link(void **state) {
        Fixture *f = *state;
        _cleanup_free_ char *uuid = make_pod(f, POD_DIRECTORY_RUN, NULL), *victim = strf("%s/victim", f->dir);
        _cleanup_free_ char *file = strf("%s/victim/file", f->dir), *stray = NULL;
        _cleanup_pod_changes_ PodChanges done = POD_CHANGES_INIT;
        _cleanup_(pod_closep) Pod *p = NULL;

        assert_int_equal(mkdir(victim, 0700), 0);
        assert_int_equal(mkdir(file, 0700), 0);
        assert_int_equal(pod_open(f->pods, uuid, &p, NULL), 0);
        assert_int_equal(symlinkat(victim, pod_fd(p), "stage1"), 0);
        assert_int_equal(symlinkat(victim, pod_fd(p), "overlay"), 0);
        p = pod_close(p);
        stray = strf("%s/pods/garbage/00000000-0000-4000-8000-000000000000", f->dir);
        assert_int_equal(symlink(victim, stray), 0);
        assert_int_equal(pod_gc(f->pods, &(PodGcOptions){}, &done, NULL), 0);
        assert_int_equal(changes_of(&done, POD_CHANGE_FAILED), 0);
        assert_int_equal(count_all(f), 0);
        assert_int_equal(access(file, F_OK), 0);
}

static void test_strays(void **state) { /* S6 */
        Fixture *f = *state;
        _cleanup_free_ char *twice = make_pod(f, POD_DIRECTORY_RUN, NULL),
                            *good = make_pod(f, POD_DIRECTORY_RUN, NULL);
        _cleanup_pod_list_ PodList l = POD_LIST_INIT, after = POD_LIST_INIT;
        _cleanup_pod_changes_ PodChanges done = POD_CHANGES_INIT;
        _cleanup_free_ char *path = NULL;
        PodGcOptions options = { .grace_usec = POD_GC_GRACE_USEC, .expire_prepared_usec = USEC_INFINITY };
        static const char *const names[] = { "run/not-a-uuid", "garbage/ABCD0000-0000-4000-8000-000000000001",
                                             "exited-garbage" };

        for (size_t i = 0; i < 2; i++) {
                _cleanup_free_ char *stray = strf("%s/pods/%s", f->dir, names[i]);

                assert_int_equal(mkdir(stray, 0750), 0);
        }
        path = strf("%s/pods/%s/%s", f->dir, names[2], twice);
        assert_int_equal(mkdir(path, 0750), 0);
        assert_int_equal(pod_list_load(f->pods, &l, NULL), 0);
        assert_int_equal(l.n_pods, 2);
        assert_int_equal(strv_length(l.errors), 3);

        assert_int_equal(pod_gc(f->pods, &options, &done, NULL), 0);
        assert_int_equal(changes_of(&done, POD_CHANGE_REMOVED), 0); /* not yet */
        options.now_usec = now() + HOUR;
        for (unsigned i = 0; i < 3; i++) {
                pod_changes_done(&done);
                assert_int_equal(pod_gc(f->pods, &options, &done, NULL), 0);
        }
        assert_int_equal(changes_of(&done, POD_CHANGE_FAILED), 0);
        assert_int_equal(pod_list_load(f->pods, &after, NULL), 0);
        assert_int_equal(strv_length(after.errors), 0);
        assert_int_equal(count_all(f), 0);
}

static void test_list(void **state) {
        Fixture *f = *state;
        _cleanup_pod_list_ PodList empty = POD_LIST_INIT, l = POD_LIST_INIT;
        _cleanup_free_ char *a = NULL, *b = NULL;
        _cleanup_(pod_closep) Pod *running = NULL;

        assert_int_equal(pod_list_load(f->pods, &empty, NULL), 0);
        assert_int_equal(empty.n_pods, 0);
        a = make_pod(f, POD_DIRECTORY_RUN, "a");
        b = make_pod(f, POD_DIRECTORY_PREPARED, "b");
        assert_int_equal(pod_open(f->pods, "a", &running, NULL), 0);
        assert_int_equal(pod_lock(running, NULL), 0);
        assert_int_equal(pod_list_load(f->pods, &l, NULL), 0);
        assert_int_equal(l.n_pods, 2);
        assert_string_equal(pod_uuid(l.pods[0]), a); /* oldest first */
        assert_string_equal(pod_uuid(l.pods[1]), b);
        assert_ptr_equal(pod_list_find_running(&l, "a"), l.pods[0]);
        assert_null(pod_list_find_running(&l, "b"));
        assert_null(pod_list_find_running(&l, "c"));
}

/* More pods than a process may have open files. */
static void test_many_pods(void **state) {
        Fixture *f = *state;
        _cleanup_pod_list_ PodList l = POD_LIST_INIT;
        _cleanup_pod_changes_ PodChanges done = POD_CHANGES_INIT;

        for (unsigned i = 0; i < 1500; i++) {
                _cleanup_free_ char *path = strf("%s/pods/run/00000000-0000-4000-8000-%012u", f->dir, i);

                assert_int_equal(mkdir(path, 0750), 0);
        }
        assert_int_equal(pod_list_load(f->pods, &l, NULL), 0);
        assert_int_equal(l.n_pods, 1500);
        FOREACH_ARRAY (p, l.pods, l.n_pods) {
                _cleanup_free_ char *name = NULL;

                assert_int_equal(pod_get_name(*p, &name), -ENOENT);
        }
        assert_int_equal(pod_gc(f->pods, &(PodGcOptions){}, &done, NULL), 0);
        assert_int_equal(changes_of(&done, POD_CHANGE_REMOVED), 1500);
        assert_int_equal(count_all(f), 0);
}

/* One process after another's heels: a reader sees every pod in a state of its life, never an error, never misses one. */
static void test_race_list(void **state) {
        Fixture *f = *state;
        pid_t pid;
        int status;

        pid = fork();
        if (pid == 0) {
                for (unsigned i = 0; i < 150; i++) {
                        char uuid[UUID_STRING_MAX];
                        Pod *p = NULL;

                        if (pod_new(f->pods, &p, NULL) < 0 || pod_move(p, POD_DIRECTORY_PREPARE, NULL) < 0 ||
                            pod_move(p, POD_DIRECTORY_RUN, NULL) < 0)
                                _exit(1);
                        memcpy(uuid, pod_uuid(p), sizeof(uuid));
                        (void) pod_close(p);
                        if (pod_open(f->pods, uuid, &p, NULL) < 0)
                                _exit(2);
                        /* Nobody but readers is there: what they do must not keep us from the lock. */
                        if (pod_remove(p, &(PodGcOptions){}, NULL) < 0)
                                _exit(3);
                        (void) pod_close(p);
                }
                _exit(0);
        }
        while (waitpid(pid, &status, WNOHANG) == 0) {
                _cleanup_pod_list_ PodList l = POD_LIST_INIT;

                assert_int_equal(pod_list_load(f->pods, &l, NULL), 0);
                assert_int_equal(strv_length(l.errors), 0);
                assert_true(l.n_pods <= 1);
        }
        assert_int_equal(status, 0);
        assert_int_equal(count_all(f), 0);
}

/* A pod that only ever moves is in every list. */
static void test_race_never_missed(void **state) {
        Fixture *f = *state;
        pid_t pid;
        int status, ready[2];
        char c;

        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        pid = fork();
        if (pid == 0) {
                for (unsigned i = 0; i < 100; i++) {
                        Pod *p = NULL;

                        if (pod_new(f->pods, &p, NULL) < 0 || (i == 0 && write(ready[1], "", 1) != 1) ||
                            pod_move(p, POD_DIRECTORY_PREPARE, NULL) < 0 ||
                            pod_move(p, POD_DIRECTORY_PREPARED, NULL) < 0 ||
                            pod_move(p, POD_DIRECTORY_RUN, NULL) < 0 ||
                            pod_move(p, POD_DIRECTORY_EXITED_GARBAGE, NULL) < 0)
                                _exit(1);
                        (void) pod_close(p);
                }
                _exit(0);
        }
        assert_int_equal(read(ready[0], &c, 1), 1);
        for (size_t least = 1; waitpid(pid, &status, WNOHANG) == 0;) {
                _cleanup_pod_list_ PodList l = POD_LIST_INIT;

                assert_int_equal(pod_list_load(f->pods, &l, NULL), 0);
                assert_int_equal(strv_length(l.errors), 0);
                assert_true(l.n_pods >= least); /* none is removed, so no list is shorter than one before */
                least = l.n_pods;
        }
        assert_int_equal(status, 0);
        assert_int_equal(close(ready[0]) | close(ready[1]), 0);
}

/* Several gc at once: each pod is removed by one of them, nobody fails. */
static void test_race_gc(void **state) {
        Fixture *f = *state;
        size_t n_removed = 0;
        int out[2];
        pid_t pids[3];

        for (unsigned i = 0; i < 60; i++) {
                _cleanup_free_ char *uuid =
                        make_pod(f, i % 2 ? POD_DIRECTORY_RUN : POD_DIRECTORY_PREPARE, "x");
        }
        assert_int_equal(pipe2(out, O_CLOEXEC), 0);
        FOREACH_ARRAY (pid, pids, ELEMENTSOF(pids)) {
                *pid = fork();
                if (*pid == 0) {
                        _cleanup_pod_changes_ PodChanges done = POD_CHANGES_INIT;
                        uint8_t n;

                        if (pod_gc(f->pods, &(PodGcOptions){}, &done, NULL) < 0 ||
                            changes_of(&done, POD_CHANGE_FAILED) > 0)
                                _exit(1);
                        n = (uint8_t) changes_of(&done, POD_CHANGE_REMOVED);
                        _exit(write(out[1], &n, 1) == 1 ? 0 : 1);
                }
        }
        assert_int_equal(close(out[1]), 0);
        FOREACH_ARRAY (pid, pids, ELEMENTSOF(pids)) {
                uint8_t n = 0;
                int status;

                assert_int_equal(waitpid(*pid, &status, 0), *pid);
                assert_int_equal(status, 0);
                assert_int_equal(read(out[0], &n, 1), 1);
                n_removed += n;
        }
        assert_int_equal(close(out[0]), 0);
        assert_int_equal(n_removed, 60);
        assert_int_equal(count_all(f), 0);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
                T(test_states),
                T(test_illegal_moves),
                T(test_modes),
                T(test_files),
                T(test_stop_marks),
                T(test_ends),
                T(test_hostile_status),
                T(test_open),
                T(test_ambiguous_prefix),
                T(test_lock_survives_exec),
                T(test_adopt_lock),
                T(test_gc),
                T(test_gc_ages),
                T(test_gc_release_fails),
                T(test_gc_name),
                T(test_remove),
                T(test_remove_busy),
                T(test_remove_follows_no_link),
                T(test_strays),
                T(test_list),
                T(test_many_pods),
                T(test_race_list),
                T(test_race_never_missed),
                T(test_race_gc),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
