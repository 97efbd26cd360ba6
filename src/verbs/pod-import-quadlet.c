/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt pod import-quadlet: finds Quadlet's files with their drop-ins and instances, and writes what podfile/quadlet.h makes of
 * them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "config.h"
#include "podfile/quadlet.h"
#include "verbs/verbs.h"

#define DEPTH_MAX 8 /* of directories */
#define NET_DIR   "/etc/rkt/net.d"

typedef struct ImportArgs {
        const char *output;
        bool dry_run, force;
} ImportArgs;

/* A FIFO or a device must not make us wait. */
static int read_file(const char *path, char **ret, size_t *ret_size, unsigned *mode) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        *mode &= st.st_mode;
        return S_ISREG(st.st_mode) ? fd_read_to_end(fd, QUADLET_FILE_MAX, ret, ret_size) : -EINVAL;
}

static const char *read_error(int r) {
        return r == -EINVAL ? "not a regular file" : r == -E2BIG ? "file is larger than 1 MiB" : strerror(-r);
}

static int parse_file(QuadletImport *x, Quadlet *q, const char *path) {
        _cleanup_free_ char *data = NULL;
        size_t size = 0;
        int r = read_file(path, &data, &size, &q->mode);

        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                q->is_refused = true; /* which is counted later, with the reason given here */
                return quadlet_import_bad(x, q, path, read_error(r));
        }
        return quadlet_import_parse(x, q, path, str_or(data, ""), size);
}

/* ---- drop-ins ---- */

/* Adds DIR/FOLDER/X.conf for each X that no stronger folder has. */
static int add_dropins(const char *dir, const char *folder, char ***names, char ***paths) {
        _cleanup_free_ char *path = strf("%s/%s", dir, folder);
        _cleanup_strv_free_ char **found = NULL;
        int r = path ? dir_list_at(AT_FDCWD, path, &found) : -ENOMEM;

        if (r < 0)
                return r == -ENOENT || r == -ENOTDIR ? 0 : r;
        STRV_FOREACH (f, found) {
                if (**f == '.' || !endswith(*f, ".conf") || strv_contains(*names, *f))
                        continue;
                r = strv_extend(names, *f);
                if (r >= 0) /* the name in front, so that sorting sorts by it */
                        r = strv_extendf(paths, "%s\n%s/%s", *f, path, *f);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* NAME.container.d, foo-.container.d for foo-bar, container.d. */
static int find_dropins(const char *path, char ***ret) {
        _cleanup_strv_free_ char **names = NULL, **paths = NULL;
        const char *base = path_basename(path), *kind = strrchr(base, '.');
        _cleanup_free_ char *dir = strndup(path, (size_t) (base - path)), *folder = strf("%s.d", base);
        int r = dir && folder ? 0 : -ENOMEM;

        if (r >= 0 && *dir == '\0')
                r = str_replace(&dir, ".");
        else if (r >= 0 && !streq(dir, "/"))
                dir[strlen(dir) - 1] = '\0';
        if (r >= 0)
                r = add_dropins(dir, folder, &names, &paths);
        for (const char *p = kind; r >= 0 && p > base; p--) {
                free(folder);
                folder = NULL;
                if (p[-1] != '-' || p == kind)
                        continue;
                folder = strf("%.*s%s.d", (int) (p - base), base, kind);
                r = folder ? add_dropins(dir, folder, &names, &paths) : -ENOMEM;
        }
        free(folder);
        folder = r >= 0 ? strf("%s.d", kind + 1) : NULL;
        if (r >= 0)
                r = folder ? add_dropins(dir, folder, &names, &paths) : -ENOMEM;
        if (r < 0)
                return r;
        strv_sort(paths);
        *ret = TAKE_PTR(paths);
        return 0;
}

static bool has_dropins(const char *folder) {
        _cleanup_strv_free_ char **found = NULL;

        if (dir_list_at(AT_FDCWD, folder, &found) < 0)
                return false;
        STRV_FOREACH (f, found)
                if (**f != '.' && endswith(*f, ".conf"))
                        return true;
        return false;
}

/* Is "DIR/foo-.container.d" of a unit that was added? */
static bool is_folder_used(const QuadletImport *x, const char *folder) {
        const char *base = path_basename(folder), *dot = base + strlen(base) - 2;
        size_t n_dir = (size_t) (base - folder);

        while (dot > base && dot[-1] != '.')
                dot--;
        FOREACH_ARRAY (q, x->units, x->n_units) {
                size_t n = (size_t) (dot - 1 - base), n_kind = strlen(quadlet_kind_to_string(q->kind));

                if (!q->files || strncmp(dot, quadlet_kind_to_string(q->kind), n_kind) != 0 ||
                    !streq(dot + n_kind, ".d") || strncmp(q->name, base, n) != 0 ||
                    (size_t) (path_basename(q->files[0]) - q->files[0]) != n_dir ||
                    strncmp(q->files[0], folder, n_dir) != 0)
                        continue;
                if (q->name[n] == '\0' || (n > 0 && base[n - 1] == '-'))
                        return true;
        }
        return false;
}

/* Drop-ins that nothing was made of: of an instance, or of a unit that is not among the files. */
static int refuse_dropins(QuadletImport *x, char **folders) {
        int r = 0;

        STRV_FOREACH (f, folders)
                if (r >= 0 && !is_folder_used(x, *f) && has_dropins(*f))
                        r = quadlet_import_refuse(
                                x, *f,
                                "drop-ins of an instance, or of no file here: write them as "
                                "drop-ins of a pod file, see rkt.pod(5)");
        return r;
}

/* ---- files ---- */

/* "web@blue.container" that is a link belongs to the template. Returns 1 when it was one. */
static int add_instance(QuadletImport *x, const char *path) {
        const char *base = path_basename(path), *at = strchr(base, '@'), *dot = strrchr(base, '.');
        _cleanup_free_ char *instance = NULL, *folder = NULL;
        size_t n = at ? (size_t) (at - base) + 1 : 0;
        QuadletKind kind = quadlet_kind_from_path(path);
        struct stat st;
        int r;

        if (!at || !dot || at + 1 >= dot)
                return 0;
        if (lstat(path, &st) < 0 || !S_ISLNK(st.st_mode)) {
                r = quadlet_import_refuse(x, path,
                                          "an instance with a file of its own: write it as a pod file, "
                                          "or as drop-in of an instance, see rkt.pod(5)");
                return r < 0 ? r : 1;
        }
        folder = strf("%s.d", path);
        if (!folder)
                return -ENOMEM;
        if (has_dropins(folder)) /* without them it would be another: refuse_dropins() tells it */
                return 1;
        instance = strndup(at + 1, (size_t) (dot - at - 1));
        if (!instance)
                return -ENOMEM;
        FOREACH_ARRAY (q, x->units, x->n_units)
                if (q->kind == kind && strlen(q->name) == n && strncmp(q->name, base, n) == 0) {
                        r = quadlet_import_instance(x, q, instance);
                        return r < 0 ? r : 1;
                }
        r = quadlet_import_refuse(x, path, "its template is not among the files");
        return r < 0 ? r : 1;
}

static int add_file(QuadletImport *x, const char *path) {
        _cleanup_strv_free_ char **dropins = NULL;
        Quadlet *q = NULL;
        int r = add_instance(x, path);

        if (r != 0)
                return r < 0 ? r : 0;
        r = quadlet_import_add(x, path, &q);
        if (r == -EEXIST)
                return quadlet_import_refuse(x, path,
                                             "hidden by a file of that name before it, as Quadlet has "
                                             "it");
        if (r == -EILSEQ)
                return quadlet_import_refuse(x, path, "a name with control characters: rename it");
        if (r == -E2BIG)
                return quadlet_import_refuse(x, path, "more than %u files", QUADLET_UNITS_MAX);
        if (r >= 0)
                r = parse_file(x, q, path);
        if (r >= 0)
                r = find_dropins(path, &dropins);
        if (r < 0 && r != -ENOMEM) {
                _cleanup_free_ char *why = strf("its drop-ins cannot be read: %s", strerror(-r));

                return why ? quadlet_import_bad(x, q, path, why) : -ENOMEM;
        }
        STRV_FOREACH (d, dropins)
                if (r >= 0)
                        r = parse_file(x, q, strchr(*d, '\n') + 1);
        return r;
}

/* A file, and where its drop-ins would be. */
static int add_path(const char *path, char ***files, char ***folders) {
        int r = strv_extend(files, path);

        return r < 0 ? r : strv_extendf(folders, "%s.d", path);
}

/* "web@blue.container.d" */
static bool is_dropin_folder(const char *name) {
        _cleanup_free_ char *stem = endswith(name, ".d") ? strndup(name, strlen(name) - 2) : NULL;

        return stem && quadlet_kind_from_path(stem) >= 0;
}

/* All Quadlet files below, sorted; as Quadlet does, without *.d. */
/* NOLINTNEXTLINE(misc-no-recursion) bounded by DEPTH_MAX */
static int collect(QuadletImport *x, const char *dir, unsigned depth, char ***files, char ***folders) {
        _cleanup_strv_free_ char **names = NULL;
        int r = dir_list_at(AT_FDCWD, dir, &names);

        if (r < 0)
                return r == -ENOMEM ? r : quadlet_import_refuse(x, dir, "cannot be read: %s", strerror(-r));
        strv_sort(names);
        STRV_FOREACH (n, names) {
                _cleanup_free_ char *path = path_join(dir, *n);
                struct stat st = {};

                if (!path)
                        return -ENOMEM;
                if (**n == '.')
                        continue;
                if (quadlet_kind_from_path(*n) >= 0)
                        r = strv_extend(files, path);
                else if (is_dropin_folder(*n))
                        r = strv_extend(folders, path);
                else if (!endswith(*n, ".d") && lstat(path, &st) >= 0 && S_ISDIR(st.st_mode))
                        r = depth > 0 ? collect(x, path, depth - 1, files, folders)
                                      : quadlet_import_refuse(x, path, "too deep");
                else if (S_ISLNK(st.st_mode) && stat(path, &st) >= 0 && S_ISDIR(st.st_mode))
                        r = quadlet_import_refuse(x, path,
                                                  "a link to a directory is not followed: name it as "
                                                  "an argument");
                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_argument(QuadletImport *x, const char *path, char ***files, char ***folders) {
        struct stat st;

        if (stat(path, &st) < 0)
                return quadlet_import_refuse(x, path, "%s", strerror(errno));
        if (S_ISDIR(st.st_mode))
                return collect(x, path, DEPTH_MAX, files, folders);
        return quadlet_kind_from_path(path) >= 0
                       ? add_path(path, files, folders)
                       : quadlet_import_refuse(x, path,
                                               "not a name of Quadlet's (NAME.container, .pod, .volume, "
                                               ".network, .image)");
}

/* Templates before their instances. */
static int add_files(QuadletImport *x, char **files) {
        int r = 0;

        for (unsigned instances = 0; instances < 2; instances++)
                STRV_FOREACH (f, files) {
                        const char *at = strchr(path_basename(*f), '@');

                        if (r >= 0 && (at && at[1] != '.') == (instances == 1))
                                r = add_file(x, *f);
                }
        return r;
}

/* ---- results ---- */

static char *target_of(const ImportArgs *a, const char *name) {
        const char *network = startswith(name, "net.d/");

        if (*a->output)
                return strf("%s/%s", a->output, name);
        return network ? strf("%s/%s", NET_DIR, network) : strf("%s/%s", RKT_PODS_DIR, name);
}

/* Returns 1 if it was not written, which has been said. */
static int write_result(const ImportArgs *a, const QuadletResult *result, Error *e) {
        _cleanup_free_ char *path = target_of(a, result->name), *dir = NULL;
        int r;

        if (!path)
                return error_oom(e);
        if (a->dry_run) {
                (void) printf("### %s\n%s\n", path, result->text);
                return 0;
        }
        dir = strndup(path, (size_t) (strrchr(path, '/') - path));
        r = dir ? mkdir_parents_at(AT_FDCWD, dir, 0755) : -ENOMEM;
        if (r >= 0)
                r = file_write_at(AT_FDCWD, path, result->text, strlen(result->text), result->mode,
                                  a->force ? 0 : FILE_WRITE_NO_REPLACE);
        if (r == -EEXIST) {
                (void) fprintf(stderr, "%s: exists, and is left as it is (--force replaces it)\n", path);
                return 1;
        }
        if (r < 0)
                return error_setf(e, r, "cannot write '%s': %s", path, strerror(-r));
        (void) printf("%s\n", path);
        return 0;
}

static int import_run(const VerbContext *c, int argc, char **args, void *options, Error *e) {
        _cleanup_quadlet_import_ QuadletImport x = QUADLET_IMPORT_INIT;
        _cleanup_strv_free_ char **files = NULL, **folders = NULL;
        _cleanup_free_ char *here = getcwd(NULL, 0);
        const ImportArgs *a = options;
        int r = 0, failed = 0;

        x.base = here;
        x.insecure_image = c->insecure & INSECURE_IMAGE;
        for (int i = 0; i < argc && r >= 0; i++)
                r = add_argument(&x, args[i], &files, &folders);
        if (r >= 0)
                r = add_files(&x, files);
        if (r >= 0)
                r = refuse_dropins(&x, folders);
        if (r >= 0)
                r = quadlet_import_convert(&x);
        if (r < 0)
                return error_oom(e);
        FOREACH_ARRAY (result, x.results, x.n_results) {
                r = write_result(a, result, e);
                if (r < 0)
                        break;
                failed |= r;
        }
        (void) fflush(stdout);
        FOREACH_ARRAY (n, x.notes, x.n_notes)
                (void) fprintf(stderr, "%s\n", *n);
        return r < 0 ? r : failed || x.n_refused > 0 ? 1 : 0;
}

static const Option import_options[] = {
        { "dry-run", 0, OPTION_BOOL, offsetof(ImportArgs, dry_run),
          .help = "Print the pod files, and write nothing" },
        { "force", 0, OPTION_BOOL, offsetof(ImportArgs, force), .help = "Replace files that exist" },
        { "output", 0, OPTION_STRING, offsetof(ImportArgs, output), .fallback = "", .value = "DIR",
          .help = "Write pod files to DIR, and networks to DIR/net.d" },
        {},
};

const Verb verb_pod_import_quadlet = {
        .group = "pod",
        .name = "import-quadlet",
        .flags = VERB_NO_DATA,
        .min_args = 1,
        .max_args = VERB_ARGS_ANY,
        .usage = "FILE|DIR...",
        .help = "Make pod files of Quadlet's files",
        .description =
                "What has no counterpart is a comment in the result, and a line on standard error. A "
                "file that cannot be taken over without the apps being less confined is refused; the exit "
                "code is 1 then. With --insecure-options=image the pods say so, too.",
        .options = import_options,
        .options_size = sizeof(ImportArgs),
        .run = import_run,
};
