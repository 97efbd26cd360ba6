/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Of a pod there are two things to compare. What the generator would write now is made by the generator's own code, and
 * compared with what lies in its directory. What a running pod was started with is its recipe (podfile/pod-recipe.h): apps are
 * not in any unit of the host. Comments do not count in either. */
#include "run/pod-change.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/line-diff.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "podfile/pod-recipe.h"

#define UNIT_MAX (16U * 1024U * 1024U)

static void change_done(PodFileChange *c) {
        free(c->name);
        free(c->path);
        free(c->diff);
        free(c->errors);
        free(c->unread);
}

static int set_unread(PodFileChange *c, const char *path, int error) {
        c->unread_error = error;
        return str_replace(&c->unread, path);
}

/**
 * pod_file_changes_done() - free all
 * @c: empty afterwards
 */
void pod_file_changes_done(PodFileChanges *c) {
        FOREACH_ARRAY (x, c->items, c->n)
                change_done(x);
        free(c->items);
        *c = POD_FILE_CHANGES_INIT;
}

/**
 * pod_file_change_kind_to_string() - a kind as a word
 * @kind: valid
 *
 * Return: "same", "added", "removed", "changed", "broken".
 */
const char *pod_file_change_kind_to_string(PodFileChangeKind kind) {
        static const char *const words[_POD_CHANGE_KIND_MAX] = { "same", "added", "removed", "changed",
                                                                 "broken" };

        return words[kind];
}

/**
 * pod_file_changes_complete() - was everything compared?
 * @c:     all
 * @names: of the pods that matter; NULL: all do
 * @e:     sentence if not; may be NULL
 *
 * What is anybody's to read in pod files and of running pods is so for this, too; the rest only root may read.
 *
 * Return: 0; errno of the first file that could not be read.
 */
int pod_file_changes_complete(const PodFileChanges *c, char *const *names, Error *e) {
        const PodFileChange *first = NULL;
        size_t n = 0;

        FOREACH_ARRAY (x, c->items, c->n)
                if (x->unread && (!names || strv_contains(names, x->name))) {
                        first = first ? first : x;
                        n++;
                }
        if (!first)
                return 0;
        if (n == 1)
                return error_setf(e, first->unread_error,
                                  "pod '%s' was not compared whole: cannot read %s: %s", first->name,
                                  first->unread, strerror(-first->unread_error));
        return error_setf(e, first->unread_error,
                          "pod '%s' and %zu more were not compared whole: cannot read %s: %s", first->name,
                          n - 1, first->unread, strerror(-first->unread_error));
}

/**
 * pod_file_changes_find() - one pod
 * @c:    all
 * @name: of the pod
 *
 * Return: it, or NULL.
 */
PodFileChange *pod_file_changes_find(const PodFileChanges *c, const char *name) {
        FOREACH_ARRAY (x, c->items, c->n)
                if (streq(x->name, name))
                        return x;
        return NULL;
}

/* ---- what was written at the last reload ---- */

static const char *generator_dir(void) {
        const char *dir = secure_getenv("RKT_GENERATOR_DIR");

        return dir ? dir : POD_GENERATOR_DIR;
}

/* The directory's names, read once. */
typedef struct Written {
        const char *dir;
        char **names;
        char **links; /* "multi-user.target.wants/pod@web.service" */
} Written;

static void written_done(Written *w) {
        (void) strv_free(w->names);
        (void) strv_free(w->links);
}

static int read_links(Written *w, const char *folder) {
        _cleanup_free_ char *path = path_join(w->dir, folder);
        _cleanup_strv_free_ char **names = NULL;
        int r = path ? dir_list_at(AT_FDCWD, path, &names) : -ENOMEM;

        STRV_FOREACH (n, names)
                if (r >= 0 && startswith(*n, "pod@"))
                        r = strv_extendf(&w->links, "%s/%s", folder, *n);
        return r == -ENOMEM ? r : 0;
}

static int read_written(Written *w) {
        int r = dir_list_at(AT_FDCWD, w->dir, &w->names);

        if (r < 0)
                return r == -ENOENT ? 0 : r;
        STRV_FOREACH (n, w->names)
                if (r >= 0 &&
                    (endswith(*n, ".wants") || endswith(*n, ".requires") || endswith(*n, ".upholds")))
                        r = read_links(w, *n);
        strv_sort(w->links);
        return r;
}

static void add_without_comments(StrBuf *b, const char *text) {
        for (const char *p = text; *p;) {
                size_t n = strcspn(p, "\n");

                n += p[n] == '\n';
                if (*p != '#')
                        strbuf_add_n(b, p, n);
                p += n;
        }
}

/* Without comments. "" when there is no such file. */
static int read_text(const char *path, char **ret) {
        _cleanup_free_ char *text = NULL;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        size_t size;
        int r = file_read_at(AT_FDCWD, path, UNIT_MAX, &text, &size);

        if (r < 0 && r != -ENOENT && r != -ENOTDIR)
                return r;
        strbuf_add(&b, "");
        add_without_comments(&b, r < 0 ? "" : text);
        return strbuf_steal(&b, ret);
}

/* ---- comparing ---- */

/* One unit of the pod. Returns 1 when it differs. */
static int compare_unit(const Written *w, const UnitFiles *files, const char *name, const char *kind,
                        StrBuf *diff) {
        _cleanup_free_ char *relative = strf("pod@%s.%s.d/50-pod.conf", name, kind), *path = NULL,
                            *before = NULL;
        _cleanup_strbuf_ StrBuf after = STRBUF_INIT;
        int r;

        path = relative ? path_join(w->dir, relative) : NULL;
        r = path ? read_text(path, &before) : -ENOMEM;
        if (r < 0)
                return r;
        strbuf_add(&after, "");
        FOREACH_ARRAY (f, files->items, files->n)
                if (f->text && streq(f->path, relative))
                        add_without_comments(&after, f->text);
        return after.failed ? -ENOMEM : line_diff(before, after.data, path, path, diff);
}

static bool is_link_of(const char *link, const char *name) {
        const char *unit = startswith(path_basename(link), "pod@"),
                   *rest = unit ? startswith(unit, name) : NULL;

        return rest && (streq(rest, ".service") || streq(rest, ".socket") || streq(rest, ".timer"));
}

static int compare_links(const Written *w, const UnitFiles *files, const char *name, StrBuf *diff) {
        _cleanup_strbuf_ StrBuf before = STRBUF_INIT, after = STRBUF_INIT;
        _cleanup_strv_free_ char **now = NULL;
        int r = 0;

        strbuf_add(&before, "");
        strbuf_add(&after, "");
        STRV_FOREACH (l, w->links)
                if (is_link_of(*l, name))
                        strbuf_addf(&before, "%s\n", *l);
        FOREACH_ARRAY (f, files->items, files->n)
                if (r >= 0 && f->target && !strv_contains(now, f->path))
                        r = strv_extend(&now, f->path);
        strv_sort(now);
        STRV_FOREACH (l, now)
                strbuf_addf(&after, "%s\n", *l);
        return r < 0 || before.failed || after.failed
                       ? -ENOMEM
                       : line_diff(before.data, after.data, w->dir, w->dir, diff);
}

/* The [Socket] sections of a recipe. */
static int sockets_of(const char *recipe, char **ret) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        bool inside = false;

        strbuf_add(&b, "");
        for (const char *p = recipe; *p;) {
                size_t n = strcspn(p, "\n");

                n += p[n] == '\n';
                if (*p == '[')
                        inside = startswith(p, "[Socket");
                if (inside)
                        strbuf_add_n(&b, p, n);
                p += n;
        }
        return strbuf_steal(&b, ret);
}

static int compare_sockets(PodFileChange *c, const char *before, const char *after) {
        _cleanup_free_ char *old = NULL, *now = NULL;
        int r = sockets_of(before, &old);

        if (r >= 0)
                r = sockets_of(after, &now);
        if (r >= 0)
                c->new_socket = !streq(old, now);
        return r;
}

/* What the running pod was started with. Returns 1 when it is known and another. */
static int compare_recipe(PodFileChange *c, const PodEntry *entry, StrBuf *diff) {
        _cleanup_free_ char *path = strf("%s/%s", POD_STARTED_DIR, c->name), *before = NULL, *after = NULL;
        size_t size;
        int r = path ? file_read_at(AT_FDCWD, path, POD_RECIPE_MAX, &before, &size) : -ENOMEM;

        c->was_started = r >= 0;
        if (r < 0 && r != -ENOENT && r != -ENOMEM && c->is_running)
                return set_unread(c, path, r);
        if (r < 0)
                return r == -ENOMEM ? r : 0; /* -ENOENT: started by another version */
        if (!entry || !c->is_running)
                return 0;
        r = pod_entry_recipe(entry, &after);
        if (r >= 0)
                r = compare_sockets(c, before, after);
        return r < 0 ? r : line_diff(before, after, "running", entry->path, diff);
}

static bool was_written(const Written *w, const char *name) {
        _cleanup_free_ char *folder = strf("pod@%s.service.d", name);

        return folder && strv_contains(w->names, folder);
}

static int compare_units(const Written *w, PodFileChange *c, const UnitFiles *files, StrBuf *diff) {
        int service, socket, timer, links;

        service = compare_unit(w, files, c->name, "service", diff);
        socket = service < 0 ? service : compare_unit(w, files, c->name, "socket", diff);
        timer = socket < 0 ? socket : compare_unit(w, files, c->name, "timer", diff);
        links = timer < 0 ? timer : compare_links(w, files, c->name, diff);
        c->new_socket = c->new_socket || socket > 0;
        return links < 0 ? links : service || socket || timer || links;
}

static void find_age(PodFileChange *c, const PodEntry *entry) {
        struct stat st;

        if (stat(entry->path, &st) >= 0)
                c->changed = st.st_mtim.tv_sec;
        STRV_FOREACH (d, entry->dropins)
                if (stat(*d, &st) >= 0)
                        c->changed = MAX(c->changed, (int64_t) st.st_mtim.tv_sec);
}

/* A file that is not for this user says nothing, neither good nor bad. */
static int check_access(PodFileChange *c, const PodEntry *entry) {
        const char *hidden = access(entry->path, R_OK) < 0 && errno == EACCES ? entry->path : NULL;

        STRV_FOREACH (d, entry->dropins)
                if (!hidden && access(*d, R_OK) < 0 && errno == EACCES)
                        hidden = *d;
        return hidden ? set_unread(c, hidden, -EACCES) : 0;
}

/* What is now: the mistakes, and the generator's files. */
static int load_now(PodFileChange *c, const PodEntry *entry, UnitFiles *files) {
        _cleanup_pod_errors_ PodErrors errors = POD_ERRORS_INIT;
        _cleanup_pod_spec_ PodSpec *spec = NULL;
        int r = pod_entry_load(entry, &spec, &errors);

        if (r >= 0)
                r = pod_unit_files(entry, spec, errors.n > 0, files);
        if (r >= 0 && errors.n > 0)
                r = pod_errors_to_string(&errors, &c->errors);
        if (r >= 0)
                r = str_replace(&c->path, entry->path);
        if (r < 0)
                return r;
        find_age(c, entry);
        c->has_socket = spec->n_sockets > 0;
        c->has_timer = spec->timer.n > 0;
        FOREACH_ARRAY (f, files->items, files->n)
                c->is_installed = c->is_installed || (f->target && !endswith(f->path, ".timer"));
        return 0;
}

static int load_change(const Written *w, const PodEntry *entry, PodFileChange *c) {
        _cleanup_unit_files_ UnitFiles files = UNIT_FILES_INIT;
        _cleanup_strbuf_ StrBuf diff = STRBUF_INIT;
        int units, recipe, r = entry ? check_access(c, entry) : 0;

        if (r < 0 || c->unread)
                return r;
        r = entry ? load_now(c, entry, &files) : 0;
        if (r < 0)
                return r;
        recipe = c->errors ? 0 : compare_recipe(c, entry, &diff);
        units = recipe < 0 ? recipe : compare_units(w, c, &files, &diff);
        if (units < 0)
                return units;
        c->restart = recipe > 0;
        c->kind = !entry                     ? POD_REMOVED
                  : c->errors                ? POD_BROKEN
                  : !was_written(w, c->name) ? POD_ADDED
                  : units > 0 || recipe > 0  ? POD_CHANGED
                                             : POD_SAME;
        return diff.size > 0 && c->kind != POD_BROKEN ? strbuf_steal(&diff, &c->diff) : 0;
}

/* ---- all ---- */

/* Pods of files, of the last reload, those that run, and those with a timer. */
static int find_names(const PodIndex *index, const Written *w, char *const *running, char *const *timers,
                      char ***ret) {
        char *const *const both[] = { running, timers };
        _cleanup_strv_free_ char **names = NULL;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < index->n; i++)
                r = strv_extend(&names, index->entries[i].name);
        STRV_FOREACH (n, w->names) {
                const char *name = startswith(*n, "pod@"), *end = name ? endswith(name, ".service.d") : NULL;
                _cleanup_free_ char *copy = end ? strndup(name, (size_t) (end - name)) : NULL;

                if (r >= 0 && end && !copy)
                        r = -ENOMEM;
                if (r >= 0 && copy && !pod_index_find(index, copy))
                        r = strv_extend(&names, copy);
        }
        for (size_t i = 0; i < ELEMENTSOF(both); i++)
                for (char *const *n = both[i]; r >= 0 && n && *n; n++)
                        if (!strv_contains(names, *n))
                                r = strv_extend(&names, *n);
        if (r < 0)
                return r;
        strv_sort(names);
        *ret = TAKE_PTR(names);
        return 0;
}

static int add_change(const PodIndex *index, const Written *w, char *const *running, char *const *timers,
                      const char *name, PodFileChanges *list) {
        PodFileChange c = { .is_running = strv_contains(running, name),
                            .timer_runs = strv_contains(timers, name) };
        int r;

        c.name = strdup(name);
        r = c.name ? load_change(w, pod_index_find(index, name), &c) : -ENOMEM;
        if (r < 0 || !GREEDY_GROW(list->items, list->n)) {
                change_done(&c);
                return r < 0 ? r : -ENOMEM;
        }
        list->items[list->n++] = c;
        return 0;
}

/**
 * pod_file_changes_load() - compare all pods
 * @index:   pod files as they are now
 * @running: names of the pods that run
 * @timers:  names of the pods whose timers are active; NULL: none
 * @ret:     for pod_file_changes_done()
 * @e:       sentence on failure; may be NULL
 *
 * The environment variable RKT_GENERATOR_DIR replaces POD_GENERATOR_DIR; programs that gained privileges ignore it.
 *
 * Return: 0, errno of reading what was generated, -ENOMEM.
 */
int pod_file_changes_load(const PodIndex *index, char *const *running, char *const *timers,
                          PodFileChanges *ret, Error *e) {
        _cleanup_(written_done) Written w = { .dir = generator_dir() };
        _cleanup_pod_file_changes_ PodFileChanges list = POD_FILE_CHANGES_INIT;
        _cleanup_strv_free_ char **names = NULL;
        int r = read_written(&w);

        if (r >= 0)
                r = find_names(index, &w, running, timers, &names);
        STRV_FOREACH (n, names)
                if (r >= 0)
                        r = add_change(index, &w, running, timers, *n, &list);
        if (r == -ENOMEM)
                return error_oom(e);
        if (r < 0)
                return error_setf(e, r, "cannot read what was generated in '%s': %s", w.dir, strerror(-r));
        *ret = list;
        list = POD_FILE_CHANGES_INIT;
        return 0;
}
