/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The recipe of a pod that was started is kept in memory. Who may read the pod's files may read it: it may have the values of
 * SetCredential=. It stays when the pod has stopped, and so says, too, that the pod has been started since the machine was. */
#include "podfile/pod-recipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"

/**
 * pod_recipe() - the recipe of a text
 * @text: read and merged
 * @ret:  a pod file; to free()
 *
 * When a pod is to start is nothing of the pod.
 *
 * Return: 0 or -ENOMEM.
 */
int pod_recipe(const PodText *text, char **ret) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        strbuf_add(&b, "");
        FOREACH_ARRAY (p, text->parts, text->n_parts) {
                if (p->section == POD_SECTION_TIMER)
                        continue;
                strbuf_addf(&b, "[%s%s%s]\n", pod_section_to_string(p->section), p->name ? " " : "",
                            str_or(p->name, ""));
                FOREACH_ARRAY (line, p->lines, p->n_lines)
                        strbuf_addf(&b, "%s=%s\n", pod_line_key(line), line->value);
        }
        return strbuf_steal(&b, ret);
}

/**
 * pod_entry_recipe() - the recipe of a pod
 * @entry: of an index; mistakes in it do not count
 * @ret:   to free()
 *
 * Return: 0 or -ENOMEM.
 */
int pod_entry_recipe(const PodEntry *entry, char **ret) {
        _cleanup_pod_errors_ PodErrors errors = POD_ERRORS_INIT;
        _cleanup_pod_text_ PodText *text = NULL;
        int r = pod_entry_read(entry, &text, &errors);

        return r < 0 ? r : pod_recipe(text, ret);
}

/**
 * pod_recipe_is_public() - is a file anybody's to read?
 * @path: of the file; links are followed
 *
 * A file in a directory that is closed to others is not, whatever its own mode.
 *
 * Return: true; false, also when it cannot be told.
 */
bool pod_recipe_is_public(const char *path) {
        _cleanup_free_ char *real = realpath(path, NULL);
        struct stat st;

        if (!real || stat(real, &st) < 0 || !(st.st_mode & S_IROTH))
                return false;
        for (char *slash = strrchr(real, '/'); slash; slash = strrchr(real, '/')) {
                *slash = '\0';
                if (stat(*real ? real : "/", &st) < 0 || !(st.st_mode & S_IXOTH))
                        return false;
        }
        return true;
}

/* As far as its files are anybody's to read. To be asked before they are read: what is hidden first and written then stays so. */
static mode_t mode_of(const PodEntry *entry) {
        bool all = pod_recipe_is_public(entry->path);

        STRV_FOREACH (d, entry->dropins)
                all = all && pod_recipe_is_public(*d);
        return all ? 0644 : 0600;
}

/**
 * pod_recipe_keep() - note the recipe of a pod that is about to start
 * @name: of the pod
 * @e:    sentence on failure; may be NULL
 *
 * To be called before the files are read for the start: if they change in between, what is kept is the older, and "rkt pod
 * apply" restarts the pod once too often, not once too seldom.
 *
 * Return: 0; -ENOENT: there is no such pod file; other errno of writing, -ENOMEM.
 */
int pod_recipe_keep(const char *name, Error *e) {
        _cleanup_pod_index_ PodIndex *index = NULL;
        _cleanup_free_ char *path = strf("%s/%s", POD_STARTED_DIR, name), *recipe = NULL;
        const PodEntry *entry;
        mode_t mode;
        int r = path ? pod_index_load(NULL, &index) : -ENOMEM;

        if (r < 0)
                return error_oom(e);
        entry = pod_index_find(index, name);
        if (!entry)
                return error_setf(e, -ENOENT, "there is no pod file for '%s'", name);
        mode = mode_of(entry);
        r = pod_entry_recipe(entry, &recipe);
        if (r >= 0)
                r = mkdir_parents_at(AT_FDCWD, POD_STARTED_DIR, 0755);
        if (r >= 0 && chmod(POD_STARTED_DIR, 0755) < 0) /* other versions made it for root alone */
                r = -errno;
        if (r >= 0)
                r = file_write_at(AT_FDCWD, path, recipe, strlen(recipe), mode, FILE_WRITE_NO_SYNC);
        return r < 0 ? error_setf(e, r, "cannot write '%s': %s", path, strerror(-r)) : 0;
}

/**
 * pod_recipe_forget() - a pod without a file that does not run is forgotten: one of that name later is a new one
 * @index:   all pod files
 * @running: names of the pods that run
 */
void pod_recipe_forget(const PodIndex *index, char *const *running) {
        _cleanup_strv_free_ char **names = NULL;

        if (dir_list_at(AT_FDCWD, POD_STARTED_DIR, &names) < 0)
                return;
        STRV_FOREACH (n, names) {
                _cleanup_free_ char *path = strf("%s/%s", POD_STARTED_DIR, *n);

                if (path && !pod_index_find(index, *n) && !strv_contains(running, *n))
                        (void) unlink(path);
        }
}
