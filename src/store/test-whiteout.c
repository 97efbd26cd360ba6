/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whiteouts of layers, in every form that can be mounted here: who is not root has plain files only. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka needs the four above */
#include <cmocka.h>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/mount-fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "store/store-tree.h"
#include "store/test-layer.h"
#include "store/tree-compare.h"

static bool can_mount;

#define ENTRIES_MAX 8

/* What is in the layers, and what shows in the end: "path" or "path=content" is there, "path@mode", "!path" is not. */
typedef struct Case {
        const char *row; /* of robustness.md */
        TarSpec upper[ENTRIES_MAX];
        const char *expect[ENTRIES_MAX];
        const char *error; /* of the upper layer; NULL: it is fine */
} Case;

static const TarSpec lower[] = {
        { .name = "./", .type = '5', .mode = 0755 },
        { .name = "d/", .type = '5', .mode = 0700, .uid = 3, .mtime = 1000000 },
        { .name = "d/a", .content = "lower a" },
        { .name = "d/b", .content = "lower b" },
        { .name = "d/s/", .type = '5' },
        { .name = "d/s/t", .content = "lower t" },
        { .name = "f", .content = "lower f", .mode = 0600 },
        { .name = "l", .type = '2', .link = "d" },
};

static const Case cases[] = {
        { "57",
          { { .name = "d/.wh.a" }, { .name = ".wh.f" } },
          { "!d/a", "!f", "d/b=lower b", "d@700" },
          NULL },
        { "57 directory", { { .name = ".wh.d" } }, { "!d", "f=lower f" }, NULL },
        { "57 missing", { { .name = "d/.wh.none" } }, { "!d/none", "d/a=lower a" }, NULL },
        { "58 before",
          { { .name = "d/.wh..wh..opq" },
            { .name = "d/", .type = '5', .mode = 0711 },
            { .name = "d/n", .content = "n" } },
          { "!d/a", "!d/s", "d/n=n", "f=lower f" },
          NULL },
        { "58 after",
          { { .name = "d/", .type = '5', .mode = 0711 },
            { .name = "d/n", .content = "n" },
            { .name = "d/.wh..wh..opq" } },
          { "!d/a", "!d/s", "d/n=n", "f=lower f" },
          NULL },
        { "58 with whiteouts",
          { { .name = "d/.wh.a" },
            { .name = "d/x/.wh.y" },
            { .name = "d/.wh..wh..opq" },
            { .name = "d/.wh.n" } },
          { "!d/a", "!d/n", "d/x", "!d/x/y" },
          NULL },
        { "59 before", { { .name = ".wh.f" }, { .name = "f", .content = "new" } }, { "f=new" }, NULL },
        { "59 after", { { .name = "f", .content = "new" }, { .name = ".wh.f" } }, { "f=new" }, NULL },
        { "59 directory before",
          { { .name = ".wh.d" }, { .name = "d/", .type = '5' }, { .name = "d/n", .content = "n" } },
          { "!d/a", "!d/s", "d/n=n" },
          NULL },
        { "59 directory after",
          { { .name = "d/", .type = '5' }, { .name = "d/n", .content = "n" }, { .name = ".wh.d" } },
          { "!d/a", "!d/s", "d/n=n" },
          NULL },
        { "59 directory implied",
          { { .name = ".wh.d" }, { .name = "d/n", .content = "n" } },
          { "!d/a", "!d/s", "d/n=n" },
          NULL },
        { "60", { { .name = "d/.wh." } }, {}, "names nothing" },
        { "60", { { .name = "d/.wh.." } }, {}, "names nothing" },
        { "60", { { .name = "d/.wh..." } }, {}, "names nothing" },
        { "61",
          { { .name = ".wh..wh..opq" }, { .name = "n", .content = "n" } },
          { "!d", "!f", "!l", "n=n" },
          NULL },
        { "61 absolute",
          { { .name = "/.wh..wh..opq" }, { .name = "n", .content = "n" } },
          { "!f", "n=n" },
          NULL },
        { "62",
          { { .name = "h", .type = '2', .link = "/tmp" }, { .name = "h/.wh.canary" } },
          {},
          "a link to nothing" },
        { "62 opaque",
          { { .name = "h", .type = '2', .link = "/tmp" }, { .name = "h/.wh..wh..opq" } },
          {},
          "a link to nothing" },
        { "62 inside",
          { { .name = "h", .type = '2', .link = "/d/s" },
            { .name = "d/s/", .type = '5' },
            { .name = "h/.wh.t" } },
          { "h", "d/s", "!d/s/t", "d/a=lower a" },
          NULL },
        { "63",
          { { .name = "etc/", .type = '5' },
            { .name = "d", .type = '2', .link = "/etc" },
            { .name = "d/.wh.passwd" } },
          { "d", "etc", "!etc/passwd", "!d/a", "f=lower f" },
          NULL },
        { "63 gone",
          { { .name = "d", .type = '2', .link = "/etc" }, { .name = "d/.wh.a" } },
          {},
          "a link to nothing" },
        { "64 link", { { .name = ".wh.f", .type = '2', .link = "d" } }, {}, "must be a regular file" },
        { "64 directory", { { .name = ".wh.f/", .type = '5' } }, {}, "must be a regular file" },
        { "64 hard link",
          { { .name = ".wh.f", .type = '1', .link = ".wh.other" } },
          { "!f", "!other" },
          NULL },
        { "65", { { .name = ".wh.d/a", .content = "a" } }, {}, "lies in a whiteout" },
        { "66",
          { { .name = ".wh..wh.plnk/", .type = '5' },
            { .name = ".wh..wh.plnk/1.2", .content = "x" },
            { .name = ".wh..wh.aufs" },
            { .name = "n", .content = "n" } },
          { "n=n", "f=lower f", "!.wh..wh.aufs", "!.wh..wh.plnk" },
          NULL },
        { "28", { { .name = "f", .type = '3' } }, {}, "may not contain the character device 0:0" },
        { "54", { { .name = "new", .type = '1', .link = "f" } }, {}, "target 'f' is not in this layer" },
        { "directory over file",
          { { .name = "f/", .type = '5' }, { .name = "f/n", .content = "n" } },
          { "f/n=n" },
          NULL },
        { "file over directory", { { .name = "d", .content = "now a file" } }, { "d=now a file" }, NULL },
        { "what was in a directory that is a file now",
          { { .name = "d/.wh.b" }, { .name = "d", .content = "now a file" }, { .name = "d/.wh.a" } },
          { "d=now a file" },
          NULL },
        { "18",
          { { .name = "f", .content = "file" }, { .name = "f/x", .content = "x" } },
          {},
          "is no directory" },
        { "18 opaque",
          { { .name = "f", .content = "file" }, { .name = "f/.wh..wh..opq" } },
          {},
          "is no directory" },
        { "19, but for what is below",
          { { .name = "d/s/n", .content = "n" }, { .name = "new/x", .content = "x" } },
          { "d@700", "d/s@755", "d/s/n=n", "d/s/t=lower t", "new@755" },
          NULL },
        { "directory over directory",
          { { .name = "d/", .type = '5', .mode = 0751, .uid = 7 }, { .name = "d/a", .content = "upper a" } },
          { "d/a=upper a", "d/b=lower b", "d/s/t=lower t" },
          NULL },
};

static void check_path(const Case *c, const char *where, int root, const char *expect) {
        const char *equals = strpbrk(expect, "=@"), *name = expect + (*expect == '!');
        _cleanup_free_ char *path = strndup(name, equals ? (size_t) (equals - name) : strlen(name)),
                            *text = NULL;
        struct stat st;
        bool found = fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) == 0;

        if (found != (*expect != '!'))
                fail_msg("row %s: %s: '%s' is %s there", c->row, where, path, found ? "" : "not");
        if (found && (S_ISCHR(st.st_mode) || startswith(path, ".wh.")))
                fail_msg("row %s: %s: '%s' is a whiteout", c->row, where, path);
        if (equals && *equals == '@') {
                if ((st.st_mode & 07777) != (mode_t) strtoul(equals + 1, NULL, 8))
                        fail_msg("row %s: %s: '%s' has the mode %o", c->row, where, path, st.st_mode);
        } else if (equals && (file_read_at(root, path, 100, &text, NULL) < 0 || !streq(text, equals + 1)))
                fail_msg("row %s: %s: '%s' is '%s'", c->row, where, path, str_or(text, ""));
}

static void check_all(const Case *c, const char *where, int root) {
        for (const char *const *x = c->expect; *x; x++)
                check_path(c, where, root, *x);
}

/* As a pod has it. Trees are mounts of this namespace only if they have a place in it. */
static int mount_stack(Store *s, char *const *layers, int dir) {
        _cleanup_strbuf_ StrBuf option = STRBUF_INIT;
        _cleanup_strv_free_ char **stack = NULL;
        int n = 0, r, fd = -EBADF;

        assert_int_equal(store_layers_stack(s, layers, &stack, NULL), 0);
        STRV_FOREACH (l, stack) {
                _cleanup_close_ int tree = -EBADF, target = -EBADF;
                _cleanup_free_ char *name = strf("%d", n++), *rest = strf("%s", str_or(option.data, ""));

                assert_int_equal(store_tree_mount(s, *l, &tree, NULL), 0);
                assert_int_equal(mkdirat(dir, name, 0700), 0);
                target = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                assert_int_equal(mount_move(tree, target), 0);
                strbuf_done(&option);
                strbuf_addf(&option, "%s%s%s", name, *rest ? ":" : "", rest);
        }
        /* a single one would not be an overlay */
        assert_int_equal(mkdirat(dir, "empty", 0755), 0);
        strbuf_add(&option, ":empty");
        assert_int_equal(fchdir(dir), 0);
        r = mount_fs("overlay", (MountOption[]){ { "lowerdir", option.data } }, 1, 0, &fd, NULL);
        assert_int_equal(chdir("/"), 0);
        assert_int_equal(r, 0);
        assert_int_equal(mkdirat(dir, "m", 0700), 0);
        assert_int_equal(mkdirat(dir, "m/rootfs", 0700), 0);
        r = openat(dir, "m/rootfs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(mount_move(fd, r), 0);
        (void) fd_close(r);
        return fd;
}

static void unmount_all(int dir) {
        static const char *const names[] = { "m/rootfs", "0", "1", "2" };

        assert_int_equal(fchdir(dir), 0);
        FOREACH_ARRAY (n, names, ELEMENTSOF(names))
                (void) umount2(*n, MNT_DETACH);
        assert_int_equal(chdir("/"), 0);
}

/* Unpacked once, which has to wait for the disk, and compared with what each backend mounts. */
static int open_unpacked(Store *s, const Case *c, char *const *layers, int work) {
        _cleanup_free_ char *name = strf("case%td", c - cases);
        _cleanup_close_ int root = -EBADF;
        int dir;

        if (mkdirat(work, name, 0700) < 0)
                return openat(work, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        dir = openat(work, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(store_layers_unpack(s, layers, dir, NULL), 0);
        assert_int_equal(remove_tree_at(dir, "tree"), 0);
        root = openat(dir, "rootfs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        check_all(c, "unpacked", root);
        return dir;
}

static void check_stack(Store *s, const Case *c, char *const *layers, const char *backend, int work) {
        _cleanup_close_ int dir = -EBADF, plain = open_unpacked(s, c, layers, work), a = -EBADF;
        char name[] = "/tmp/test-whiteout-XXXXXX";
        _cleanup_free_ char *difference = NULL;

        assert_non_null(mkdtemp(name));
        dir = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (can_mount) {
                _cleanup_close_ int root = mount_stack(s, layers, dir);

                check_all(c, backend, root);
                a = openat(dir, "m", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (tree_compare(a, plain, &difference, NULL) != 0)
                        fail_msg("row %s: %s: %s", c->row, backend, difference);
                root = fd_close(root);
                unmount_all(dir);
        }
        assert_int_equal(remove_tree_at(AT_FDCWD, name), 0);
}

static void check_case(Store *s, const Case *c, char *lower_key, const char *backend, int work) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        _cleanup_error_ Error e = ERROR_INIT;
        char key[STORE_KEY_MAX];
        int r;

        for (const TarSpec *t = c->upper; t->name; t++)
                tar_add(&b, t);
        tar_end(&b);
        r = import(s, b.data, b.size, NULL, key, &e);
        if (c->error) {
                if (r >= 0 || !strstr(error_text(&e, r), c->error))
                        fail_msg("row %s: %s: '%s' instead of '%s'", c->row, backend,
                                 r < 0 ? error_text(&e, r) : "no error", c->error);
                return;
        }
        if (r < 0)
                fail_msg("row %s: %s: %s", c->row, backend, error_text(&e, r));
        check_stack(s, c, (char *[]){ lower_key, key, NULL }, backend, work);
}

static void check_backend(const char *backend, int work) {
        char dir[] = "/tmp/test-whiteout-XXXXXX", key[STORE_KEY_MAX];
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        Store *s = NULL;

        assert_non_null(mkdtemp(dir));
        assert_int_equal(setenv("RKT_TREE_BACKEND", backend, 1), 0);
        assert_int_equal(store_open(dir, 0, &s, NULL), 0);
        FOREACH_ARRAY (t, lower, ELEMENTSOF(lower))
                tar_add(&b, t);
        import_ok(s, &b, key);
        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases))
                check_case(s, c, key, backend, work);
        store_free(s);
        assert_int_equal(remove_tree_at(AT_FDCWD, dir), 0);
        assert_int_equal(unsetenv("RKT_TREE_BACKEND"), 0);
}

/* Rows 57-66: what is mounted by overlayfs is what is unpacked, and both are right. */
static void test_whiteouts(void **state _unused_) {
        static const char *const all[] = { "index", "index-loop", "image", "dir" };
        char dir[] = "/tmp/test-whiteout-XXXXXX";
        _cleanup_close_ int work = -EBADF;
        StoreTreeBackend best;
        Store *s = NULL;

        assert_non_null(mkdtemp(dir));
        work = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(unsetenv("RKT_TREE_BACKEND"), 0);
        assert_int_equal(store_open(dir, 0, &s, NULL), 0);
        assert_int_equal(store_tree_choose(s, &best, NULL), 0);
        store_free(s);
        for (size_t i = (size_t) best; i < ELEMENTSOF(all); i++)
                if (i != STORE_TREE_INDEX_LOOP || best == STORE_TREE_INDEX_LOOP)
                        check_backend(all[i], work);
        assert_int_equal(remove_tree_at(AT_FDCWD, dir), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_whiteouts),
        };

        /* overlayfs takes mounts of its own namespace only */
        can_mount = geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
                    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
        if (!can_mount)
                print_message("# not root: nothing is mounted\n");
        return cmocka_run_group_tests(tests, NULL, NULL);
}
