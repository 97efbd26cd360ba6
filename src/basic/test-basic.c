/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The small modules of src/basic, a table of cases each. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "basic/copy-tree.h"
#include "basic/digest.h"
#include "basic/error.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/lock.h"
#include "basic/parse.h"
#include "basic/path.h"
#include "basic/process.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "basic/uuid.h"

static void test_parse(void **state) {
        uint64_t v;
        unsigned u;

        assert_int_equal(parse_uint64("18446744073709551615", &v), 0);
        assert_true(v == UINT64_MAX);
        assert_int_equal(parse_uint64("18446744073709551616", &v), -ERANGE);
        assert_int_equal(parse_uint64("", &v), -EINVAL);
        assert_int_equal(parse_uint64("+1", &v), -EINVAL);
        assert_int_equal(parse_uint64(" 1", &v), -EINVAL);
        assert_int_equal(parse_octal("0755", 07777, &u), 0);
        assert_int_equal(u, 0755);
        assert_int_equal(parse_octal("8", 07777, &u), -EINVAL);
        assert_int_equal(parse_octal("10000", 07777, &u), -ERANGE);
        assert_int_equal(parse_boolean("Yes"), 1);
        assert_int_equal(parse_boolean("off"), 0);
        assert_int_equal(parse_boolean("ture"), -EINVAL);
        assert_int_equal(parse_size("512M", &v), 0);
        assert_true(v == 512U << 20);
        assert_int_equal(parse_size("512MB", &v), -EINVAL);
        assert_int_equal(parse_size("16E", &v), -ERANGE);
        assert_int_equal(parse_sec("1min 30s", &v), 0);
        assert_true(v == 90 * USEC_PER_SEC);
        assert_int_equal(parse_sec("500ms", &v), 0);
        assert_true(v == 500000);
        assert_int_equal(parse_sec("5 parsec", &v), -EINVAL);
        assert_int_equal(parse_sec("", &v), -EINVAL);
}

/* As systemd reads them. */
static void test_parse_fractions(void **state) {
        static const struct {
                const char *text;
                uint64_t usec; /* 0: refused */
        } times[] = {
                { "3.5min", 210 * USEC_PER_SEC },
                { "1.5", 1500000 },
                { ".5s", 500000 },
                { "1.25h 0.000001s", 4500 * USEC_PER_SEC + 1 },
                { "0.0000019s", 1 },
                { "1month", 2629800 * USEC_PER_SEC },
                { "2M", 2 * 2629800 * USEC_PER_SEC },
                { "1y 1 month", (31557600 + 2629800) * USEC_PER_SEC },
                { "5\xc2\xb5s", 5 },
                { "5\xce\xbcs", 5 },
                { "584542y", UINT64_C(584542) * 31557600 * USEC_PER_SEC },
                { "584943y", 0 }, /* more than 64 bits */
                { "3.s", 0 },
                { ".", 0 },
                { "12.34.56", 0 },
                { "1.-5s", 0 },
                { "-1s", 0 },
                { "5\xc2s", 0 },
        };
        static const struct {
                const char *text;
                uint64_t bytes; /* UINT64_MAX: refused */
        } sizes[] = {
                { "1.5K", 1536 },
                { "1.5G", UINT64_C(3) << 29 },
                { "0.1", 0 },
                { "0.1K", 102 },
                { "15.999E", UINT64_C(18445591152204944769) },
                { "0.9999999999999999999999E", (UINT64_C(1) << 60) - 1 },
                { "1.G", UINT64_MAX },
                { "1.5.5G", UINT64_MAX },
                { "16.0E", UINT64_MAX },
                { "1.5GB", UINT64_MAX },
                { "-.5G", UINT64_MAX },
        };

        FOREACH_ARRAY (c, times, ELEMENTSOF(times)) {
                usec_t v = 0;

                assert_int_equal(parse_sec(c->text, &v) >= 0, c->usec > 0);
                assert_true(v == c->usec);
        }
        FOREACH_ARRAY (c, sizes, ELEMENTSOF(sizes)) {
                uint64_t v = UINT64_MAX;

                assert_int_equal(parse_size(c->text, &v) >= 0, c->bytes != UINT64_MAX);
                assert_true(v == c->bytes);
        }
}

static void test_path(void **state) {
        static const struct {
                const char *path;
                bool normalized;
        } cases[] = {
                { "/", true },      { "/a", true },     { "a/b", true },    { "", false },   { "/a/", false },
                { "/a//b", false }, { "/../a", false }, { "a/./b", false }, { "..", false }, { "...", true },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_int_equal(path_is_normalized(cases[i].path), cases[i].normalized);
        assert_true(path_is_safe_name("a"));
        assert_false(path_is_safe_name("a/b"));
        assert_false(path_is_safe_name(".."));
        assert_true(path_is_beneath("/dev", "/dev"));
        assert_true(path_is_beneath("/dev/shm", "/dev"));
        assert_false(path_is_beneath("/device", "/dev"));
        assert_false(path_is_beneath("/", "/dev"));
}

static void test_strings(void **state) {
        _cleanup_strv_free_ char **v = NULL;
        _cleanup_free_ char *joined = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *tree = NULL;
        char text[] = "  a b \n";

        assert_int_equal(strv_split(" a  b c", " ", &v), 0);
        assert_int_equal(strv_length(v), 3);
        assert_int_equal(strv_join(v, ",", &joined), 0);
        assert_string_equal(joined, "a,b,c");
        assert_string_equal(str_strip(text), "a b");
        assert_true(str_is_utf8("\xc3\xa9", 2));
        assert_false(str_is_utf8("\xc0\xaf", 2));
        assert_false(str_is_utf8("\xed\xa0\x80", 3));
        assert_false(str_is_utf8("\xe2\x82", 2));
        assert_int_equal(error_setf(&e, -ENOENT, "no '%s'", "x"), -ENOENT);
        assert_int_equal(error_prefixf(&e, -ENOENT, "store"), -ENOENT);
        assert_string_equal(error_text(&e, -ENOENT), "store: no 'x'");
        assert_int_equal(error_prefixf(&e, -ENOENT, "image '%s'", "a"), -ENOENT);
        tree = error_tree(&e, -ENOENT);
        assert_string_equal(tree, "image 'a'\n  └─store\n    └─no 'x' [ENOENT]");
        assert_int_equal(error_setf(&e, -EIO, "anew"), -EIO);
        assert_null(error_tree(&e, -EIO)); /* nothing of before */
}

static void test_digest(void **state) {
        _cleanup_(digest_freep) Digest *d = NULL;
        char hex[DIGEST_HEX_MAX], uuid[UUID_STRING_MAX];

        assert_int_equal(digest_new(DIGEST_SHA256, &d), 0);
        assert_int_equal(digest_update(d, "abc", 3), 0);
        assert_int_equal(digest_final_hex(d, hex), 0);
        assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_int_equal(uuid_new(uuid), 0);
        assert_true(uuid_is_valid(uuid));
        assert_false(uuid_is_valid("ba7816bf"));
}

static void test_files(void **state) {
        char dir[] = "/tmp/test-basic-XXXXXX";
        _cleanup_close_ int fd = -EBADF, lock = -EBADF, sub = -EBADF;
        _cleanup_free_ char *text = NULL;
        int other;

        assert_non_null(mkdtemp(dir));
        fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(mkdir_parents_at(fd, "a/b/c", 0755), 0);
        assert_int_equal(file_write_at(fd, "a/f", "one", 3, 0644, 0), 0);
        assert_int_equal(file_write_at(fd, "a/f", "two", 3, 0644, FILE_WRITE_NO_REPLACE), -EEXIST);
        assert_int_equal(file_write_at(fd, "a/f", "two", 3, 0644, 0), 0);
        assert_int_equal(file_read_at(fd, "a/f", 100, &text, NULL), 0);
        assert_string_equal(text, "two");
        assert_int_equal(file_read_at(fd, "a/f", 2, &text, NULL), -E2BIG);
        assert_int_equal(lock_file_at(fd, "l", LOCK_MODE_EXCLUSIVE, 0, &lock), 0);
        assert_int_equal(lock_file_at(fd, "l", LOCK_MODE_SHARED, 0, &other), -EBUSY);
        /* A link that points out of the root is resolved inside it. */
        assert_int_equal(symlinkat("/etc", fd, "out"), 0);
        assert_int_equal(root_open(fd, "/out/passwd", O_RDONLY), -ENOENT);
        assert_int_equal(symlinkat("../../a", fd, "up"), 0);
        sub = root_mkdirs(fd, "/up/new/dir", 0755);
        assert_true(sub >= 0);
        assert_int_equal(faccessat(fd, "a/new/dir", F_OK, 0), 0);
        fd_close(sub);
        /* what a link leads to is made, inside the root */
        assert_int_equal(symlinkat("/gone/deep", fd, "dangling"), 0);
        assert_int_equal(symlinkat("../../dangling/deeper", fd, "a/relative"), 0);
        assert_int_equal(root_mkdirs(fd, "/a/relative/x/y", 0755), -ENOENT);
        sub = root_mkdirs_through(fd, "/a/relative/x/y", 0755);
        assert_true(sub >= 0);
        assert_int_equal(faccessat(fd, "gone/deep/deeper/x/y", F_OK, 0), 0);
        fd_close(sub);
        assert_int_equal(symlinkat("loop/x", fd, "loop"), 0);
        assert_int_equal(root_mkdirs(fd, "/loop/x", 0755), -ELOOP);
        assert_int_equal(root_mkdirs_through(fd, "/loop/x", 0755), -ELOOP);
        assert_int_equal(symlinkat("a/f", fd, "file"), 0);
        sub = root_mkdirs(fd, "/file/x", 0755);
        assert_int_equal(sub, -ENOTDIR);
        assert_int_equal(remove_tree_at(AT_FDCWD, dir), 0);
        assert_int_equal(access(dir, F_OK), -1);
}

static void test_process(void **state) {
        _cleanup_error_ Error e = ERROR_INIT;
        Process p = PROCESS_INIT;
        char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char[]){ "cat; exit 3" }, NULL };
        int in[2], out[2], status = -1;
        char buffer[16] = "";

        assert_int_equal(pipe2(in, O_CLOEXEC), 0);
        assert_int_equal(pipe2(out, O_CLOEXEC), 0);
        assert_int_equal(process_spawn(&(ProcessSpec){ .path = "/bin/sh",
                                                       .argv = argv,
                                                       .fds = (int[]){ in[0], out[1], STDERR_FILENO },
                                                       .n_fds = 3 },
                                       &p, &e),
                         0);
        (void) fd_close(in[0]);
        (void) fd_close(out[1]);
        assert_int_equal(fd_write_all(in[1], "hello", 5), 0);
        (void) fd_close(in[1]);
        assert_int_equal(fd_read_full(out[0], buffer, sizeof(buffer)), 5);
        assert_string_equal(buffer, "hello");
        assert_int_equal(process_wait(&p, &status, &e), 0);
        assert_int_equal(status, 3);
        (void) fd_close(out[0]);
}

/* A program that cannot be executed is known at once; one that can keeps no descriptor of that. */
static void test_process_execute(void **state) {
        _cleanup_error_ Error e = ERROR_INIT;
        Process p = PROCESS_INIT;
        char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char[]){ "test ! -e /proc/self/fd/3" }, NULL };
        ProcessSpec spec = { .path = "/no/such/program", .argv = argv, .must_execute = true };

        assert_int_equal(process_spawn(&spec, &p, &e), -ENOENT);
        assert_string_equal(e.message, "cannot execute /no/such/program: No such file or directory");
        assert_int_equal(p.pidfd, -EBADF);
        error_done(&e);
        spec.path = "/etc/passwd";
        assert_int_equal(process_spawn(&spec, &p, NULL), -EACCES);
        spec.path = "/bin/sh";
        assert_int_equal(process_spawn(&spec, &p, &e), 0);
        assert_int_equal(process_wait(&p, NULL, &e), 0);
}

/* CVE-2021-3997: a tree deeper than the limit of open files. */
static void test_remove_deep_tree(void **state) {
        char template[] = "/tmp/rkt-test-XXXXXX";
        _cleanup_close_ int top = -EBADF;
        int fd;

        assert_non_null(mkdtemp(template));
        top = open(template, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(top >= 0);
        assert_int_equal(mkdirat(top, "a", 0700), 0);
        fd = openat(top, "a", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        for (unsigned i = 0; i < 2000; i++) {
                int next;

                assert_int_equal(mkdirat(fd, "d", 0700), 0);
                assert_int_equal(symlinkat("/etc", fd, "link"), 0);
                next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                assert_true(next >= 0);
                assert_int_equal(close(fd), 0);
                fd = next;
        }
        assert_int_equal(close(fd), 0);
        assert_int_equal(remove_tree_at(top, "a"), 0);
        assert_int_equal(remove_tree_at(top, "a"), 0);
        assert_int_equal(faccessat(top, "a", F_OK, AT_SYMLINK_NOFOLLOW), -1);
        assert_int_equal(access("/etc/passwd", F_OK), 0);
        assert_int_equal(rmdir(template), 0);
}

static void test_copy_tree(void **state _unused_) {
        const struct timespec times[2] = { { 5, 6 }, { 7, 8 } };
        char from[] = "/tmp/test-copy-XXXXXX", to[] = "/tmp/test-copy-XXXXXX";
        _cleanup_close_ int a = -EBADF, b = -EBADF, f = -EBADF;
        _cleanup_free_ char *text = NULL;
        char target[10] = "";
        struct stat st, st2;
        size_t size;

        assert_non_null(mkdtemp(from));
        assert_non_null(mkdtemp(to));
        a = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        b = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(mkdirat(a, "d", 0750), 0);
        assert_int_equal(file_write_at(a, "d/f", "text", 4, 04640, FILE_WRITE_NO_SYNC), 0);
        f = openat(a, "d/f", O_WRONLY | O_CLOEXEC);
        assert_int_equal(ftruncate(f, 5000000), 0);
        assert_int_equal(pwrite(f, "x", 1, 4000000), 1);
        assert_int_equal(futimens(f, times), 0);
        assert_int_equal(linkat(a, "d/f", a, "hard", 0), 0);
        assert_int_equal(symlinkat("/etc", a, "d/link"), 0);
        assert_int_equal(mkfifoat(a, "fifo", 0600), 0);
        assert_int_equal(fchmodat(a, "d", 0, 0), 0);
        if (geteuid() != 0)
                assert_int_equal(fchmodat(a, "d", 0750, 0), 0);
        assert_int_equal(copy_tree(a, b, NULL), 0);
        assert_int_equal(fstatat(b, "d", &st, 0), 0);
        assert_int_equal(st.st_mode, geteuid() == 0 ? S_IFDIR : S_IFDIR | 0750);
        assert_int_equal(fchmodat(b, "d", 0700, 0), 0);
        assert_int_equal(fstatat(b, "d/f", &st, 0), 0);
        assert_int_equal(fstatat(b, "hard", &st2, 0), 0);
        assert_int_equal(st.st_ino, st2.st_ino);
        assert_int_equal(st.st_mode, S_IFREG | 04640);
        assert_int_equal(st.st_mtim.tv_sec, 7);
        assert_int_equal(st.st_mtim.tv_nsec, 8);
        assert_int_equal(st.st_size, 5000000);
        assert_true(st.st_blocks < 1000);
        assert_int_equal(file_read_at(b, "hard", 6000000, &text, &size), 0);
        assert_memory_equal(text, "text", 5);
        assert_int_equal(text[4000000], 'x');
        assert_int_equal(readlinkat(b, "d/link", target, sizeof(target)), 4);
        assert_int_equal(fstatat(b, "fifo", &st, 0), 0);
        assert_int_equal(st.st_mode, S_IFIFO | 0600);
        assert_int_equal(copy_tree(a, b, NULL), -EEXIST); /* nothing is replaced */
        assert_int_equal(fchmodat(a, "d", 0700, 0), 0);
        assert_int_equal(remove_tree_at(AT_FDCWD, from), 0);
        assert_int_equal(remove_tree_at(AT_FDCWD, to), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_copy_tree), cmocka_unit_test(test_remove_deep_tree),
                cmocka_unit_test(test_parse),     cmocka_unit_test(test_parse_fractions),
                cmocka_unit_test(test_path),      cmocka_unit_test(test_strings),
                cmocka_unit_test(test_digest),    cmocka_unit_test(test_files),
                cmocka_unit_test(test_process),   cmocka_unit_test(test_process_execute),
        };

        return cmocka_run_group_tests_name("basic", tests, NULL, NULL);
}
