/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt pod edit: a drop-in of a pod file, or the file itself, by an editor, as "systemctl edit" does it for units. What was written
 * is checked by the parser of pod files before it counts; what is wrong is kept beside, and the old file stays. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/log.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "basic/word.h"
#include "config.h"
#include "podfile/pod-file.h"
#include "run/pod-units.h"
#include "verbs/verbs.h"

#define MARK_HERE "### Anything between here and the comment below will become the contents of the file"
#define MARK_END  "### Edits below this comment will be discarded"

typedef struct EditArgs {
        const char *drop_in;
        bool full, from_stdin;
} EditArgs;

typedef struct Edit {
        const PodEntry *entry;
        char *path;   /* the file that is to be written */
        char *folder; /* it is in */
        char *old;    /* what it has now; "" */
        bool is_new;
} Edit;

static void edit_done(Edit *x) {
        free(x->path);
        free(x->folder);
        free(x->old);
}

/* ---- which file ---- */

static int pods_dir(char **ret) {
        _cleanup_strv_free_ char **dirs = NULL;
        int r = pod_dirs(&dirs);

        if (r >= 0) {
                *ret = strdup(dirs && dirs[0] ? dirs[0] : RKT_PODS_DIR);
                r = *ret ? 0 : -ENOMEM;
        }
        return r;
}

/* "web", of an instance "web@blue". */
static char *stem_of(const PodEntry *entry) {
        return entry->instance ? strf("%s@%s", entry->prefix, entry->instance) : strdup(entry->name);
}

static int read_old(Edit *x, const char *from, Error *e) {
        size_t size;
        int r = file_read_at(AT_FDCWD, x->path, POD_FILE_SIZE_MAX, &x->old, &size);

        x->is_new = r == -ENOENT;
        if (r == -ENOENT && from)
                r = file_read_at(AT_FDCWD, from, POD_FILE_SIZE_MAX, &x->old, &size);
        if (r == -ENOENT)
                r = str_replace(&x->old, "");
        return r < 0 ? error_setf(e, r, "cannot read '%s': %s", x->path, strerror(-r)) : 0;
}

static int find_file(const EditArgs *a, Edit *x, Error *e) {
        _cleanup_free_ char *dir = NULL, *stem = stem_of(x->entry);
        const char *name = *a->drop_in ? a->drop_in : "override.conf";
        int r = stem ? pods_dir(&dir) : -ENOMEM;

        if (r < 0)
                return error_oom(e);
        if (strchr(name, '/') || *name == '.')
                return error_setf(e, -EINVAL, "'%s' is no name of a drop-in (NAME.conf)", name);
        x->folder = a->full ? strdup(dir) : strf("%s/%s.pod.d", dir, stem);
        x->path = !x->folder ? NULL
                  : a->full  ? strf("%s/%s.pod", dir, stem)
                             : strf("%s/%s%s", x->folder, name, endswith(name, ".conf") ? "" : ".conf");
        return x->path ? read_old(x, a->full ? x->entry->path : NULL, e) : error_oom(e);
}

/* ---- the editor ---- */

static void add_commented(StrBuf *b, const char *text) {
        for (const char *p = text; *p;) {
                size_t n = strcspn(p, "\n");

                strbuf_add(b, n > 0 ? "# " : "#");
                strbuf_add_n(b, p, n);
                strbuf_add(b, "\n");
                p += n + (p[n] == '\n');
        }
}

/* What the pod amounts to so far, as a comment below the mark. */
static int make_template(const Edit *x, bool full, char **ret) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        if (full)
                return (*ret = strdup(x->old)) ? 0 : -ENOMEM;
        strbuf_addf(&b, "### Editing %s\n%s\n\n%s\n\n%s\n", x->path, MARK_HERE, x->old, MARK_END);
        for (char **f = NULL;; f = f ? f + 1 : x->entry->dropins) {
                const char *path = f ? *f : x->entry->path;
                _cleanup_free_ char *text = NULL;
                size_t size;

                if (!path)
                        break;
                if (!streq(path, x->path) &&
                    file_read_at(AT_FDCWD, path, POD_FILE_SIZE_MAX, &text, &size) >= 0) {
                        strbuf_addf(&b, "\n### %s\n", path);
                        add_commented(&b, text);
                }
                if (!f && !x->entry->dropins)
                        break;
        }
        return strbuf_steal(&b, ret);
}

/* The text between the marks; all of it where there are none. */
static int cut_template(const char *text, char **ret) {
        const char *begin = strstr(text, MARK_HERE), *end = strstr(text, MARK_END);

        begin = begin ? begin + strlen(MARK_HERE) : text;
        if (!end || end < begin)
                end = begin + strlen(begin);
        while (begin < end && (*begin == '\n' || *begin == ' '))
                begin++;
        while (end > begin && (end[-1] == '\n' || end[-1] == ' '))
                end--;
        *ret = strf("%.*s%s", (int) (end - begin), begin, end > begin ? "\n" : "");
        return *ret ? 0 : -ENOMEM;
}

/* The first that exists. An editor may have arguments. */
static int run_editor(const char *path, Error *e) {
        static const char *const variables[] = { "SYSTEMD_EDITOR", "EDITOR", "VISUAL" };
        static const char *const programs[] = { "editor", "nano", "vim", "vi" };
        _cleanup_strv_free_ char **words = NULL;
        int status, r = 0;
        pid_t pid;

        for (size_t i = 0; i < ELEMENTSOF(variables) && !words && r >= 0; i++) {
                const char *value = getenv(variables[i]);

                r = value && *value ? word_split(value, 100, &words) : 0;
        }
        if (r < 0)
                return r == -ENOMEM ? error_oom(e) : error_setf(e, r, "$EDITOR has quotes that do not match");
        if (words && strv_extend(&words, path) < 0)
                return error_oom(e);
        pid = fork();
        if (pid < 0)
                return error_setf(e, -errno, "cannot start an editor: %s", strerror(errno));
        if (pid == 0) {
                if (words)
                        (void) execvp(words[0], words);
                for (size_t i = 0; !words && i < ELEMENTSOF(programs); i++)
                        (void) execlp(programs[i], programs[i], path, (char *) NULL);
                _exit(127);
        }
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return error_setf(e, -errno, "cannot wait for the editor: %s", strerror(errno));
        if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
                return error_setf(e, -ENOENT, "cannot find the editor %s (set $EDITOR)",
                                  words ? words[0] : "(editor, nano, vim or vi)");
        return WIFEXITED(status) && WEXITSTATUS(status) == 0
                       ? 0
                       : error_setf(e, -EIO, "the editor failed: nothing is changed");
}

/* A file of its own, beside nothing that systemd or we look at. */
static int edit_text(const Edit *x, bool full, char **ret, Error *e) {
        char path[] = "/tmp/rkt-pod-edit-XXXXXX";
        _cleanup_free_ char *template = NULL, *text = NULL, *file = NULL;
        size_t size;
        int r;

        if (!mkdtemp(path))
                return error_setf(e, -errno, "cannot make a directory in /tmp: %s", strerror(errno));
        file = strf("%s/%s", path, path_basename(x->path));
        r = file ? make_template(x, full, &template) : -ENOMEM;
        if (r >= 0)
                r = file_write_at(AT_FDCWD, file, template, strlen(template), 0600, FILE_WRITE_NO_SYNC);
        r = r < 0 ? error_setf(e, r, "cannot write '%s': %s", file ? file : path, strerror(-r))
                  : run_editor(file, e);
        if (r >= 0) {
                r = file_read_at(AT_FDCWD, file, POD_FILE_SIZE_MAX, &text, &size);
                if (r < 0)
                        (void) error_setf(e, r, "cannot read what the editor wrote: %s", strerror(-r));
        }
        (void) remove_tree_at(AT_FDCWD, path);
        if (r < 0)
                return r;
        return full ? (*ret = TAKE_PTR(text), 0) : cut_template(text, ret);
}

static int read_stdin(char **ret, Error *e) {
        size_t size;
        int r = fd_read_to_end(STDIN_FILENO, POD_FILE_SIZE_MAX, ret, &size);

        if (r >= 0 && strlen(*ret) != size)
                r = -EINVAL;
        return r < 0 ? error_setf(e, r, "cannot take standard input: %s",
                                  r == -E2BIG    ? "it is larger than 4 MiB"
                                  : r == -EINVAL ? "it has a NUL byte"
                                                 : strerror(-r))
                     : 0;
}

/* ---- checking and writing ---- */

/* Where it will be read: after those whose names sort before it. */
static int add_dropin(const PodEntry *entry, const char *path, char ***ret) {
        _cleanup_strv_free_ char **all = NULL;
        bool added = false;
        int r = 0;

        STRV_FOREACH (d, entry->dropins) {
                int order = strcmp(path_basename(*d), path_basename(path));

                if (r >= 0 && order >= 0 && !added) {
                        r = strv_extend(&all, path);
                        added = true;
                }
                if (r >= 0 && order != 0)
                        r = strv_extend(&all, *d);
        }
        if (r >= 0 && !added)
                r = strv_extend(&all, path);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(all);
        return 0;
}

/* As the next load would find them. */
static int check(const Edit *x, const char *text, bool full, PodErrors *errors) {
        _cleanup_strv_free_ char **dropins = NULL;
        _cleanup_pod_text_ PodText *t = NULL;
        _cleanup_pod_spec_ PodSpec *spec = NULL;
        PodEntry entry = *x->entry;
        int r = full ? strv_copy(entry.dropins, &dropins) : add_dropin(&entry, x->path, &dropins);

        if (r < 0)
                return r;
        entry.dropins = dropins;
        if (full)
                entry.path = x->path;
        r = pod_entry_read_with(&entry, x->path, text, strlen(text), &t, errors);
        return r < 0 ? r : pod_text_load(&entry, t, &spec, errors);
}

/* What is wrong stays beside, under a name that nobody reads. Returns the exit code. */
static int reject(const Edit *x, const char *text, const PodErrors *errors, Error *e) {
        _cleanup_free_ char *rejected = strf("%s.rejected", x->path), *messages = NULL;
        int r = rejected ? pod_errors_to_string(errors, &messages) : -ENOMEM;

        if (r >= 0)
                r = mkdir_parents_at(AT_FDCWD, x->folder, 0755);
        if (r >= 0)
                r = file_write_at(AT_FDCWD, rejected, text, strlen(text), 0644, 0);
        (void) fputs(str_or(messages, ""), stderr);
        if (r < 0)
                return error_setf(e, r, "cannot write '%s': %s", str_or(rejected, x->path), strerror(-r));
        (void) fprintf(stderr, "nothing is changed; what was written is in %s\n", rejected);
        return 1;
}

static int put(const Edit *x, const char *text, Error *e) {
        _cleanup_free_ char *rejected = strf("%s.rejected", x->path);
        int r = rejected ? mkdir_parents_at(AT_FDCWD, x->folder, 0755) : -ENOMEM;

        if (r >= 0)
                r = file_write_at(AT_FDCWD, x->path, text, strlen(text), 0644, 0);
        if (r < 0)
                return error_setf(e, r, "cannot write '%s': %s", x->path, strerror(-r));
        (void) unlink(rejected); /* of the time before */
        (void) printf("%s\n", x->path);
        return 0;
}

/* Without a systemd that runs, as in an image that is being made, the file counts all the same. */
static int reload(void) {
        _cleanup_error_ Error e = ERROR_INIT;
        int r = pod_units_reload(&e);

        if (r < 0)
                log_warning("%s, ignoring", error_text(&e, r));
        return 0;
}

static int edit(const EditArgs *a, Edit *x, Error *e) {
        _cleanup_pod_errors_ PodErrors errors = POD_ERRORS_INIT;
        _cleanup_free_ char *text = NULL;
        int r = find_file(a, x, e);

        if (r >= 0)
                r = a->from_stdin ? read_stdin(&text, e) : edit_text(x, a->full, &text, e);
        if (r < 0)
                return r;
        assert(text);
        if (*text == '\0' || (!x->is_new && streq(text, x->old))) {
                log_info("%s: nothing is changed", x->path);
                return 0;
        }
        if (check(x, text, a->full, &errors) < 0)
                return error_oom(e);
        if (errors.n > 0)
                return reject(x, text, &errors, e);
        r = put(x, text, e);
        return r < 0 ? r : reload();
}

static int edit_run(const VerbContext *c, int argc, char **args, void *options, Error *e) {
        _cleanup_(edit_done) Edit x = {};
        _cleanup_pod_index_ PodIndex *index = NULL;
        const EditArgs *a = options;

        (void) c;
        (void) argc;
        if (a->full && *a->drop_in)
                return error_setf(e, -EINVAL, "--full and --drop-in= exclude each other");
        if (!a->from_stdin && !isatty(STDIN_FILENO) && !getenv("SYSTEMD_EDITOR"))
                return error_setf(e, -ENOTTY,
                                  "standard input is no terminal (--stdin takes the text from there)");
        if (pod_index_load(NULL, &index) < 0)
                return error_oom(e);
        x.entry = pod_index_find(index, args[0]);
        return x.entry ? edit(a, &x, e)
                       : error_setf(e, -ENOENT, "there is no pod file for '%s' (see rkt pod list)", args[0]);
}

static const Option edit_options[] = {
        { "drop-in", 0, OPTION_STRING, offsetof(EditArgs, drop_in), .fallback = "", .value = "FILE",
          .help = "Edit this drop-in instead of override.conf" },
        { "full", 0, OPTION_BOOL, offsetof(EditArgs, full),
          .help = "Edit the pod file itself, or a copy in /etc" },
        { "stdin", 0, OPTION_BOOL, offsetof(EditArgs, from_stdin),
          .help = "Take the text from standard input" },
        {},
};

const Verb verb_pod_edit = {
        .group = "pod",
        .name = "edit",
        .min_args = 1,
        .max_args = 1,
        .flags = VERB_ROOT | VERB_NO_DATA,
        .usage = "POD",
        .help = "Edit a drop-in of a pod file, checked before it counts",
        .description =
                "The editor is that of $SYSTEMD_EDITOR, $EDITOR or $VISUAL. What has mistakes is not put in "
                "place: they are printed, the exit code is 1, and the text is kept as FILE.rejected. Then "
                "systemd reads the pod files; rkt pod apply restarts the pod.",
        .options = edit_options,
        .options_size = sizeof(EditArgs),
        .run = edit_run,
};
