/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the pods are. A file name counts once, in the strongest directory; an empty file or a link to /dev/null masks it.
 * NAME@.pod makes pods only through Instances= and through files or links NAME@INST.pod. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/word.h"
#include "config.h"
#include "podfile/pod-file.h"

#define POD_DIR_ENTRIES_MAX 100000U

/**
 * pod_dirs() - the directories of pod files
 * @ret: the strongest first; for strv_free()
 *
 * The environment variable RKT_PODS_PATH (directories with ":" between) replaces the built-in list; programs that gained
 * privileges ignore it.
 *
 * Return: 0 or -ENOMEM.
 */
int pod_dirs(char ***ret) {
        static const char dirs[] = RKT_PODS_DIR ":/run/rkt/pods:/usr/local/lib/rkt/pods:/usr/lib/rkt/pods";
        const char *path = secure_getenv("RKT_PODS_PATH");

        return strv_split(path ? path : dirs, ":", ret);
}

/* A directory entry that matters. */
typedef struct Found {
        char *name;
        const char *dir;            /* for files and folders */
        const struct Found *folder; /* for drop-ins */
        unsigned strength;          /* of the directory: 0 is the strongest */
} Found;

typedef struct FoundList {
        Found *items;
        size_t n;
} FoundList;

typedef struct Scan {
        char *const *dirs;
        FoundList files;   /* *.pod */
        FoundList folders; /* *.pod.d */
        PodIndex *index;
} Scan;

static void found_done(FoundList *list) {
        FOREACH_ARRAY (f, list->items, list->n)
                free(f->name);
        free(list->items);
}

static int compare_found(const void *x, const void *y) {
        const Found *a = x, *b = y;
        int c = strcmp(a->name, b->name);

        return c != 0 ? c : (a->strength > b->strength) - (a->strength < b->strength);
}

static int add_found(FoundList *list, const char *name, const char *dir, unsigned strength) {
        char *copy = strdup(name);

        if (!copy || !GREEDY_GROW(list->items, list->n)) {
                free(copy);
                return -ENOMEM;
        }
        list->items[list->n++] = (Found){ .name = copy, .dir = dir, .strength = strength };
        return 0;
}

static int dir_error(Scan *scan, const char *dir, int r) {
        if (r == -ENOENT)
                return 0;
        return pod_errors_addf(&scan->index->errors, dir, 0, NULL, NULL, "cannot be read: %s", strerror(-r));
}

static int scan_dir(Scan *scan, const char *dir, unsigned strength) {
        _cleanup_closedir_ DIR *d = NULL;
        int r;

        r = dir_open_at(AT_FDCWD, dir, &d);
        if (r < 0)
                return dir_error(scan, dir, r);
        for (;;) {
                struct dirent *e;

                errno = 0;
                e = readdir(d);
                if (!e)
                        return errno == 0 ? 0 : dir_error(scan, dir, -errno);
                if (startswith(e->d_name, ".#"))
                        continue; /* an editor's lock */
                if (endswith(e->d_name, ".pod"))
                        r = add_found(&scan->files, e->d_name, dir, strength);
                else if (endswith(e->d_name, ".pod.d"))
                        r = add_found(&scan->folders, e->d_name, dir, strength);
                else
                        continue;
                if (r < 0)
                        return r;
                if (scan->files.n + scan->folders.n > POD_DIR_ENTRIES_MAX)
                        return pod_errors_addf(&scan->index->errors, dir, 0, NULL, NULL,
                                               "more than %u pod files, the rest is ignored",
                                               POD_DIR_ENTRIES_MAX);
        }
}

/* An empty file or /dev/null. */
static bool is_mask(const char *path) {
        struct stat st;

        if (stat(path, &st) < 0)
                return false;
        return (S_ISREG(st.st_mode) && st.st_size == 0) ||
               (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
}

/* ---- drop-ins ---- */

static size_t find_folder(const FoundList *list, const char *name) {
        size_t low = 0, high = list->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (strcmp(list->items[middle].name, name) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static int scan_folder(PodEntry *entry, const Found *folder, FoundList *list, unsigned strength) {
        _cleanup_free_ char *path = path_join(folder->dir, folder->name);
        _cleanup_strv_free_ char **names = NULL;
        int r;

        if (!path)
                return -ENOMEM;
        r = dir_list_at(AT_FDCWD, path, &names);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return pod_errors_addf(&entry->errors, path, 0, NULL, NULL, "cannot be read: %s",
                                       strerror(-r));
        STRV_FOREACH (n, names) {
                if (!endswith(*n, ".conf") || **n == '.')
                        continue;
                r = add_found(list, *n, NULL, strength);
                if (r < 0)
                        return r;
                list->items[list->n - 1].folder = folder;
        }
        return 0;
}

/* All files of these folders (of an instance, then of its template), the strongest per name, sorted by name. */
static int find_dropins(const Scan *scan, PodEntry *entry, const char *const *folders) {
        _cleanup_(found_done) FoundList list = {};
        const char *last = NULL;
        int r;

        for (unsigned k = 0; folders[k]; k++)
                for (size_t i = find_folder(&scan->folders, folders[k]);
                     i < scan->folders.n && streq(scan->folders.items[i].name, folders[k]); i++) {
                        r = scan_folder(entry, &scan->folders.items[i], &list,
                                        scan->folders.items[i].strength * 2 + k);
                        if (r < 0)
                                return r;
                }
        if (list.n > 1)
                qsort(list.items, list.n, sizeof(Found), compare_found);
        FOREACH_ARRAY (f, list.items, list.n) {
                _cleanup_free_ char *path = NULL;

                if (last && streq(last, f->name))
                        continue;
                last = f->name;
                path = strf("%s/%s/%s", f->folder->dir, f->folder->name, f->name);
                if (!path)
                        return -ENOMEM;
                if (is_mask(path))
                        continue;
                r = strv_extend(&entry->dropins, path);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- pods ---- */

/**
 * pod_entry_done() - free what an entry holds
 * @entry: empty afterwards
 */
void pod_entry_done(PodEntry *entry) {
        free(entry->name);
        free(entry->prefix);
        free(entry->instance);
        free(entry->path);
        (void) strv_free(entry->dropins);
        pod_errors_done(&entry->errors);
        *entry = (PodEntry){};
}

/**
 * pod_index_free() - free an index
 * @x: may be NULL
 *
 * Return: NULL.
 */
PodIndex *pod_index_free(PodIndex *x) {
        if (!x)
                return NULL;
        FOREACH_ARRAY (e, x->entries, x->n)
                pod_entry_done(e);
        free(x->entries);
        strv_free(x->folders);
        pod_errors_done(&x->errors);
        free(x);
        return NULL;
}

/* Splits NAME or NAME@INST (INST may be empty) and checks both. Returns what is wrong, or NULL. */
static const char *parse_stem(const char *stem, size_t n, char **ret_prefix, char **ret_instance) {
        const char *at = memchr(stem, '@', n);
        _cleanup_free_ char *prefix = strndup(stem, at ? (size_t) (at - stem) : n), *instance = NULL;

        if (at)
                instance = strndup(at + 1, n - (size_t) (at + 1 - stem));
        if (!prefix || (at && !instance))
                return "out of memory";
        if (!pod_name_is_valid(prefix) || (instance && *instance && !pod_name_is_valid(instance)))
                return "not a pod's name (NAME.pod: 1-63 lower-case letters, digits and inner '-')";
        if (instance && strlen(prefix) + 1 + strlen(instance) > 63)
                return "the machine's name NAME-INSTANCE would be longer than 63 characters";
        *ret_prefix = TAKE_PTR(prefix);
        *ret_instance = TAKE_PTR(instance);
        return NULL;
}

/* Takes path. */
static int add_entry(Scan *scan, const char *prefix, const char *instance, const char *path) {
        PodIndex *x = scan->index;
        PodEntry e = {};
        _cleanup_free_ char *own = NULL, *template = NULL;
        int r;

        e.name = instance ? strf("%s-%s", prefix, instance) : strdup(prefix);
        e.prefix = strdup(prefix);
        e.instance = instance ? strdup(instance) : NULL;
        e.path = strdup(path);
        own = instance ? strf("%s@%s.pod.d", prefix, instance) : strf("%s.pod.d", prefix);
        template = strf("%s@.pod.d", prefix);
        r = !e.name || !e.prefix || (instance && !e.instance) || !e.path || !own || !template ? -ENOMEM : 0;
        if (r >= 0 && scan->folders.n > 0)
                r = find_dropins(scan, &e, (const char *const[]){ own, instance ? template : NULL, NULL });
        if (r >= 0 && !GREEDY_GROW(x->entries, x->n))
                r = -ENOMEM;
        if (r < 0) {
                pod_entry_done(&e);
                return r;
        }
        x->entries[x->n++] = e;
        return 0;
}

/* The strongest file of a name; NULL when there is none. */
static const Found *find_file(const Scan *scan, const char *name) {
        size_t i = find_folder(&scan->files, name);

        return i < scan->files.n && streq(scan->files.items[i].name, name) ? &scan->files.items[i] : NULL;
}

static int add_instance(Scan *scan, const char *prefix, const char *instance, const char *path) {
        _cleanup_free_ char *file = NULL;

        if (!pod_name_is_valid(instance))
                return 0; /* set_instances() reports it, wherever the template is loaded */
        if (strlen(prefix) + 1 + strlen(instance) > 63)
                return pod_errors_addf(&scan->index->errors, path, 0, "Pod", "Instances",
                                       "'%s': the machine's name would be longer than 63 characters",
                                       instance);
        file = strf("%s@%s.pod", prefix, instance);
        if (!file)
                return -ENOMEM;
        /* a file or link of its own (or its mask) says it all */
        return find_file(scan, file) ? 0 : add_entry(scan, prefix, instance, path);
}

/* The words of Instances= in a template and its drop-ins. */
static int read_instances(Scan *scan, const char *prefix, const char *path, char ***ret) {
        _cleanup_pod_text_ PodText *t = NULL;
        _cleanup_pod_errors_ PodErrors errors = POD_ERRORS_INIT;
        _cleanup_(pod_entry_done) PodEntry e = {};
        _cleanup_free_ char *folder = strf("%s@.pod.d", prefix);
        int r;

        e.prefix = strdup(prefix);
        e.path = strdup(path);
        r = !folder || !e.prefix || !e.path ? -ENOMEM
                                            : find_dropins(scan, &e, (const char *const[]){ folder, NULL });
        if (r >= 0)
                r = pod_entry_read(&e, &t, &errors);
        if (r < 0)
                return r;
        FOREACH_ARRAY (p, t->parts, t->n_parts)
                FOREACH_ARRAY (line, p->lines, p->n_lines) {
                        _cleanup_strv_free_ char **words = NULL;

                        if (p->section != POD_SECTION_POD || !streq(pod_line_key(line), "Instances"))
                                continue;
                        r = word_split(line->value, 1000, &words);
                        if (r == -ENOMEM)
                                return r;
                        if (r < 0)
                                return pod_errors_addf(&scan->index->errors, line->place.file,
                                                       line->place.line, p->title, "Instances",
                                                       "not a list of up to 1000 names");
                        STRV_FOREACH (w, words)
                                if (!strv_contains(*ret, *w) && strv_extend(ret, *w) < 0)
                                        return -ENOMEM;
                }
        return 0;
}

static int add_template(Scan *scan, const char *prefix, const char *path) {
        _cleanup_strv_free_ char **instances = NULL;
        int r;

        r = read_instances(scan, prefix, path, &instances);
        STRV_FOREACH (i, instances)
                if (r >= 0)
                        r = add_instance(scan, prefix, *i, path);
        return r;
}

static int add_file(Scan *scan, const Found *f) {
        _cleanup_free_ char *path = path_join(f->dir, f->name), *prefix = NULL, *instance = NULL;
        const char *wrong;

        if (!path)
                return -ENOMEM;
        if (is_mask(path))
                return 0;
        wrong = parse_stem(f->name, strlen(f->name) - strlen(".pod"), &prefix, &instance);
        if (wrong)
                return pod_errors_addf(&scan->index->errors, path, 0, NULL, NULL, "%s", wrong);
        if (instance && *instance == '\0')
                return add_template(scan, prefix, path);
        return add_entry(scan, prefix, instance, path);
}

static int compare_entries(const void *x, const void *y) {
        const PodEntry *a = x, *b = y;
        int c = strcmp(a->name, b->name);

        return c != 0 ? c : strcmp(a->path, b->path);
}

/* A machine name that two files claim belongs to neither: one entry stays, and says so. */
static int merge_duplicates(PodIndex *x) {
        size_t n = 0;
        int r;

        if (x->n > 1)
                qsort(x->entries, x->n, sizeof(PodEntry), compare_entries);
        for (size_t i = 0; i < x->n; i++) {
                if (n == 0 || !streq(x->entries[n - 1].name, x->entries[i].name)) {
                        PodEntry e = x->entries[i];

                        x->entries[n++] = e;
                        continue;
                }
                r = pod_errors_addf(&x->entries[n - 1].errors, x->entries[n - 1].path, 0, NULL, NULL,
                                    "'%s' is also the name of the pod from %s (rename one of them)",
                                    x->entries[i].name, x->entries[i].path);
                pod_entry_done(&x->entries[i]);
                if (r < 0) {
                        for (size_t j = i + 1; j < x->n; j++)
                                pod_entry_done(&x->entries[j]);
                        x->n = n;
                        return r;
                }
        }
        x->n = n;
        return 0;
}

static int make_index(Scan *scan) {
        unsigned strength = 0;
        const char *last = NULL;
        int r;

        for (char *const *d = scan->dirs; d && *d; d++) {
                r = scan_dir(scan, *d, strength++);
                if (r < 0)
                        return r;
        }
        if (scan->files.n > 1)
                qsort(scan->files.items, scan->files.n, sizeof(Found), compare_found);
        if (scan->folders.n > 1)
                qsort(scan->folders.items, scan->folders.n, sizeof(Found), compare_found);
        FOREACH_ARRAY (f, scan->folders.items, scan->folders.n) {
                r = strv_extendf(&scan->index->folders, "%s/%s", f->dir, f->name);
                if (r < 0)
                        return r;
        }
        FOREACH_ARRAY (f, scan->files.items, scan->files.n) {
                if (last && streq(last, f->name))
                        continue;
                last = f->name;
                r = add_file(scan, f);
                if (r < 0)
                        return r;
        }
        return merge_duplicates(scan->index);
}

/**
 * pod_index_load() - find all pods
 * @dirs: NULL-terminated, the strongest first; NULL for pod_dirs(). Those that do not exist are skipped
 * @ret:  for pod_index_free(); what is wrong with single files is in its errors and its entries' errors
 *
 * Templates are read for their Instances=; other files are only looked at from the outside.
 *
 * Return: 0 or -ENOMEM.
 */
int pod_index_load(char *const *dirs, PodIndex **ret) {
        _cleanup_pod_index_ PodIndex *x = new0(PodIndex, 1);
        _cleanup_strv_free_ char **own = NULL;
        Scan scan = { .dirs = dirs, .index = x };
        int r;

        if (!x)
                return -ENOMEM;
        if (!dirs) {
                r = pod_dirs(&own);
                if (r < 0)
                        return r;
                scan.dirs = own;
        }
        r = make_index(&scan);
        found_done(&scan.files);
        found_done(&scan.folders);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(x);
        return 0;
}

/**
 * pod_index_find() - one pod by its machine name
 * @x:    the index
 * @name: not NULL
 *
 * Return: the entry, owned by @x; NULL when there is none.
 */
const PodEntry *pod_index_find(const PodIndex *x, const char *name) {
        size_t low = 0, high = x->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int c = strcmp(x->entries[middle].name, name);

                if (c == 0)
                        return &x->entries[middle];
                if (c < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return NULL;
}

/**
 * pod_entry_from_path() - an entry for one file, wherever it is
 * @path:   a pod file; its drop-ins are PATH.d/ *.conf; a template is taken as its instance "instance"
 * @ret:    for pod_entry_done()
 * @errors: a bad name is added
 *
 * Return: 1, 0 (the name is no pod's, see @errors), -ENOMEM.
 */
int pod_entry_from_path(const char *path, PodEntry *ret, PodErrors *errors) {
        const char *name = path_basename(path), *suffix = endswith(name, ".pod"), *wrong;
        _cleanup_free_ char *dir = NULL, *prefix = NULL, *instance = NULL;
        PodIndex x = {};
        Scan scan = { .index = &x };
        int r;

        wrong = suffix ? parse_stem(name, (size_t) (suffix - name), &prefix, &instance)
                       : "not a pod file's name (NAME.pod)";
        if (wrong) {
                r = pod_errors_addf(errors, path, 0, NULL, NULL, "%s", wrong);
                return r;
        }
        dir = name == path ? strdup(".") : strndup(path, (size_t) (name - path));
        r = dir ? scan_dir(&scan, dir, 0) : -ENOMEM;
        if (scan.folders.n > 1)
                qsort(scan.folders.items, scan.folders.n, sizeof(Found), compare_found);
        if (r >= 0)
                r = add_entry(&scan, prefix, instance && *instance == '\0' ? "instance" : instance, path);
        found_done(&scan.files);
        found_done(&scan.folders);
        pod_errors_done(&x.errors);
        if (r < 0) {
                free(x.entries);
                return r;
        }
        *ret = x.entries[0];
        free(x.entries);
        return 1;
}
