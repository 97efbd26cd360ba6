/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two trees, directory by directory, by their paths beneath two descriptors: paths of archives are bounded, and so is the
 * number of descriptors, however deep the trees are. */
#include "store/tree-compare.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"

#define PIECE      (64U * 1024)
#define XATTRS_MAX (64U * 1024) /* the kernel's own limit, of names as of a value */

typedef struct Comparison {
        int roots[2];
        char **folders; /* still to be looked into, beneath the roots; the last one is next */
        size_t n_folders;
        char *buffers[2];  /* PIECE or XATTRS_MAX bytes each */
        char *difference;  /* the first one; NULL: none yet */
        char *folder_time; /* a directory that has another time: mostly because of something in it */
} Comparison;

static void comparison_done(Comparison *c) {
        for (size_t i = 0; i < c->n_folders; i++)
                free(c->folders[i]);
        free(c->folders);
        free(c->buffers[0]);
        free(c->buffers[1]);
        free(c->difference);
        free(c->folder_time);
}

/* Return: 1, so that the search ends. */
static int differ(Comparison *c, const char *path, const char *what) {
        c->difference = strf("'%s' has another %s", path, what);
        return c->difference ? 1 : -ENOMEM;
}

static int open_both(const Comparison *c, const char *path, int flags, int fds[2]) {
        fds[0] = openat(c->roots[0], path, flags | O_NOFOLLOW | O_CLOEXEC);
        fds[1] = openat(c->roots[1], path, flags | O_NOFOLLOW | O_CLOEXEC);
        return fds[0] < 0 || fds[1] < 0 ? -errno : 0;
}

static int compare_content(Comparison *c, const char *path) {
        _cleanup_close_ int a = -EBADF, b = -EBADF;
        int fds[2] = { -EBADF, -EBADF }, r = open_both(c, path, O_RDONLY | O_NONBLOCK, fds);

        a = fds[0];
        b = fds[1];
        if (a < 0) /* a link, or what cannot be read */
                return differ(c, path, "content");
        while (r >= 0) {
                ssize_t n = fd_read_full(a, c->buffers[0], PIECE), m = fd_read_full(b, c->buffers[1], PIECE);

                if (m < 0)
                        return (int) m;
                if (n != m || memcmp(c->buffers[0], c->buffers[1], (size_t) n) != 0)
                        return differ(c, path, "content");
                if (n == 0)
                        return 0;
        }
        return r;
}

static int compare_link(Comparison *c, const char *path) {
        ssize_t n[2];

        for (int i = 0; i < 2; i++) {
                n[i] = readlinkat(c->roots[i], path, c->buffers[i], PIECE);
                if (n[i] < 0)
                        return -errno;
        }
        return n[0] != n[1] || memcmp(c->buffers[0], c->buffers[1], (size_t) n[0]) != 0
                       ? differ(c, path, "target")
                       : 0;
}

/* Names of attributes, sorted; what is no file of this kind has none. */
static int list_attributes(Comparison *c, const char *proc, char ***ret) {
        ssize_t n = listxattr(proc, c->buffers[0], XATTRS_MAX);
        _cleanup_strv_free_ char **names = NULL;

        if (n < 0)
                return errno == EOPNOTSUPP ? 0 : -errno;
        for (const char *p = c->buffers[0]; p < c->buffers[0] + n; p += strlen(p) + 1)
                if (strv_extend(&names, p) < 0)
                        return -ENOMEM;
        strv_sort(names);
        *ret = TAKE_PTR(names);
        return 0;
}

static int compare_attribute(Comparison *c, const char *path, char proc[2][64], const char *name) {
        ssize_t n[2];

        for (int i = 0; i < 2; i++) {
                n[i] = getxattr(proc[i], name, c->buffers[i], XATTRS_MAX);
                if (n[i] < 0)
                        return errno == ENODATA ? differ(c, path, "set of attributes") : -errno;
        }
        return n[0] != n[1] || memcmp(c->buffers[0], c->buffers[1], (size_t) n[0]) != 0
                       ? differ(c, path, "attribute")
                       : 0;
}

static int compare_attributes(Comparison *c, const char *path) {
        _cleanup_strv_free_ char **a = NULL, **b = NULL;
        _cleanup_close_ int one = -EBADF, two = -EBADF;
        int fds[2] = { -EBADF, -EBADF }, r = open_both(c, path, O_PATH, fds);
        char proc[2][64];

        one = fds[0];
        two = fds[1];
        (void) snprintf(proc[0], sizeof(proc[0]), "/proc/self/fd/%d", one);
        (void) snprintf(proc[1], sizeof(proc[1]), "/proc/self/fd/%d", two);
        if (r >= 0)
                r = list_attributes(c, proc[0], &a);
        if (r >= 0)
                r = list_attributes(c, proc[1], &b);
        if (r >= 0 && strv_length(a) != strv_length(b))
                return differ(c, path, "set of attributes");
        STRV_FOREACH (n, a) {
                if (r != 0)
                        break;
                r = compare_attribute(c, path, proc, *n);
        }
        return r;
}

/* What stat() says. */
static int compare_stat(Comparison *c, const char *path, const struct stat *a, const struct stat *b) {
        if ((a->st_mode & S_IFMT) != (b->st_mode & S_IFMT))
                return differ(c, path, "type");
        if (a->st_mode != b->st_mode)
                return differ(c, path, "mode");
        if (a->st_uid != b->st_uid || a->st_gid != b->st_gid)
                return differ(c, path, "owner");
        if (a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec) {
                if (!S_ISDIR(a->st_mode))
                        return differ(c, path, "time");
                if (!c->folder_time && !(c->folder_time = strf("'%s' has another time", path)))
                        return -ENOMEM;
        }
        if ((S_ISCHR(a->st_mode) || S_ISBLK(a->st_mode)) && a->st_rdev != b->st_rdev)
                return differ(c, path, "device number");
        if (S_ISREG(a->st_mode) && a->st_size != b->st_size)
                return differ(c, path, "size");
        return !S_ISDIR(a->st_mode) && a->st_nlink != b->st_nlink ? differ(c, path, "number of links") : 0;
}

/* 1: they differ. Takes a directory into the list of those to be looked into. */
static int compare_object(Comparison *c, const char *path) {
        struct stat st[2];
        int r;

        for (int i = 0; i < 2; i++)
                if (fstatat(c->roots[i], path, &st[i], AT_SYMLINK_NOFOLLOW) < 0)
                        return -errno;
        r = compare_stat(c, path, &st[0], &st[1]);
        if (r == 0)
                r = compare_attributes(c, path);
        if (r == 0 && S_ISREG(st[0].st_mode))
                r = compare_content(c, path);
        else if (r == 0 && S_ISLNK(st[0].st_mode))
                r = compare_link(c, path);
        if (r != 0 || !S_ISDIR(st[0].st_mode))
                return r;
        /* NOLINTNEXTLINE(bugprone-sizeof-expression) a list of pointers */
        if (!GREEDY_GROW(c->folders, c->n_folders))
                return -ENOMEM;
        c->folders[c->n_folders] = strdup(path);
        return c->folders[c->n_folders++] ? 0 : -ENOMEM;
}

/* Sorted names: the first one that only one side has. */
static int compare_names(Comparison *c, const char *folder, char *const *a, char *const *b) {
        for (; (a && *a) || (b && *b); a++, b++) {
                int order = !a || !*a ? 1 : !b || !*b ? -1 : strcmp(*a, *b);

                if (order == 0)
                        continue;
                c->difference = order > 0 ? strf("'%s/%s' is missing", folder, *b)
                                          : strf("'%s/%s' is not of the image", folder, *a);
                return c->difference ? 1 : -ENOMEM;
        }
        return 0;
}

static int compare_folder(Comparison *c, const char *folder) {
        _cleanup_strv_free_ char **a = NULL, **b = NULL;
        int r = dir_list_at(c->roots[0], folder, &a);

        if (r >= 0)
                r = dir_list_at(c->roots[1], folder, &b);
        if (r >= 0)
                r = compare_names(c, folder, a, b);
        STRV_FOREACH (n, a) {
                _cleanup_free_ char *path = NULL;

                if (r != 0)
                        break;
                path = strf("%s/%s", folder, *n);
                r = path ? compare_object(c, path) : -ENOMEM;
        }
        return r;
}

/* Files that say how the tree is mounted: their content counts. */
static int compare_top(Comparison *c) {
        _cleanup_strv_free_ char **a = NULL, **b = NULL;
        int r = dir_list_at(c->roots[0], ".", &a);

        if (r >= 0)
                r = dir_list_at(c->roots[1], ".", &b);
        if (r >= 0)
                r = compare_names(c, ".", a, b);
        STRV_FOREACH (n, a) {
                struct stat st;

                if (r != 0)
                        break;
                if (fstatat(c->roots[1], *n, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        return -errno;
                r = S_ISDIR(st.st_mode) ? compare_object(c, *n) : compare_content(c, *n);
        }
        return r;
}

/**
 * tree_compare() - look for a difference between two directories like cas/tree/KEY
 * @a_fd:           the one in doubt
 * @b_fd:           as it should be
 * @ret_difference: a sentence about the first one found; free(); NULL: none
 * @e:              sentence on failure; may be NULL
 *
 * Of the directories themselves nothing counts, of files in them the content, of everything deeper all there is.
 *
 * Return: 0: they are the same; 1: they differ; -ENOMEM, errno of reading.
 */
int tree_compare(int a_fd, int b_fd, char **ret_difference, Error *e) {
        _cleanup_(comparison_done) Comparison c = { .roots = { a_fd, b_fd } };
        int r;

        c.buffers[0] = malloc(XATTRS_MAX);
        c.buffers[1] = malloc(XATTRS_MAX);
        if (!c.buffers[0] || !c.buffers[1])
                return error_oom(e);
        r = compare_top(&c);
        while (r == 0 && c.n_folders > 0) {
                _cleanup_free_ char *folder = c.folders[--c.n_folders];

                r = compare_folder(&c, folder);
        }
        if (r < 0)
                return error_setf(e, r, "cannot compare two trees: %s", strerror(-r));
        *ret_difference = c.difference ? TAKE_PTR(c.difference) : TAKE_PTR(c.folder_time);
        return *ret_difference != NULL;
}
